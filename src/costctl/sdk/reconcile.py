"""Counters and the ledger: what the ledger has is what was spent, and the counters hold what it lacks."""

from __future__ import annotations

import os
import secrets
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from typing import TYPE_CHECKING

from costctl.budgets import Budgets
from costctl.ledger import LedgerError
from costctl.sdk import balance
from costctl.sdk.accounts import Accounts, critical
from costctl.sdk.balance import Base
from costctl.sdk.store import Settlement, Store, Transaction

if TYPE_CHECKING:
    from costctl.budgets.spend import Look, Spent
    from costctl.currency import Rates
    from costctl.ledger import Ledger

_META = ""
"""The account that is none: what the store knows of itself."""
_LOOKED, _LEASE, _SEEN = "looked", "lease", "seen"

_BASED = "based"
"""Another: the accounts of which the ledger had something, with the kinds of their periods."""

_LEASED = 300_000_000
"""Microseconds that a look may take before another one may begin."""

_HOUR = 3_600_000_000
"""Microseconds. So often days begin somewhere: what the same ledger has of today is then another sum."""

_ATTEMPTS = 3

_FORK_WAITS = 30.0
"""Seconds."""

_reading = threading.Lock()
_fork = threading.local()


def _before_fork() -> None:
    # A child of a process that is in the middle of a query has DuckDB's database, and not its threads: it
    # would wait for them for ever. So a fork waits for the query's end.
    _fork.waited = _reading.acquire(timeout=_FORK_WAITS)


def _after_fork() -> None:
    if _fork.waited:  # else the child never reads a ledger
        _reading.release()


os.register_at_fork(before=_before_fork, after_in_parent=_after_fork, after_in_child=_after_fork)


@contextmanager
def _alone(ledger: Ledger) -> Iterator[None]:
    if not _reading.acquire(timeout=_FORK_WAITS):
        raise LedgerError("another thread takes too long to read a ledger", file=ledger.path)
    try:
        yield
    finally:
        _reading.release()


def looked(store: Store) -> int | None:
    """When the ledger was last looked at (microseconds); None if it never was."""
    (meta,) = store.change(lambda tx: tx.counters([_META]))
    return int(meta[_LOOKED]) if _LOOKED in meta else None


def reconcile(
    store: Store, accounts: Accounts, budgets: Budgets, ledger: Ledger, now: int, patience: float = 0
) -> bool:
    """Put what the ledger has of each budget's periods in place of what was known of it, and drop the
    settlements that it has; in one transaction. Where another process is at it, wait ``patience`` seconds for
    its end. Returns False if that does not come.

    A settlement with a call's id is dropped once the ledger has that call. One without is thought to be there
    once the ledger has a later call. Where neither the ledger nor the budgets have changed within the hour,
    there is nothing to do.
    """
    token = f"{_host()}/{os.getpid()}/{secrets.token_hex(8)}"
    before, deadline = looked(store), time.monotonic() + patience
    while not store.change(lambda tx: _leased(tx, token, now)):
        if time.monotonic() >= deadline:
            return False
        time.sleep(0.05)
        if looked(store) != before:
            return True
    try:
        version = f"{_version(ledger)} {budgets.fingerprint} {accounts.zone} {now // _HOUR}".encode()
        if store.change(lambda tx: _is_seen(tx, token, version, now)):
            return True
        settlements = store.change(lambda tx: tx.settlements())
        with _alone(ledger):
            seen, look = _look(ledger, budgets, accounts, settlements, now)
        bases = _bases(accounts, look.spent)
        return store.change(lambda tx: _apply(tx, token, accounts, seen, bases, version, now))
    except BaseException:
        store.change(lambda tx: _give_back(tx, token))
        raise


def _leased(tx: Transaction, token: str, now: int) -> bool:
    (meta,) = tx.counters([_META])
    lease = meta.get(_LEASE)
    if isinstance(lease, bytes):
        holder, until = lease.decode().split()
        if now < int(until) <= now + _LEASED and not _is_dead(holder):
            return False
    tx.put(_META, _LEASE, f"{token} {now + _LEASED}".encode())
    return True


def _host() -> str:
    return os.uname().nodename.replace(" ", "").replace("/", "")


def _is_dead(holder: str) -> bool:
    """Whether the process that has a lease was one of this host and has ended. (Where hosts of one name share
    a store, it may be alive: then two look at once, and what the first one found is not taken.)"""
    host, _, process = holder.partition("/")
    if host != _host() or not process:
        return False
    try:
        os.kill(int(process.partition("/")[0]), 0)
    except ProcessLookupError:
        return True
    except OSError:
        return False  # it is another user's
    return False


def _holds(tx: Transaction, token: str) -> bool:
    (meta,) = tx.counters([_META])
    lease = meta.get(_LEASE)
    return isinstance(lease, bytes) and lease.split()[0] == token.encode()


