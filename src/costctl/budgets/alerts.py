"""Who is told what, and when: the states of alerts, as pure functions of what is known and what is seen.

An alert is one threshold of one scope value of a budget in one period. It has no row while it is quiet. It
fires when its limit is reached, is resolved when the spend is below it again, and is closed for good when its
period is over. Of the thresholds of a period only the highest speaks; those below are covered by it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Literal, NamedTuple
from zoneinfo import ZoneInfo

from costctl.budgets.message import Event, Item
from costctl.budgets.model import Basis, Budget, is_rolling
from costctl.budgets.silences import Silence, silenced_by
from costctl.budgets.spend import Spent
from costctl.periods import zone as zone_named

DAY = 86_400
"""Seconds. A clock that went back by more is believed; a smaller step is taken for a mended clock."""

SAID: frozenset[Event | None] = frozenset({"fire", "repeat"})
"""What was said last where the reader believes that a limit is reached."""


class Group(NamedTuple):
    """The thresholds that speak with one voice. ``budget`` is the name under which its alerts are known,
    ``period`` the local date on which the period began, so that another zone makes no new alert."""

    budget: str
    scope: str
    kind: str
    period: str


class Key(NamedTuple):
    """What makes an alert this one: its threshold's name, not its amount, so that edits make no new one."""

    budget: str
    scope: str
    kind: str
    period: str
    threshold: str
    basis: Basis

    @property
    def group(self) -> Group:
        return Group(self.budget, self.scope, self.kind, self.period)


@dataclass(frozen=True, slots=True)
class Alert:
    """What is known of an alert. Times in seconds since 1970 (UTC), money in pico-dollars."""

    key: Key
    file: str
    """The budgets.yaml of its budget."""
    start: int
    end: int
    """Of its period, as last seen."""
    limit: int
    """Where the threshold lay when last seen; ``amount`` is the budget's, None where it had none."""
    amount: int | None
    value: int
    """What was last seen of what the threshold looks at: the spend or its forecast."""
    spent: int
    fired_at: int
    fired_limit: int
    """The highest limit for which it has fired."""
    state: Literal["firing", "resolved", "closed"] = "firing"
    late: bool = False
    """Its period was over when it fired."""
    owed: Event | None = "fire"
    """What has still to be put into the outbox."""
    told: Event | None = None
    """What was last put there in this episode. None: nothing, because a higher one speaks or it is
    silenced."""
    notified_at: int | None = None
    repeats: int = 0
    episode: int = 0
    """How often it has fired anew, after the reader was told that it was over or the amount was raised."""
    reason: str = ""
    silenced_by: int | None = None

    @property
    def order(self) -> tuple[int, bool]:
        """The higher limit speaks for the lower; of equal ones, the spend for its forecast."""
        return self.limit, self.key.basis == "actual"


@dataclass(frozen=True, slots=True)
class Told:
    """An event and the channels that are to hear of it."""

    item: Item
    channels: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Step:
    """What one evaluation changes: alerts that are new or other than they were, and what is to be said."""

    alerts: tuple[Alert, ...]
    told: tuple[Told, ...]


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What an evaluation stands in. ``now`` is its clock; ``latest`` the latest time that any had, which is
    ahead of ``now`` where the clock has gone back (both in seconds). ``zone`` is that of budgets without one.
    ``pending`` are the events in messages that were not sent yet."""

    file: str
    ledger_id: str
    zone: ZoneInfo
    now: int
    latest: int
    silences: tuple[Silence, ...] = ()
    pending: Collection[str] = frozenset()

    @property
    def is_behind(self) -> bool:
        return self.now < self.latest

    def zone_of(self, budget: Budget) -> ZoneInfo:
        return zone_named(budget.zone) if budget.zone else self.zone


def known_as(budget: Budget) -> str:
    """The name under which the alerts of ``budget`` are known: a former one, where it names one."""
    return budget.formerly or budget.name


def is_unknown(spent: Spent) -> bool:
    """Whether calls without a price leave open what was spent, by the budget's own word."""
    return spent.budget.on_unpriced == "unknown" and spent.unpriced_calls > 0


