"""Vendors' usage and cost reports, straight from their APIs into files that `ingest` reads.

The only room that uses the network.
"""

from costctl.pull.client import Patience, PullError
from costctl.pull.files import PulledFile, pulled_files
from costctl.pull.run import Failure, Planned, Pulled, plan, pull
from costctl.pull.vendors import VENDORS, Vendor, VendorReport

__all__ = [
    "VENDORS",
    "Failure",
    "Patience",
    "Planned",
    "PullError",
    "Pulled",
    "PulledFile",
    "Vendor",
    "VendorReport",
    "plan",
    "pull",
    "pulled_files",
]
