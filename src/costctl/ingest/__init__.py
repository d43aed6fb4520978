"""Every change of the ledger: files in, sources out again, calls priced anew."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from costctl.ingest.progress import Progress
from costctl.ingest.run import Ingested, Input, ingest
from costctl.ingest.sources import Given

if TYPE_CHECKING:
    from costctl.ingest.allocating import allocate
    from costctl.ingest.explaining import explain
    from costctl.ingest.forgetting import forget
    from costctl.ingest.forgetting_person import forget_person
    from costctl.ingest.repricing import reprice

# Rarely asked for, and slow to import. None has the name of its module, which would take its place.
_MODULES = {
    "allocate": "allocating",
    "explain": "explaining",
    "forget": "forgetting",
    "forget_person": "forgetting_person",
    "reprice": "repricing",
}

__all__ = [
    "Given",
    "Ingested",
    "Input",
    "Progress",
    "allocate",
    "explain",
    "forget",
    "forget_person",
    "ingest",
    "reprice",
]


def __getattr__(name: str) -> object:
    if name in _MODULES:
        return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
