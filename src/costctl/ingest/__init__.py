"""Every change of the ledger: files in, sources out again, calls priced anew."""

from __future__ import annotations

from typing import TYPE_CHECKING

from costctl.ingest.progress import Progress
from costctl.ingest.run import Ingested, Input, ingest
from costctl.ingest.sources import Given

if TYPE_CHECKING:
    from costctl.ingest.allocate import allocate
    from costctl.ingest.forget import forget
    from costctl.ingest.reprice import reprice

__all__ = ["Given", "Ingested", "Input", "Progress", "allocate", "forget", "ingest", "reprice"]


def __getattr__(name: str) -> object:
    # Rarely asked for, and slow to import.
    if name == "allocate":
        from costctl.ingest.allocate import allocate

        return allocate
    if name == "forget":
        from costctl.ingest.forget import forget

        return forget
    if name == "reprice":
        from costctl.ingest.reprice import reprice

        return reprice
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
