"""``budgets check``: look, record, deliver; and one line with an exit code for whoever watches.

Exit codes and the line are those of the monitoring plugins: 0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN. They
speak of budgets alone: a channel that is down, or a silence, changes neither.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from costctl.budgets import memory, outbox
from costctl.budgets.alerts import is_unknown
from costctl.budgets.message import Message
from costctl.budgets.model import Budgets, ChannelSettings
from costctl.budgets.record import Recorded, record
from costctl.budgets.silences import Silence
from costctl.budgets.spend import Look, Spent, look
from costctl.ledger.phases import phase
from costctl.money import rounded, share
from costctl.report import Column, Report
from costctl.state import State

if TYPE_CHECKING:
    from costctl.currency import Rates
    from costctl.ledger import Ledger

OK, WARNING, CRITICAL, UNKNOWN = range(4)
WORDS = ("OK", "WARNING", "CRITICAL", "UNKNOWN")
_BY_WEIGHT = (OK, WARNING, UNKNOWN, CRITICAL)
"""Of several the last one counts: what is certain and bad comes before what is not known."""

MOST_NAMED = 3
"""Budgets that the line names."""
MOST_MEASURED = 50
"""Budgets that have a value in the line's performance data: monitors cut a line at 4 or 8 kB."""

COLUMNS = (
    Column("budget", "text"),
    Column("scope", "text"),
    Column("period", "text"),
    Column("start", "time", wide=True),
    Column("status", "text"),
    Column("spent", "money"),
    Column("amount", "money"),
    Column("share", "percent"),
    Column("threshold", "text"),
    Column("unpriced_calls", "count", wide=True),
    Column("silenced_until", "time", wide=True),
)
FIGURES = (
    Column("status", "text"),
    Column("exit_code", "count"),
    Column("line", "text"),
    Column("data_age", "number", "s"),
    Column("alerts", "count"),
    Column("delivered", "count"),
    Column("undelivered", "count"),
)


@dataclass(frozen=True)
class Checked:
    """What a check found. ``line`` is the plugin's; names in it are still to be made printable.
    ``said`` are sentences for standard error; ``is_news``: something was told, has failed or is not known."""

    code: int
    line: str
    report: Report
    said: tuple[str, ...]
    is_news: bool


@dataclass
class _Run:
    """A check as it goes."""

    look: Look
    recorded: Recorded = field(default_factory=Recorded)
    unknown: str = ""
    """Why nothing can be said of any budget."""


def check(
    ledger: Ledger,
    state: State,
    budgets: Budgets,
    now: datetime,
    *,
    zone: ZoneInfo,
    max_age: timedelta | None = None,
    rates: Rates | None = None,
    dry_run: bool = False,
    send: outbox.Send | None = None,
) -> Checked:
    """Check ``budgets`` as at ``now`` (aware), tell what is new, and send what waits.

    ``zone`` is that of budgets that name none. With data older than ``max_age`` every budget is UNKNOWN and
    keeps its state. ``dry_run``: ``state`` is a rehearsal, and nothing is sent. ``send`` is the channels' own
    unless given. Raises :class:`costctl.ledger.LedgerError`, :class:`costctl.state.StateError`,
    :class:`costctl.currency.CurrencyError`.
    """
    moment, file = int(now.timestamp()), str(budgets.path.absolute())

    def deliver() -> outbox.Delivery:
        if dry_run:
            return outbox.Delivery()
        return outbox.deliver(state, budgets.channels, send or _send, file=file, now=moment)

    phase("look")
    before = outbox.undelivered(state)
    try:
        run = _recorded(ledger, state, budgets, now, zone, max_age, rates)
    except Exception:
        deliver()  # a ledger that cannot be read holds back nothing that waits
        raise
    delivery = deliver()
    said = [*run.recorded.said, *delivery.said]
    if dry_run:
        said += _would_be_sent(state, run.recorded.messages, file)
    lost = outbox.given_up(state)
    with state.transaction() as connection:
        silences = tuple(each for each in memory.silences(connection) if each.holds(moment))
    rows = [_row(spent, silences) for spent in run.look.spent if not spent.late]
    code = UNKNOWN if run.unknown else max((each.level for each in rows), key=_BY_WEIGHT.index, default=OK)
    age = _age_s(run.look, now)
    undelivered = before if dry_run else outbox.undelivered(state)
    measures = _measures([] if age is None else rows, age, undelivered)
    line = f"COSTCTL {WORDS[code]}: {run.unknown or _summary(rows)} | {measures}"
    report = Report(
        command="budgets check",
        title="Budgets",
        columns=COLUMNS,
        rows=[each.cells for each in rows],
        complete=not any(each.spent.unpriced_calls for each in rows),
        notes=(*said, *lost),
        as_of=run.look.as_of,
        figures={
            "status": WORDS[code],
            "exit_code": code,
            "line": line,
            "data_age": None if age is None else Decimal(age),
            "alerts": len(run.recorded.told),
            "delivered": len(delivery.sent),
            "undelivered": undelivered,
        },
        figure_columns=FIGURES,
    )
    is_news = bool(run.recorded.told or delivery.sent or said or lost or code == UNKNOWN)
    return Checked(code, line, report, (*said, *lost), is_news)


