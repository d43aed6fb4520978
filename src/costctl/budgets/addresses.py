"""Addresses that alerts are sent to."""

from __future__ import annotations

import re
from collections.abc import Collection
from ipaddress import ip_address
from urllib.parse import urlsplit

_ADDRESS = re.compile(r"[a-z]+://[!-~]+", re.IGNORECASE)


def fault(url: str, schemes: Collection[str]) -> str:
    """What is wrong with ``url``, without showing it; empty where it is an address of one of ``schemes``.

    A line break in it could forge a header, and a password in it would stand in the logs of proxies.
    """
    none = f"the url is no {' or '.join(schemes)} address"
    if not _ADDRESS.fullmatch(url):  # before urlsplit, which drops line breaks in silence
        return none
    try:
        parts = urlsplit(url)
        if parts.scheme not in schemes or not parts.hostname or parts.port == 0:
            return none
    except ValueError:
        return none
    if parts.username is not None or parts.password is not None:
        return "the url must not hold a user or a password"
    return ""


def is_here(url: str) -> bool:
    """Whether ``url`` leads to this machine itself."""
    host = urlsplit(url).hostname or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def is_open(url: str) -> bool:
    """Whether what is sent to ``url`` leaves this machine, and not encrypted."""
    return urlsplit(url).scheme.lower() == "http" and not is_here(url)