def event_id(ledger_id: str, alert: Alert, event: Event) -> str:
    """The id of an event: the same whenever and wherever it is made, so that a receiver can drop repeats even
    after the state was lost. No clock, no chance, and no amount but the one that it has fired for."""
    parts = (
        "alert1",
        ledger_id,
        *alert.key,
        event,
        str(alert.fired_limit),
        str(alert.repeats),
        str(alert.episode),
    )
    return digest(parts)


def digest(parts: Iterable[str]) -> str:
    """The first 32 hexadecimal digits of the SHA-256 over ``parts``."""
    return hashlib.sha256("\x1f".join(parts).encode("utf-8", "surrogatepass")).hexdigest()[:32]


def step(known: Iterable[Alert], look: Sequence[Spent], budgets: Sequence[Budget], at: Circumstances) -> Step:
    """One evaluation. ``known`` are all alerts of the file that are not closed, and the closed ones of the
    periods in ``look``; ``look`` is what was spent of ``budgets``."""
    before = {alert.key: alert for alert in known}
    alerts = dict(before)
    seen = _evaluate(alerts, look, at)
    _close(alerts, seen, budgets, at)
    told = _speak(alerts, seen, budgets, at)
    changed = tuple(alert for key, alert in alerts.items() if alert != before.get(key))
    return Step(changed, tuple(told))


# --- what the spend says ----------------------------------------------------------------------------------


def _evaluate(alerts: dict[Key, Alert], look: Sequence[Spent], at: Circumstances) -> dict[Group, Spent]:
    """Move the alerts of every period in ``look``, and return the periods by group."""
    firing = _firing_periods(alerts.values())
    said: dict[Group, tuple[int, bool]] = {}
    for alert in alerts.values():
        if alert.told in SAID:
            said[alert.key.group] = max(alert.order, said.get(alert.key.group, alert.order))
    seen: dict[Group, Spent] = {}
    for spent in look:
        if spent.late and spent.is_rolling:
            continue
        group = _group(spent, firing, at)
        seen[group] = spent
        for fresh in _reached(spent, group, at):
            if is_unknown(spent) and (fresh.key.basis == "forecast" or fresh.value < fresh.limit):
                continue  # what is known is a lower bound: it can reach a limit, and cannot stay below one
            moved = _moved(alerts.get(fresh.key), fresh, spent, said.get(group), at)
            if moved is not None:
                alerts[fresh.key] = moved
    return seen


def _firing_periods(alerts: Iterable[Alert]) -> dict[tuple[str, str, str], str]:
    """The period in which a rolling budget fires: the days move on, the alert stays the same."""
    return {
        (a.key.budget, a.key.scope, a.key.kind): a.key.period
        for a in alerts
        if a.state == "firing" and is_rolling(a.key.kind)
    }


def _group(spent: Spent, firing: Mapping[tuple[str, str, str], str], at: Circumstances) -> Group:
    name = (known_as(spent.budget), spent.scope_value, spent.kind)
    began = spent.start.astimezone(at.zone_of(spent.budget)).date().isoformat()
    return Group(*name, firing.get(name, began))


def _reached(spent: Spent, group: Group, at: Circumstances) -> Iterable[Alert]:
    """For each threshold that can be looked at, the alert that it is if it fires for the first time now."""
    for threshold in spent.budget.thresholds:
        limit, value = spent.threshold_pico(threshold), spent.reached_pico(threshold)
        if limit is None or value is None:
            continue
        yield Alert(
            key=Key(*group, threshold.name, threshold.basis),
            file=at.file,
            start=int(spent.start.timestamp()),
            end=int(spent.end.timestamp()),
            limit=limit,
            amount=spent.limit_pico,
            value=value,
            spent=spent.spent_pico,
            fired_at=at.latest,
            fired_limit=limit,
        )