def _recorded(
    ledger: Ledger,
    state: State,
    budgets: Budgets,
    now: datetime,
    zone: ZoneInfo,
    max_age: timedelta | None,
    rates: Rates | None,
) -> _Run:
    """Look at the ledger, and record what follows. A look that another run has overtaken is taken again: if
    the ledger is then still behind what was known before, an older copy of it was put in its place."""
    overtaken_by: int | None = None
    while True:
        with state.transaction() as connection:
            as_of = memory.meta(connection).get(str(budgets.path.absolute()))
        known = datetime.fromisoformat(as_of) if as_of else None
        found = look(ledger, budgets, now, zone, rates=rates, known=known)
        if unknown := _unknown(found, now, max_age):
            return _Run(found, unknown=unknown)
        recorded = record(
            state,
            found,
            budgets,
            zone=zone,
            now=int(now.timestamp()),
            restored_from=overtaken_by,
            is_current=lambda: _is_current(budgets),
        )
        if recorded.newer_commit is None or overtaken_by is not None:
            return _Run(found, recorded)
        overtaken_by = recorded.newer_commit


def _unknown(found: Look, now: datetime, max_age: timedelta | None) -> str:
    """Why nothing is known of what was spent; empty where it is."""
    age = _age_s(found, now)
    if age is None:
        return "the ledger holds no calls"
    if max_age is not None and age > max_age.total_seconds():
        return f"the newest call is {_length(age)} old, more than {_length(int(max_age.total_seconds()))}"
    return ""


def _is_current(budgets: Budgets) -> bool:
    """Whether the file is still the one that was read."""
    try:
        return budgets.path.stat().st_mtime_ns == budgets.mtime_ns
    except OSError:
        return False


def _send(channel: ChannelSettings, message: Message, deadline: float) -> outbox.Attempt:
    from costctl.budgets.channels import send

    return send(channel, message, deadline)


def _would_be_sent(state: State, messages: Sequence[str], file: str) -> list[str]:
    """A sentence for each alert that a run would put into the outbox."""
    from costctl.budgets.channels.words import line
    from costctl.budgets.history import message

    return [
        f"would be sent to {channel}: {line(item)}"
        for msg_id in messages
        for channel, body in state.rows(
            "SELECT channel, body FROM outbox WHERE msg_id = ? AND file = ?", [msg_id, file]
        )
        for item in message(body).items
    ]


