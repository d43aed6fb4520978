"""The key of a ledger's pseudonyms: a file beside it, so that a copy of the ledger alone tells no names."""

from __future__ import annotations

import hashlib
import os
import secrets
from typing import TYPE_CHECKING

from costctl.ledger.errors import LedgerError
from costctl.ledger.files import private, sync

if TYPE_CHECKING:
    from costctl.ledger.engine import Engine
    from costctl.ledger.ledger import Ledger

BYTES = 32
KEY = "pseudonym_key"
"""The key of ``meta`` for the fingerprint of the file that pseudonyms were made with."""


def key_of(ledger: Ledger) -> bytes:
    """The ledger's key; it is made where there is none yet. Raises :class:`LedgerError` where it is not the
    one that earlier pseudonyms were made with: the same person would get another one."""
    if not ledger.exists:
        return existing(ledger) or _made(ledger)
    with ledger.reading() as engine:
        return key_in(ledger, engine)


def key_in(ledger: Ledger, engine: Engine) -> bytes:
    """As :func:`key_of`, of a ledger that is open."""
    rows = engine.rows("SELECT value FROM meta WHERE key = ?", [KEY])
    known = rows[0][0] if rows else None
    found = existing(ledger)
    if found is None and known is None:
        found = _made(ledger)
    if found is None or (known is not None and fingerprint(found) != known):
        raise LedgerError(
            f"{ledger.files.key} is {'gone' if found is None else 'another key'}: "
            "the names that are in the ledger would get other pseudonyms",
            hint="put the file back from a copy; without it, begin a new ledger",
            file=ledger.path,
        )
    return found


def existing(ledger: Ledger) -> bytes | None:
    """The content of the key's file; None if there is none."""
    try:
        return bytes.fromhex(ledger.files.key.read_text(encoding="ascii"))
    except FileNotFoundError:
        return None
    except (ValueError, OSError):
        raise LedgerError(f"{ledger.files.key} is no key of ours", file=ledger.path) from None


def fingerprint(key: bytes) -> str:
    """What is kept in the ledger to know the key again."""
    return hashlib.sha256(b"costctl pseudonyms" + key).hexdigest()[:16]


def _made(ledger: Ledger) -> bytes:
    key = secrets.token_bytes(BYTES)
    with private():
        ledger.path.parent.mkdir(parents=True, exist_ok=True)
        try:
            descriptor = os.open(ledger.files.key, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:  # another process was quicker
            return existing(ledger) or key
        except OSError as error:
            raise LedgerError(
                f"cannot write {ledger.files.key}: {error.strerror}", file=ledger.path
            ) from error
        with open(descriptor, "w", encoding="ascii") as file:
            file.write(key.hex())
            file.flush()
            os.fsync(file.fileno())
    sync(ledger.path.parent)
    return key
