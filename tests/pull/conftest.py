from __future__ import annotations

from collections.abc import Iterator
from datetime import date

import pytest
from tests.pull.vendor_server import VendorServer, serving


@pytest.fixture
def vendor() -> Iterator[VendorServer]:
    """A vendor whose last day is 10 October 2026."""
    with serving(VendorServer(date(2026, 10, 10))) as running:
        yield running
