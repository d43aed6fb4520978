"""An agent's calls under a budget: asked for before, logged and settled afterwards."""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

from costctl.sdk.admission import Admission, Refusal
from costctl.sdk.clients import may_be_billed
from costctl.sdk.labels import Labels
from costctl.sdk.usage import UNKNOWN_COUNTS, Answer, Call, Counts, UsageError

if TYPE_CHECKING:
    from costctl.sdk.record import CallRecord
    from costctl.sdk.throttler import BudgetThrottler
    from costctl.sdk.tracker import CostTracker

__all__ = ["BudgetAwareAgent", "BudgetExceededError", "BudgetedCall"]

T = TypeVar("T")

_log = logging.getLogger("costctl.sdk")

_PARAMETERS = {"user": "user_id", "team": "team_id", "project": "project_id", "agent": "agent_id"}
"""What the tracker calls a label."""


class BudgetExceededError(Exception):
    """A call that may not be made now. ``reason`` says why; ``refusal`` in a word, as
    :class:`costctl.sdk.Admission` has it."""

    def __init__(self, reason: str, refusal: Refusal = "exceeded") -> None:
        super().__init__(reason)
        self.reason = reason
        self.refusal = refusal


@dataclass
class BudgetedCall:
    """A call that was allowed, to be made with ``model``; ``reason`` says why it is another one than asked
    for, "" if it is not. Give its answer to :meth:`answered`; ``record`` is then what was logged."""

    model: str
    reason: str = ""
    record: CallRecord | None = None
    _answers: list[object] = field(default_factory=list)

    def answered(self, response: object) -> None:
        """Take the vendor's answer, of its SDK or as a mapping."""
        self._answers.append(response)


class BudgetAwareAgent(Generic[T]):
    """Makes calls by ``send(model, …)``, which returns the vendor's answer, if their budgets allow it.

    ``throttler`` is asked before each call, with its own labels and ``model``; ``tracker`` logs the call
    afterwards, a failed one too, with its tokens, cached ones included, and its latency. Where ``model`` is
    refused, ``cheaper_model`` is used instead, if there is one: it passes the slowing of a critical budget,
    never a budget that is used up for it too. ``estimate`` is what a call may cost in USD, by default the
    usual cost.
    """

    def __init__(
        self,
        send: Callable[..., T],
        *,
        throttler: BudgetThrottler,
        tracker: CostTracker,
        model: str,
        cheaper_model: str | None = None,
        estimate: Decimal | int | str | None = None,
    ) -> None:
        self.send = send
        self.throttler = throttler
        self.tracker = tracker
        self.model = model
        self.cheaper_model = cheaper_model
        self.estimate = estimate

    def call(self, *arguments: Any, **options: Any) -> T:
        """The answer of ``send(model, *arguments, **options)``. Raises :class:`BudgetExceededError`, and what
        ``send`` raises."""
        with self.asking() as call:
            response = self.send(call.model, *arguments, **options)
            call.answered(response)
        return response

    async def acall(self, *arguments: Any, **options: Any) -> Any:
        """As :meth:`call`, for a ``send`` that is a coroutine."""
        with self.asking() as call:
            response = await cast("Awaitable[Any]", self.send(call.model, *arguments, **options))
            call.answered(response)
        return response

    @contextmanager
    def asking(self) -> Iterator[BudgetedCall]:
        """Ask for one call that is made in the ``with`` block; log and settle it at the block's end. Raises
        :class:`BudgetExceededError` before the block."""
        admission, call = self._ask()
        begun = time.monotonic()
        try:
            yield call
        except BaseException as error:
            self._log(admission, call, begun, error)
            raise
        self._log(admission, call, begun)

    def _ask(self) -> tuple[Admission, BudgetedCall]:
        ask = self.throttler.should_allow_request
        first = ask(estimate=self.estimate, model=self.model)
        if first.allowed:
            return first, BudgetedCall(self.model)
        if self.cheaper_model is None or first.refusal == "unknown":
            raise BudgetExceededError(first.reason, first.refusal)
        second = ask(first.reservation, estimate=self.estimate, model=self.cheaper_model, ignore_slowing=True)
        if not second.allowed:
            raise BudgetExceededError(second.reason, second.refusal)
        return second, BudgetedCall(self.cheaper_model, first.reason)

    def _log(
        self, admission: Admission, call: BudgetedCall, begun: float, error: BaseException | None = None
    ) -> None:
        """Log a call and count its cost. The call has been made: what goes wrong here is not raised."""
        try:
            call.record = self._record(call, (time.monotonic() - begun) * 1000, error)
        except Exception:
            _log.exception("a call could not be logged")
            return  # what is held for it stays so for its time
        self.throttler.settle_pico(
            admission, call.record.cost_pico or 0, call=call.record.id, model=call.model
        )

    def _record(self, call: BudgetedCall, latency_ms: float, error: BaseException | None) -> CallRecord:
        labels = {_PARAMETERS.get(name, name): value for name, value in self.throttler.labels.items()}
        labels.pop("model", None)
        if call._answers:
            try:
                return self.tracker.log_response(call._answers[-1], latency_ms=latency_ms, **labels)
            except UsageError as fault:
                _log.warning("a call is unpriced, for its answer's usage cannot be read: %s", fault)
                counts, why = UNKNOWN_COUNTS, None
        else:
            counts = UNKNOWN_COUNTS if error is not None and may_be_billed(error) else Counts()
            why = "no_answer" if error is None else type(error).__name__
        answer = Answer(None, labels.pop("provider", None), (Call(call.model, counts),), why)
        return self.tracker.log_answer(answer, Labels(**labels), success=why is None, latency_ms=latency_ms)
