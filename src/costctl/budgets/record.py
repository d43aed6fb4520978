"""An evaluation written down: states and messages in one transaction, neither without the other."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from zoneinfo import ZoneInfo

from costctl.budgets import alerts, memory, outbox
from costctl.budgets.alerts import DAY, Circumstances, Told
from costctl.budgets.model import Budgets
from costctl.budgets.spend import Look
from costctl.ledger.phases import phase
from costctl.state import State


@dataclass(frozen=True, slots=True)
class Recorded:
    """What an evaluation has changed. ``newer_commit``: nothing, since one of a later state of the ledger is
    known, that of this commit."""

    told: tuple[Told, ...] = ()
    messages: tuple[str, ...] = ()
    """Ids of those that were put into the outbox."""
    said: list[str] = field(default_factory=list)
    """Sentences about what was unusual."""
    newer_commit: int | None = None


def record(
    state: State,
    look: Look,
    budgets: Budgets,
    *,
    zone: ZoneInfo,
    now: int,
    restored_from: int | None = None,
    is_current: Callable[[], bool] = lambda: True,
) -> Recorded:
    """Evaluate ``look`` as at ``now`` (seconds) and keep what follows. ``zone`` is that of budgets that name
    none.

    A look at an older state of the ledger than the last one changes nothing: it might take back an alert
    that holds. ``restored_from`` is a commit that was known before the look began: a ledger that is behind
    it was put back, and is believed. ``is_current`` tells, once nobody else can record, whether the
    budgets.yaml is still the one that was read.
    """
    file = str(budgets.path.absolute())
    said: list[str] = []
    with state.transaction() as connection:
        meta = memory.meta(connection)
        latest, commit = int(meta.get("now", now)), int(meta.get("commit", -1))
        if meta.get("ledger_id") == look.ledger_id and look.commit < commit:
            if commit != restored_from:
                return Recorded(newer_commit=commit)
            said.append(f"the ledger was put back from its commit {commit} to {look.commit}")
        if not is_current():
            return Recorded(said=[f"{file} was changed meanwhile: it is evaluated by the next run"])
        if now < latest - DAY:
            gone = memory.rewind(connection, now)
            said.append(
                f"the clock went back by {(latest - now) // 3600} hours: {gone} alerts were forgotten"
            )
            latest = now
        latest = max(now, latest)
        since = min((int(spent.start.timestamp()) for spent in look.spent), default=now)
        at = Circumstances(
            file=file,
            ledger_id=look.ledger_id,
            zone=zone,
            now=now,
            latest=latest,
            silences=memory.silences(connection),
            pending=outbox.pending_events(connection, file),
        )
        step = alerts.step(memory.alerts(connection, file, since), look.spent, budgets.budgets, at)
        memory.keep(connection, step.alerts)
        messages = outbox.put(connection, step.told, file, latest)
        seen = {"now": latest, "ledger_id": look.ledger_id, "commit": look.commit}
        memory.remember(connection, seen | ({file: look.as_of} if look.as_of else {}))
        memory.prune(connection, latest)
        phase("record")
    phase("recorded")
    return Recorded(step.told, tuple(messages), said)
