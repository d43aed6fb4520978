"""A budget of 100 watched over time: what each run sees, and what the receivers get.

Time is in hours since 2024-09-01 00:00 UTC; September has 30 days, so that hour 720 begins October. Money is
in whole dollars.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

from costctl.budgets import memory, outbox, record
from costctl.budgets.channels import Sent
from costctl.budgets.message import Message
from costctl.budgets.model import Amount, Budget, Budgets, ChannelSettings, Scope, Threshold
from costctl.budgets.silences import Silence
from costctl.budgets.spend import Look, Spent
from costctl.filters import parse
from costctl.money import PICO_PER_USD
from costctl.series import Forecast
from costctl.state import State

BEGINNING = datetime(2024, 9, 1, tzinfo=UTC)
LEDGER = "5f0c8f2e-0000-4000-8000-000000000001"
LETTERS = {"warning": "w", "critical": "c", "exceeded": "x"}
SHARES = (("warning", "0.8"), ("critical", "0.95"), ("exceeded", "1"))
FILE = Path("/etc/costctl/budgets.yaml")


def thresholds(*bases: str) -> tuple[Threshold, ...]:
    return tuple(
        Threshold(name, rank, Decimal(share), basis="forecast" if basis == "forecast" else "actual")
        for basis in bases
        for rank, (name, share) in enumerate(SHARES)
    )


def seconds(hours: float) -> int:
    return int((BEGINNING + timedelta(hours=hours)).timestamp())


def month(moment: datetime) -> tuple[datetime, datetime]:
    start = moment.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    return start, (start + timedelta(days=32)).replace(day=1)


@dataclass(frozen=True)
class Run:
    """One run of check: the ``hour``, what was ``spent`` in that month, and what else was different."""

    hour: float
    spent: int
    old: int | None = None
    """What was spent in the month before, where it is looked at."""
    forecast: int | None = None
    amount: int = 100
    other: int | None = None
    """What was spent of a second budget, c, also of 100."""
    commit: int = 1
    down: frozenset[str] = frozenset()
    """Channels that answer with an error."""
    without_state: bool = False
    """The state's file is lost before this run."""


@dataclass
class World:
    """Runs of check on one state. ``received`` is each message that a channel took, ``attempts`` counts all
    that were made."""

    path: Path
    budget: Budget
    channels: dict[str, ChannelSettings] = field(
        default_factory=lambda: {"web": ChannelSettings("web", "webhook")}
    )
    received: list[tuple[str, Message]] = field(default_factory=list)
    attempts: int = 0
    said: list[str] = field(default_factory=list)

    @classmethod
    def make(
        cls,
        directory: Path,
        *,
        bases: tuple[str, ...] = ("actual",),
        channels: Mapping[str, Mapping[str, object]] | None = None,
        send_resolved: bool = False,
        repeat_hours: int | None = None,
        told: tuple[str, ...] | None = None,
    ) -> World:
        directory.chmod(0o700)
        settings = {
            name: ChannelSettings(name, "webhook", dict(values))
            for name, values in (channels or {"web": {}}).items()
        }
        budget = Budget(
            name="b",
            scope=Scope(),
            thresholds=thresholds(*bases),
            channels=tuple(settings) if told is None else told,
            repeat_interval=timedelta(hours=repeat_hours) if repeat_hours else None,
            send_resolved=send_resolved,
        )
        return cls(directory / "state.sqlite", budget, settings)

    def open(self) -> State:
        return State(self.path, memory.PART, durable=False)  # no power is cut in a test

    def silence(self, hours: float) -> None:
        """Nobody is to hear of the budget for the first ``hours``."""
        silence = Silence(0, (parse("budget=b", ("budget",)),), seconds(-1), seconds(hours))
        with self.open() as state, state.transaction() as connection:
            memory.silence(connection, silence)

    def look(self, run: Run) -> tuple[Look, Budgets]:
        """What a run sees, and the file as it is then."""
        now = BEGINNING + timedelta(hours=run.hour)
        budgets = [replace(self.budget, amounts=(Amount("month", run.amount * PICO_PER_USD),))]
        spent = [_spent(budgets[0], now, run.spent, run)]
        if run.old is not None:
            last = month(now)[0] - timedelta(days=1)
            spent.append(replace(_spent(budgets[0], last, run.old, run), late=True, forecast=None))
        if run.other is not None:
            other = replace(budgets[0], name="c")
            budgets.append(other)
            spent.append(_spent(other, now, run.other, run))
        look = Look(LEDGER, run.commit, None, None, now, tuple(spent))
        return look, Budgets(FILE, tuple(budgets), self.channels)

    def record(self, state: State, run: Run) -> record.Recorded:
        look, budgets = self.look(run)
        done = record.record(state, look, budgets, zone=ZoneInfo("UTC"), now=seconds(run.hour))
        self.said += done.said
        return done

    def deliver(self, state: State, run: Run) -> None:
        def send(channel: ChannelSettings, message: Message, _: float) -> Sent:
            self.attempts += 1
            if channel.name in run.down:
                return Sent(False, "HTTP 503")
            self.received.append((channel.name, message))
            return Sent(True, "HTTP 200")

        done = outbox.deliver(
            state, self.channels, send, file=str(FILE), now=seconds(run.hour), clock=lambda: 0.0
        )
        self.said += done.said

    def run(self, run: Run) -> str:
        """One run of check; what was received in it, as in ``fire x`` or ``mail: fire w``."""
        if run.without_state:
            for each in self.path.parent.glob("state.sqlite*"):
                each.unlink()
        before = len(self.received)
        with self.open() as state:
            self.record(state, run)
            self.deliver(state, run)
        return "; ".join(self.words(*each) for each in self.received[before:])

    def words(self, channel: str, message: Message) -> str:
        """A message in short."""
        events = [
            f"{item.event} {LETTERS[item.threshold]}"
            + (" forecast" if item.basis == "forecast" and "actual" in self.bases else "")
            + (" late" if item.late else "")
            + (f" of {item.budget}" if item.budget != "b" else "")
            for item in message.items
        ]
        return ("" if list(self.channels) == ["web"] else f"{channel}: ") + ", ".join(events)

    @property
    def bases(self) -> set[str]:
        return {threshold.basis for threshold in self.budget.thresholds}


def _spent(budget: Budget, moment: datetime, dollars: int, run: Run) -> Spent:
    start, end = month(moment)
    forecast = None
    if run.forecast is not None:
        value = run.forecast * PICO_PER_USD
        forecast = Forecast(value, value, value, 14)
    return Spent(
        budget=budget,
        scope_value="",
        kind="month",
        start=start,
        end=end,
        spent_pico=dollars * PICO_PER_USD,
        limit_pico=run.amount * PICO_PER_USD,
        forecast=forecast,
    )