def _moved(
    old: Alert | None, fresh: Alert, spent: Spent, above: tuple[int, bool] | None, at: Circumstances
) -> Alert | None:
    """``old`` as what is seen makes it. ``above`` is the highest that was said in its group and never taken
    back."""
    reached = fresh.value >= fresh.limit
    if old is None:
        if not reached:
            return None
        return replace(fresh, state="closed", late=True) if spent.late else fresh
    if old.state == "closed":
        if old.reason != "removed" or spent.late:
            return old
        old = replace(old, state="firing", reason="")  # it was taken out of the file and is there again
    now = replace(
        old,
        start=old.start if spent.is_rolling else fresh.start,
        end=fresh.end,
        limit=fresh.limit,
        amount=fresh.amount,
        value=fresh.value,
        spent=fresh.spent,
    )
    if not reached:
        return _fallen(old, now, spent)
    raised = fresh.limit > old.fired_limit and old.value < fresh.limit
    withdrawn = old.state == "resolved" and (old.told == "resolve" or spent.is_rolling)
    unheard = old.state == "resolved" and old.told is None and (above is None or above < now.order)
    if raised or withdrawn:
        now = replace(now, episode=old.episode + 1, repeats=0, told=None, fired_at=at.latest)
        now = replace(now, fired_limit=max(old.fired_limit, fresh.limit))
    if not (raised or withdrawn or unheard):
        owed = None if old.owed == "resolve" else old.owed
        return replace(now, state="firing", owed=owed, reason="")
    if spent.late:
        return replace(now, state="closed", late=True, owed="fire")
    return replace(now, state="firing", owed="fire", reason="")


def _fallen(old: Alert, now: Alert, spent: Spent) -> Alert:
    """Below the limit: forecasts and rolling sums that play about it are left alone up to 5 % below."""
    plays = old.key.basis == "forecast" or spent.is_rolling
    if old.state != "firing" or (plays and now.value * 100 >= now.limit * 95):
        return now
    owed: Event | None = "resolve" if spent.budget.send_resolved and old.told in SAID else None
    edited = now.value >= old.limit  # the limit moved, not the spend
    return replace(now, state="resolved", owed=owed, reason="edited" if edited else "below")


# --- what ends --------------------------------------------------------------------------------------------


def _close(
    alerts: dict[Key, Alert], seen: Mapping[Group, Spent], budgets: Sequence[Budget], at: Circumstances
) -> None:
    """Close what is over: its period, or its threshold's place in the file."""
    watched = {
        (known_as(budget), kind, threshold.name, threshold.basis): budget
        for budget in budgets
        for kind in budget.kinds
        for threshold in budget.thresholds
    }
    speaks_late = {alert.key.group for alert in alerts.values() if alert.late and alert.owed == "fire"}
    ended: dict[Group, list[Alert]] = {}
    for key, alert in list(alerts.items()):
        if alert.state == "closed":
            continue
        budget = watched.get((key.budget, key.kind, key.threshold, key.basis))
        if budget is None:
            alerts[key] = replace(alert, state="closed", reason="removed", owed=None)
        elif not is_rolling(key.kind) and alert.end <= at.latest:
            if not at.is_behind:
                owes = alert.owed if alert.owed == "resolve" else None
                alerts[key] = replace(alert, state="closed", owed=owes)
                speaks = alert.state == "firing" and alert.told in SAID and budget.send_resolved
                if speaks and key.group not in speaks_late:
                    ended.setdefault(key.group, []).append(alerts[key])
        elif key.group not in seen:
            alerts[key] = _vanished(alert, budget)
    for group in ended.values():
        speaker = max(group, key=lambda each: each.order)
        for alert in group:
            if alert is speaker:
                alerts[alert.key] = replace(alert, owed="resolve", reason="new period")
            else:
                alerts[alert.key] = replace(alert, told="resolve", reason="new period")


def _vanished(alert: Alert, budget: Budget) -> Alert:
    """An alert of a period that has no calls any more; of rolling days, of which another one is over."""
    if alert.state == "firing":
        owed: Event | None = "resolve" if budget.send_resolved and alert.told in SAID else None
        alert = replace(alert, state="resolved", value=0, spent=0, owed=owed, reason="below")
    return replace(alert, state="closed") if is_rolling(alert.key.kind) else alert


# --- what is said -----------------------------------------------------------------------------------------