# --- what is said -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Row:
    """A budget's current period, as the report and the line tell of it."""

    spent: Spent
    level: int
    threshold: str
    silenced_until: datetime | None

    @property
    def share(self) -> Decimal | None:
        return share(self.spent.spent_pico, self.spent.limit_pico) if self.spent.limit_pico else None

    @property
    def name(self) -> str:
        """Without what would end the line, or begin its performance data."""
        name = " ".join(filter(None, (self.spent.budget.name, self.spent.scope_value, self.spent.kind)))
        return " ".join(name.replace("|", "/").splitlines())

    @property
    def cells(self) -> tuple[int | Decimal | str | None, ...]:
        spent = self.spent
        return (
            spent.budget.name,
            spent.scope_value,
            spent.kind,
            spent.start.isoformat(),
            WORDS[self.level],
            spent.spent_pico,
            spent.limit_pico,
            self.share,
            self.threshold or None,
            spent.unpriced_calls,
            self.silenced_until.isoformat() if self.silenced_until else None,
        )

    @property
    def words(self) -> str:
        """``search month 96.2 % (96.20 of 100.00 USD)``, and what else has to be known of it."""
        spent = self.spent
        least = "at least " if spent.unpriced_calls else ""
        text = f"{self.name} {least}"
        if self.share is None:
            text += f"{rounded(spent.spent_pico)} USD"
        else:
            assert spent.limit_pico is not None
            text += (
                f"{self.share * 100:.1f} % ({rounded(spent.spent_pico)} of {rounded(spent.limit_pico)} USD)"
            )
        if spent.unpriced_calls:
            calls = "1 call" if spent.unpriced_calls == 1 else f"{spent.unpriced_calls} calls"
            text += f", {calls} without a price"
        if self.silenced_until:
            text += f", silenced until {self.silenced_until:%Y-%m-%d %H:%M %Z}"
        return text


def _row(spent: Spent, silences: Sequence[Silence]) -> _Row:
    levels, names = [OK], [""]
    for threshold in spent.budget.thresholds:
        limit, value = spent.threshold_pico(threshold), spent.reached_pico(threshold)
        if limit is not None and value is not None and value >= limit:
            levels.append(CRITICAL if threshold.severity == "critical" else WARNING)
            names.append(threshold.name)
    if spent.unpriced_calls and spent.budget.on_unpriced != "ok":
        levels.append(UNKNOWN if is_unknown(spent) else WARNING)
    ends = [each.ends for each in silences if each.covers(spent.budget.name, spent.scope_value, names[-1])]
    until = datetime.fromtimestamp(max(ends), UTC).astimezone(spent.start.tzinfo) if ends else None
    return _Row(spent, max(levels, key=_BY_WEIGHT.index), names[-1], until)


def _summary(rows: Sequence[_Row]) -> str:
    """``1 critical, 2 warning of 14 budgets; search month 96.2 % (96.20 of 100.00 USD)``."""
    bad = [each for each in rows if each.level != OK]
    bad.sort(key=lambda each: (_BY_WEIGHT.index(each.level), each.share or 0), reverse=True)
    counts = [(sum(each.level == level for each in rows), WORDS[level].lower()) for level in _BY_WEIGHT[::-1]]
    parts = [", ".join(f"{count} {word}" for count, word in counts if count and word != "ok") or "all below"]
    many = "1 budget" if len(rows) == 1 else f"{len(rows)} budgets"
    parts[0] += f" of {many}" if bad else f" their thresholds, {many}"
    parts += [each.words for each in bad[:MOST_NAMED]]
    if len(bad) > MOST_NAMED:
        parts.append(f"and {len(bad) - MOST_NAMED} more")
    return "; ".join(parts)


def _measures(rows: Sequence[_Row], age: int | None, undelivered: int) -> str:
    """Performance data: of each budget what was spent, the range that is no warning and the one that is not
    critical, and the amount; the age of the newest call; and messages that have not arrived."""
    found = []
    for row in rows[:MOST_MEASURED]:
        spent = row.spent
        bounds = {"warning": "", "critical": ""}
        for threshold in reversed(spent.budget.thresholds):
            limit = spent.threshold_pico(threshold)
            if threshold.basis == "actual" and limit is not None:
                bounds[threshold.severity] = str(rounded(limit))
        label = f"{row.name} USD".replace("=", ":").replace("'", "''")
        most = "" if spent.limit_pico is None else str(rounded(spent.limit_pico))
        found.append(
            f"'{label}'={rounded(spent.spent_pico)};{bounds['warning']};{bounds['critical']};0;{most}"
        )
    if age is not None:
        found.append(f"'data_age'={age}s;;;0")
    return " ".join((*found, f"'undelivered'={undelivered};;;0"))


def _age_s(found: Look, now: datetime) -> int | None:
    if found.newest_us is None:
        return None
    return max(0, int(now.timestamp()) - found.newest_us // 1_000_000)


def _length(seconds: int) -> str:
    if seconds < 3600:
        return f"{seconds // 60} min"
    return f"{seconds / 3600:.1f} h" if seconds < 72 * 3600 else f"{seconds // 86400} days"
