"""The brake: whether a call may be made now, by the budgets that it counts towards."""

from __future__ import annotations

import logging
import os
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from threading import Thread
from typing import Any, Literal, NamedTuple, get_args
from zoneinfo import ZoneInfo

from costctl import config
from costctl.budgets import Budgets, load
from costctl.ledger import Ledger
from costctl.money import MAX_PICO, PICO_PER_USD
from costctl.periods import zone as zone_of
from costctl.sdk import balance
from costctl.sdk.accounts import Account, Accounts, call_of
from costctl.sdk.admission import Admission, exceeded, slowed
from costctl.sdk.balance import Balance
from costctl.sdk.forks import Lock
from costctl.sdk.reconcile import looked, reconcile
from costctl.sdk.store import Reservation, Settlement, SQLiteStore, Store, StoreError, Transaction
from costctl.sdk.window import SECONDS, Window, is_recent, step
from costctl.state import beside

__all__ = ["Admission", "BudgetThrottler", "OnFailure"]

OnFailure = Literal["fail_open", "fail_closed"]

_log = logging.getLogger("costctl.sdk")

_SECOND = 1_000_000
_MINUTE = 60 * _SECOND
"""Days begin, and offsets change, with a minute."""
_STALE = 24 * 3600 * _SECOND
"""What is known of the ledger is looked up before the answer where it is older."""
_AGAIN = 5 * _SECOND
"""After a look that failed."""
_PATIENCE = 10.0
"""Seconds to wait for another process's look, where there was none before."""
_LATE = 3600 * _SECOND
"""For so long a reservation is known after its hold has ended."""


class _Asking(NamedTuple):
    """A request: the accounts that it counts towards and what day it is for each, the pico-dollars to hold
    for it (None: the usual cost), and when that is (microseconds)."""

    id: str
    accounts: tuple[Account, ...]
    days: tuple[int, ...]
    held: int | None
    now: int
    ignore_slowing: bool


