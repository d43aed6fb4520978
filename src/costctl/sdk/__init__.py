"""For application code, while it makes calls: what is used becomes lines of a call log, which ``costctl
ingest`` reads; the ledger is never touched. Everything is imported when it is asked for."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from costctl.sdk.admission import Admission
    from costctl.sdk.agent import BudgetAwareAgent, BudgetedCall, BudgetExceededError
    from costctl.sdk.cache import CachedMessage, CacheStats, FAQAgent, PromptCache
    from costctl.sdk.call_log import CallLog, CallLogError
    from costctl.sdk.record import CallRecord
    from costctl.sdk.redis_store import RedisStore
    from costctl.sdk.router import ModelRouter
    from costctl.sdk.store import SQLiteStore, StoreError
    from costctl.sdk.throttler import BudgetThrottler
    from costctl.sdk.tracker import CostTracker

_MODULES = {
    "Admission": "admission",
    "BudgetAwareAgent": "agent",
    "BudgetExceededError": "agent",
    "BudgetThrottler": "throttler",
    "BudgetedCall": "agent",
    "CacheStats": "cache",
    "CachedMessage": "cache",
    "CallLog": "call_log",
    "CallLogError": "call_log",
    "CallRecord": "record",
    "CostTracker": "tracker",
    "FAQAgent": "cache",
    "ModelRouter": "router",
    "PromptCache": "cache",
    "RedisStore": "redis_store",
    "SQLiteStore": "store",
    "StoreError": "store",
}

__all__ = [
    "Admission",
    "BudgetAwareAgent",
    "BudgetExceededError",
    "BudgetThrottler",
    "BudgetedCall",
    "CacheStats",
    "CachedMessage",
    "CallLog",
    "CallLogError",
    "CallRecord",
    "CostTracker",
    "FAQAgent",
    "ModelRouter",
    "PromptCache",
    "RedisStore",
    "SQLiteStore",
    "StoreError",
]


def __getattr__(name: str) -> object:
    if name in _MODULES:
        return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