def _give_back(tx: Transaction, token: str) -> None:
    if _holds(tx, token):
        tx.drop(_META, [_LEASE])


def _version(ledger: Ledger) -> str:
    """Which ledger it is, and its last commit's number."""
    with _alone(ledger), ledger.reading() as engine:
        meta: dict[str, str] = dict(
            engine.rows("SELECT key, value FROM meta WHERE key IN ('ledger_id', 'commit')")
        )
    return f"{meta['ledger_id']} {meta['commit']}"


def _is_seen(tx: Transaction, token: str, version: bytes, now: int) -> bool:
    (meta,) = tx.counters([_META])
    if meta.get(_SEEN) != version or not _holds(tx, token):
        return False
    tx.put(_META, _LOOKED, str(now).encode())
    tx.drop(_META, [_LEASE])
    return True


def _look(
    ledger: Ledger, budgets: Budgets, accounts: Accounts, settlements: Sequence[Settlement], now: int
) -> tuple[list[Settlement], Look]:
    """The settlements whose calls are in the ledger, and what was spent, at one commit of it; where it is
    written to all the while, calls may be counted twice until the next look, never not at all."""
    from costctl.budgets.spend import look
    from costctl.periods.zones import instant_at

    rates = _rates() if any(budget.currency != "USD" for budget in budgets.budgets) else None
    for _ in range(_ATTEMPTS):
        known, commit = _known(ledger, [each.call for each in settlements if each.call])
        found = look(ledger, budgets, instant_at(now), accounts.zone, rates=rates, forecasts=False)
        if found.commit == commit:
            break
    newest = found.newest_us or 0
    return [each for each in settlements if (each.call in known if each.call else each.at <= newest)], found


def _known(ledger: Ledger, ids: list[str]) -> tuple[set[str], int]:
    """Those of ``ids`` that the ledger has, and the number of its last commit."""
    from costctl.formats.identity import response_id
    from costctl.ingest.insert import key_of_id

    with ledger.reading() as engine:
        ((commit,),) = engine.rows("SELECT value FROM meta WHERE key = 'commit'")
        key = key_of_id(response_id("asked.id", "costctl"))
        rows = engine.rows(
            f"""SELECT asked.id
FROM (SELECT unnest(CAST(? AS VARCHAR[])) AS id) AS asked SEMI JOIN calls ON calls.call_key = {key}""",  # noqa: S608
            [ids],
        )
    return {id for (id,) in rows}, int(commit)


def _rates() -> Rates | None:
    from costctl import config
    from costctl.currency import read

    file = config.load().currency_file
    return None if file is None else read(file)


def _bases(accounts: Accounts, spent: Sequence[Spent]) -> dict[str, dict[str, Base]]:
    """By account and kind, what was spent in the current periods."""
    found: dict[str, dict[str, Base]] = {}
    for each in spent:
        if not each.late:
            threshold = critical(each.budget)
            base = Base(
                first=_day(each),
                spent=each.spent_pico,
                limit=each.limit_pico,
                critical=each.threshold_pico(threshold) if threshold else None,
            )
            found.setdefault(accounts.account(each.budget, each.scope_value).name, {})[each.kind] = base
    return found


def _day(spent: Spent) -> int:
    first: date = spent.start.date()
    return first.toordinal()


def _apply(
    tx: Transaction,
    token: str,
    accounts: Accounts,
    seen: Sequence[Settlement],
    bases: dict[str, dict[str, Base]],
    version: bytes,
    now: int,
) -> bool:
    if not _holds(tx, token):
        return False  # it took so long that another one has begun
    (known,) = tx.counters([_BASED])
    gone: Counter[tuple[str, int]] = Counter()
    for each in seen:
        for place in each.places:
            gone[place] += each.cost
    for (account, day), cost in gone.items():
        tx.add(account, balance.settled(day), -cost)
    for account, kinds in bases.items():
        for kind, base in kinds.items():
            tx.put(account, balance.base(kind), base.to_bytes())
        if known.get(account) != (names := " ".join(kinds).encode()):
            tx.put(_BASED, account, names)
    # Of calls that were forgotten, or given to somebody else.
    for account, named in known.items():
        if accounts.has(account):
            assert isinstance(named, bytes)
            kinds_gone = set(named.decode().split()) - bases.get(account, {}).keys()
            if kinds_gone:
                tx.drop(account, [balance.base(kind) for kind in kinds_gone])
            if account not in bases:
                tx.drop(_BASED, [account])
    tx.forget([each.id for each in seen])
    tx.put(_META, _LOOKED, str(now).encode())
    tx.put(_META, _SEEN, version)
    tx.drop(_META, [_LEASE])
    return True
