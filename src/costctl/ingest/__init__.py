"""Every change of the ledger: files in, sources out again, calls priced anew."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from costctl.ingest.progress import Progress
from costctl.ingest.run import Ingested, Input, ingest
from costctl.ingest.sources import Given

if TYPE_CHECKING:
    from costctl.ingest.allocate import allocate
    from costctl.ingest.explain import explain
    from costctl.ingest.forget import forget
    from costctl.ingest.forget_person import forget_person
    from costctl.ingest.reprice import reprice

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
    # Rarely asked for, and slow to import.
    if name not in ("allocate", "explain", "forget", "forget_person", "reprice"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    # The function takes the place of its module, which the import has put here under the same name.
    function = globals()[name] = getattr(import_module(f"{__name__}.{name}"), name)
    return function
