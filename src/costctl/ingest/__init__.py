"""Every change of the ledger: files in, sources out again, calls priced anew."""

from __future__ import annotations

from costctl.ingest.forget import forget
from costctl.ingest.progress import Progress
from costctl.ingest.reprice import reprice
from costctl.ingest.run import Ingested, Input, ingest
from costctl.ingest.sources import Given

__all__ = ["Given", "Ingested", "Input", "Progress", "forget", "ingest", "reprice"]