class BudgetThrottler:
    """Says whether calls may be made, by a budgets.yaml (a path, or what :func:`costctl.budgets.load` gave;
    by default that of the settings), which is read once.

    ``team``, ``project``, ``user``, ``agent``, ``model``, ``provider`` and ``tags`` are those of the calls; a
    single call may say others. What was spent is the ``ledger``'s (by default the settings'), and what was
    settled here since: ``store`` keeps it, by default the ``state.sqlite`` beside the ledger. The ledger is
    looked at every ``reconcile_every`` seconds by a thread (None: only by :meth:`reconcile` and
    :meth:`look`); ``wait`` is for how many seconds to wait for one that is written to.

    ``hold`` is for how many seconds money is kept for a call that is neither settled nor released.
    ``on_failure`` says what is answered while the store cannot be used. ``clock`` gives seconds since 1970.

    May be used by many threads and processes. Raises :class:`costctl.documents.DocumentError` for faults in
    the file, :class:`costctl.config.SettingError` where there is none.
    """

    def __init__(
        self,
        budgets: Budgets | str | os.PathLike[str] | None = None,
        *,
        team: str | None = None,
        project: str | None = None,
        user: str | None = None,
        agent: str | None = None,
        model: str | None = None,
        provider: str | None = None,
        tags: Mapping[str, object] | None = None,
        ledger: str | os.PathLike[str] | None = None,
        store: Store | None = None,
        zone: str | ZoneInfo | None = None,
        on_failure: OnFailure = "fail_open",
        hold: float = 600.0,
        reconcile_every: float | None = 300.0,
        wait: float = 5.0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        if on_failure not in get_args(OnFailure):
            raise ValueError(f"on_failure: {on_failure!r} is neither fail_open nor fail_closed")
        settings = config.load() if budgets is None or ledger is None or zone is None else None
        self.ledger = Path(ledger if ledger is not None else _of(settings).db)
        self.budgets = budgets if isinstance(budgets, Budgets) else load(_file(budgets, settings), None)
        if not isinstance(zone, ZoneInfo):
            zone = zone_of(zone) if zone is not None else _of(settings).zone
        self.store: Store = SQLiteStore(beside(self.ledger)) if store is None else store
        self.on_failure = on_failure
        self.clock = clock
        self._hold = int(hold * _SECOND)
        self._every = None if reconcile_every is None else int(reconcile_every * _SECOND)
        self._accounts = Accounts(self.budgets.budgets, zone)
        self.labels = call_of(team, project, user, agent, model, provider, tags)
        """Those of its calls that were given, by name."""
        self._found: dict[tuple[tuple[str, object], ...], tuple[Account, ...]] = {}
        self._days: dict[str, tuple[int, int, int]] = {}
        self._next_look = -1
        self._looking = Lock()
        self._blind = ""
        self._wait = wait

    # --- asking -------------------------------------------------------------------------------------------

    def should_allow_request(
        self,
        reservation: str | Admission | None = None,
        *,
        estimate: Decimal | int | str | None = None,
        ignore_slowing: bool = False,
        **labels: Any,
    ) -> Admission:
        """``(allowed, reason)`` for one call; ``estimate`` is what it may cost in USD, by default what calls
        of the first of its budgets cost on average.

        Refused where what was spent and is held has reached the amount of any period of any budget that the
        call counts towards. From a budget's critical threshold on, if it has auto_throttle, its requests are
        slowed down: let through while those admitted in the last 60 s are fewer than throttle_rate times
        those asked for (in the same 60 s, allowed or not, and only while slowed), but always one;
        ``ignore_slowing`` passes that by. An allowed call has the estimate held for it.

        ``reservation`` is an earlier answer, or that of one: a call that asks again counts once, and is
        allowed if it was before. ``labels`` are team, project, user, agent, model, provider, tags. Raises
        ValueError for an estimate that is no amount, and for a reservation that was settled.
        """
        held = None if estimate is None else _pico("estimate", estimate)
        accounts = self._of_call(labels)
        if not accounts:
            return Admission(True, "no budget applies")
        now = int(self.clock() * _SECOND)
        id = _id(reservation) or _new_id(now)
        self._look_if_due(now)
        if self._blind and self.on_failure == "fail_closed":
            return Admission(False, self._blind, id, "unknown")
        try:
            days = tuple(self._day(account.zone, now) for account in accounts)
            asking = _Asking(id, accounts, days, held, now, ignore_slowing)
            answer = self.store.change(lambda tx: self._ask(tx, asking))
        except StoreError as error:
            return self._failed(id, error)
        if answer.allowed and self._blind:
            return Admission(True, f"allowed unseen, for {self._blind}", id)
        return answer

    def _ask(self, tx: Transaction, asking: _Asking) -> Admission:
        id, accounts, now = asking.id, asking.accounts, asking.now
        known = tx.reservation(id)
        if known is None:
            if tx.is_settled(id):
                raise ValueError(f"reservation {id} is settled: another call needs another one")
        elif known.ends > now // balance.HOLD_STEP:
            return Admission(True, "reserved already", id)
        found = [Balance(each, now) for each in tx.counters([account.name for account in accounts])]
        critical = []
        for account, day, each in zip(accounts, asking.days, found, strict=True):
            spans = self._accounts.spans(account.budget, day)
            for span in spans:
                limit, _ = each.limits(span)
                if limit is not None and each.taken(span) >= limit:
                    return Admission(False, exceeded(account, span, each, limit), id, "exceeded")
            if account.budget.auto_throttle and any(each.is_critical(span) for span in spans):
                critical.append((account, each))
        asked = {name: at for name, at in known.asked.items() if is_recent(at, step(now))} if known else {}
        places = tuple(zip((account.name for account in accounts), asking.days, strict=True))
        if critical and not asking.ignore_slowing and (full := self._slowed(tx, critical, asked, now)):
            tx.reserve(id, Reservation(0, 0, places, asked), now, now + SECONDS * _SECOND)
            return Admission(False, slowed(full), id, "slowed")
        held = asking.held
        if held is None:
            held = next((cost for each in found if (cost := each.usual_cost())), 0)
        ends = balance.hold_end(now + self._hold)
        for account, day, each in zip(accounts, asking.days, found, strict=True):
            if over := each.over(day):
                tx.drop(account.name, over)
            if held:
                tx.add(account.name, balance.hold(ends), held)
        tx.reserve(id, Reservation(held, ends, places, asked), now, ends * balance.HOLD_STEP + _LATE)
        return Admission(True, "within budget, at a reduced rate" if critical else "within budget", id)

    def _slowed(
        self, tx: Transaction, critical: Sequence[tuple[Account, Balance]], asked: dict[str, int], now: int
    ) -> Account | None:
        """Count a request in the windows of its critical accounts, in each but once (``asked`` says where it
        is), and let it through if all have room; else one that has none."""
        windows = [(account, Window(each.window, now)) for account, each in critical]
        for account, window in windows:
            if account.name not in asked:
                asked[account.name] = step(now)
                window.ask()
        full = next(
            (each for each, window in windows if not window.has_room(each.budget.throttle_rate)), None
        )
        for account, window in windows:
            if full is None:
                window.admit()
            tx.put(account.name, balance.WINDOW, window.to_bytes())
        return full

    def _failed(self, id: str, error: StoreError) -> Admission:
        _log.warning("budgets cannot be looked at: %s", error)
        if self.on_failure == "fail_open":
            return Admission(True, f"allowed unseen, for budgets cannot be looked at: {error}", id)
        return Admission(False, f"budgets cannot be looked at: {error}", id, "unknown")

    # --- afterwards ---------------------------------------------------------------------------------------

    def settle(
        self, reservation: str | Admission, cost: Decimal | int | str | None, *, call: str = "", **labels: Any
    ) -> None:
        """Count what a call has cost, in USD, in place of what was held for it; a second time changes
        nothing. None is the cost of a call without a price, and counts as nothing. ``call`` is the call's id
        in the log that will be ingested: once the ledger has it, it is counted there. ``labels`` are those of
        the call, for a reservation that is not known any more.

        A store that cannot be used is logged, not raised: the call has been made. Raises ValueError for a
        cost that is no amount.
        """
        pico = 0 if cost is None else _pico("cost", cost)
        self.settle_pico(reservation, pico, call=call, **labels)

    def settle_pico(self, reservation: str | Admission, cost: int, *, call: str = "", **labels: Any) -> None:
        """As :meth:`settle`, of pico-dollars."""
        id = _id(reservation)
        accounts = self._of_call(labels)
        now = int(self.clock() * _SECOND)
        places = tuple((account.name, self._day(account.zone, now)) for account in accounts)

        def settle(tx: Transaction) -> None:
            known = tx.reservation(id)
            if tx.is_settled(id):
                return
            _let_go(tx, known, now)
            settlement = Settlement(id, call, now, cost, known.places if known else places)
            for account, day in settlement.places:
                for counter, number in balance.settling(day, cost):
                    tx.add(account, counter, number)
            tx.settle(settlement)
            tx.release(id)

        if id:  # without one no budget applied
            self._afterwards(settle)

    def release(self, reservation: str | Admission) -> None:
        """Hold nothing for a call any more that was not made, or cost nothing."""
        id = _id(reservation)
        now = int(self.clock() * _SECOND)

        def release(tx: Transaction) -> None:
            known = tx.reservation(id)
            _let_go(tx, known, now)
            if known is not None:  # what it has asked for stays counted
                tx.reserve(id, known._replace(held=0, ends=0), now, now + SECONDS * _SECOND)

        if id:
            self._afterwards(release)

    def _afterwards(self, change: Callable[[Transaction], None]) -> None:
        try:
            self.store.change(change)
        except StoreError as error:
            _log.warning("a call's cost is not counted: %s", error)

    def close(self) -> None:
        """Let go of the store."""
        self.store.close()

    # --- the ledger ---------------------------------------------------------------------------------------

    def reconcile(self) -> bool:
        """Look at the ledger now: what it has is no longer counted here. Returns False where there is no
        ledger, or another process is looking. Raises :class:`costctl.ledger.LedgerError` and
        :class:`costctl.sdk.StoreError`."""
        return self._reconcile(0)

    def _reconcile(self, patience: float) -> bool:
        ledger = Ledger(self.ledger, self._wait)
        if not ledger.exists:
            return False
        now = int(self.clock() * _SECOND)
        return reconcile(self.store, self._accounts, self.budgets, ledger, now, patience)

    def _look_if_due(self, now: int) -> None:
        """Have the ledger looked at where that is long ago: by a thread; the first time, before the answer,
        if nobody has for a day."""
        if self._every is None or self._looked_lately(now):
            return
        # While one thread takes the first look, the others wait for it; later ones they leave to it.
        first = self._next_look < 0
        if not self._looking.acquire(blocking=first):
            return
        try:
            if self._looked_lately(now):
                return
            last = self._looked()
            if first and not _is_within(last, now, _STALE):
                self.look()
            elif not _is_within(last, now, self._every - 1):
                # No daemon: one that is killed in the middle of a query may take the process's end with it.
                # None can be started when the interpreter ends, and where the system has too many.
                with suppress(RuntimeError):
                    Thread(target=self.look, args=(0,), name="costctl-reconcile").start()
            self._next_look = now + (_AGAIN if self._blind else self._every)
        finally:
            self._looking.release()

    def _looked_lately(self, now: int) -> bool:
        """Not if the clock has moved back since, and the next look seems far away."""
        assert self._every is not None
        return self._next_look - max(self._every, _AGAIN) <= now < self._next_look

    def _looked(self) -> int | None:
        try:
            return looked(self.store)
        except StoreError:
            return None  # the answer itself will say so

    def look(self, patience: float = _PATIENCE) -> bool:
        """Reconcile, or wait ``patience`` seconds for another process that does. Where the ledger cannot be
        read, or the other process does not come to an end and nobody has looked lately, that is said in the
        log, and calls are answered by ``on_failure`` if there was patience for it; then this returns False.
        """
        why = ""
        try:
            if not self._reconcile(patience) and Ledger(self.ledger).exists:
                now = int(self.clock() * _SECOND)
                if not _is_within(self._looked(), now, _STALE):
                    why = "another process is at it"
        except Exception as error:  # whatever it is, no call of the application fails by it
            why = str(error)
        if why:
            _log.warning("the ledger cannot be looked at: %s", why)
            if patience:
                self._blind = f"what was spent cannot be looked up: {why}"
            return False
        self._blind = ""
        return True

    # --- labels and days ----------------------------------------------------------------------------------

    def _of_call(self, labels: Mapping[str, Any]) -> tuple[Account, ...]:
        call = self.labels | call_of(**labels) if labels else self.labels
        tags = call.get("tags") or {}
        key = (*((name, value) for name, value in call.items() if name != "tags"), *sorted(tags.items()))
        if key not in self._found:
            if len(self._found) > 10_000:
                self._found.clear()
            self._found[key] = self._accounts.of(call)
        return self._found[key]

    def _day(self, zone: ZoneInfo, now: int) -> int:
        """The number of the day that it is in ``zone``."""
        begins, ends, day = self._days.get(zone.key, (0, 0, 0))
        if not begins <= now < ends:
            begins = now // _MINUTE * _MINUTE
            ends = begins + _MINUTE
            day = datetime.fromtimestamp(now // _SECOND, UTC).astimezone(zone).toordinal()
            self._days[zone.key] = (begins, ends, day)
        return day


def _is_within(last: int | None, now: int, time: int) -> bool:
    """Whether ``last`` was at most ``time`` ago; what the clock has not reached yet was at no time."""
    return last is not None and 0 <= now - last <= time


def _new_id(now: int) -> str:
    """One that comes after the earlier ones: what is written together then stands together."""
    return f"{now:014x}{secrets.token_hex(9)}"


def _id(reservation: str | Admission | None) -> str:
    if isinstance(reservation, Admission):
        return reservation.reservation
    return reservation or ""


def _let_go(tx: Transaction, known: Reservation | None, now: int) -> None:
    if known is not None and known.held and known.ends > now // balance.HOLD_STEP:
        for account, _ in known.places:
            tx.add(account, balance.hold(known.ends), -known.held)


def _pico(name: str, usd: Decimal | int | str) -> int:
    """Whole pico-dollars, the next ones. Raises ValueError."""
    try:
        amount = Fraction(Decimal(usd)) * PICO_PER_USD
    except (ArithmeticError, ValueError):
        raise ValueError(f"{name}: {usd!r} is no amount in USD") from None
    if not 0 <= amount <= MAX_PICO:
        raise ValueError(f"{name}: {usd} is no cost of a call")
    return -(-amount.numerator // amount.denominator)


def _of(settings: config.Settings | None) -> config.Settings:
    assert settings is not None
    return settings


def _file(given: str | os.PathLike[str] | None, settings: config.Settings | None) -> str | os.PathLike[str]:
    found = given or (settings.budgets if settings else None)
    if found is None:
        raise config.SettingError(
            f"there are no budgets: no {config.BUDGETS_NAME} beside costctl.yaml, or here",
            "name one, as in BudgetThrottler('budgets.yaml')",
        )
    return found