def _speak(
    alerts: dict[Key, Alert], seen: Mapping[Group, Spent], budgets: Sequence[Budget], at: Circumstances
) -> list[Told]:
    """Say what is owed, and repeat what is due; mark in ``alerts`` what was said."""
    by_name = {known_as(budget): budget for budget in budgets}
    groups: dict[Group, list[Alert]] = {}
    for alert in alerts.values():
        if alert.key.budget in by_name:
            groups.setdefault(alert.key.group, []).append(alert)
    told: list[Told] = []
    for group, members in groups.items():
        budget, spent = by_name[group.budget], seen.get(group)
        events: list[Alert] = []
        _fire(alerts, members, budget, at, events)
        for alert in members:
            if alert.owed == "resolve":
                if not budget.channels:
                    alerts[alert.key] = replace(alert, owed=None)
                elif silenced_by(at.silences, budget.name, alert.key, at.now) is None:
                    alerts[alert.key] = replace(alert, owed=None, told="resolve", notified_at=at.latest)
                    events.append(alerts[alert.key])
        if spent and not spent.late and not is_unknown(spent) and not at.is_behind:
            _repeat(alerts, members, budget, at, events)
        told += [Told(_item(each, budget, spent, at), budget.channels) for each in events]
    return told


def _fire(
    alerts: dict[Key, Alert],
    members: Iterable[Alert],
    budget: Budget,
    at: Circumstances,
    events: list[Alert],
) -> None:
    """The highest that owes a word says it, unless a higher one has; those below it are covered."""
    lit = [alert for alert in members if alert.state == "firing" or alert.late]
    said = max((alert.order for alert in lit if alert.told in SAID), default=None)
    for alert in sorted(lit, key=lambda each: each.order, reverse=True):
        if alert.owed != "fire":
            continue
        if not budget.channels:  # nobody hears; who is named while it fires, does
            alerts[alert.key] = replace(alert, owed=None if alert.late else "fire")
            continue
        silence = silenced_by(at.silences, budget.name, alert.key, at.now)
        if silence is not None:
            alerts[alert.key] = replace(alert, silenced_by=silence.id)
        elif said is not None and alert.order < said:
            alerts[alert.key] = replace(alert, owed=None, silenced_by=None)
        else:
            said = alert.order
            alerts[alert.key] = replace(
                alert, owed=None, told="fire", notified_at=at.latest, silenced_by=None
            )
            events.append(alerts[alert.key])


def _repeat(
    alerts: dict[Key, Alert],
    members: Iterable[Alert],
    budget: Budget,
    at: Circumstances,
    events: list[Alert],
) -> None:
    """Say again what still holds, once the interval is over and the last word has reached its channels."""
    told = [a for a in (alerts[each.key] for each in members) if a.state == "firing" and a.told in SAID]
    if budget.repeat_interval is None or not budget.channels or not told:
        return
    alert = max(told, key=lambda each: each.order)
    assert alert.told is not None
    assert alert.notified_at is not None
    if (
        at.latest - alert.notified_at >= budget.repeat_interval.total_seconds()
        and event_id(at.ledger_id, alert, alert.told) not in at.pending
        and silenced_by(at.silences, budget.name, alert.key, at.now) is None
    ):
        alerts[alert.key] = replace(alert, told="repeat", repeats=alert.repeats + 1, notified_at=at.latest)
        events.append(alerts[alert.key])


def _item(alert: Alert, budget: Budget, spent: Spent | None, at: Circumstances) -> Item:
    """What is said of ``alert``, which has just been told."""
    assert alert.told is not None
    zone = at.zone_of(budget)
    start, end = (datetime.fromtimestamp(each, UTC).astimezone(zone) for each in (alert.start, alert.end))
    return Item(
        event_id=event_id(at.ledger_id, alert, alert.told),
        event=alert.told,
        budget=budget.name,
        scope=alert.key.scope,
        kind=alert.key.kind,
        period_start=spent.start.astimezone(zone) if spent else start,
        period_end=spent.end.astimezone(zone) if spent else end,
        threshold=alert.key.threshold,
        basis=alert.key.basis,
        spent_pico=spent.spent_pico if spent else alert.spent,
        limit_pico=alert.amount,
        threshold_pico=alert.limit,
        forecast_pico=spent.forecast.value if spent and spent.forecast else None,
        late=alert.late,
        unpriced=spent.unpriced_calls if spent else 0,
        reason=alert.reason if alert.told == "resolve" else "",
    )
