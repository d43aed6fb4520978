"""The cost tracker: prices a call when it has been made, and appends it to the call log."""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from costctl import config
from costctl.pricing.price import Usage
from costctl.records import MODES
from costctl.sdk.call_log import CallLog
from costctl.sdk.labels import Labels, current, labelled
from costctl.sdk.prices import CallPrices
from costctl.sdk.record import CallRecord, total
from costctl.sdk.usage import Answer, Call, Counts, UsageError, answer_of, count, counts_of

if TYPE_CHECKING:
    from costctl.ledger import Ledger
    from costctl.pricing.book import PriceBook

Client = TypeVar("Client")

_LONGEST_MS = 366 * 24 * 3_600_000
_EARLIEST, _LATEST = datetime(2000, 1, 1), datetime(2100, 1, 1)


class CostTracker:
    """Logs calls to ``calls``, a directory (by default ``calls`` beside the ledger), and prices them by
    ``prices``, a price book or the path of a ``prices.yaml`` (by default that of the settings).

    ``ledger`` is only read, by :meth:`get_cost_summary`: a Ledger or its path, by default that of the
    settings. One tracker serves any number of threads; a forked process may go on with it.
    """

    def __init__(
        self,
        calls: CallLog | str | os.PathLike[str] | None = None,
        *,
        ledger: Ledger | str | os.PathLike[str] | None = None,
        prices: PriceBook | Path | str | None = None,
    ) -> None:
        if calls is None:
            calls = config.load().db.parent / "calls"
        self.call_log = calls if isinstance(calls, CallLog) else CallLog(calls)
        self.prices = CallPrices(prices)
        self._ledger = ledger

    def log_api_usage(
        self,
        *,
        model: str,
        input_tokens: int | None = None,
        output_tokens: int | None = None,
        cached_tokens: int = 0,
        usage: object | None = None,
        user_id: str | None = None,
        team_id: str | None = None,
        project_id: str | None = None,
        agent_id: str | None = None,
        latency_ms: float | None = None,
        success: bool = True,
        error_type: str | None = None,
        tags: Mapping[str, object] | None = None,
        provider: str | None = None,
        mode: str | None = None,
        timestamp: datetime | None = None,
        id: str | None = None,
    ) -> CallRecord:
        """Log one call and return it with its costs.

        What it used is said in one of two ways. The book's: ``input_tokens``, of which ``cached_tokens`` were
        read from a cache, and ``output_tokens``. Or the vendor's: ``usage``, the usage object or mapping of
        its answer, whatever it includes there. A failed call may say neither: then nothing was billed.

        ``timestamp`` is when the call began (without a zone: UTC), by default ``latency_ms`` ago. ``mode`` is
        the tier that served it (standard, batch, flex, priority, fast), by default what the usage says. A
        call with the ``id`` of another is that one, told again; by default every call has its own.

        A model that no price book knows leaves the call unpriced: its costs are None and ``unpriced_reason``
        says why. Raises ValueError for what no call can have (negative tokens, more cached than input, no
        model) before anything is written, and :class:`costctl.sdk.CallLogError` where the log cannot be
        written.
        """
        if usage is not None:
            if input_tokens is not None or output_tokens is not None or cached_tokens:
                raise UsageError(
                    "usage: beside input_tokens, output_tokens or cached_tokens, which say the same"
                )
            counts = counts_of(usage, model)
        elif input_tokens is None and output_tokens is None and not success:
            counts = Counts()
        else:
            counts = _book_counts(input_tokens, output_tokens, cached_tokens)
        return self.log_answer(
            Answer(id, provider, (Call(model, counts),), error_type),
            Labels(user_id, team_id, project_id, agent_id, tags or {}),
            latency_ms=latency_ms,
            success=success,
            mode=mode,
            timestamp=timestamp,
        )

    def log_response(
        self,
        response: object,
        *,
        user_id: str | None = None,
        team_id: str | None = None,
        project_id: str | None = None,
        agent_id: str | None = None,
        latency_ms: float | None = None,
        tags: Mapping[str, object] | None = None,
        provider: str | None = None,
        timestamp: datetime | None = None,
    ) -> CallRecord:
        """Log a vendor's whole answer, of its SDK or as a mapping: a Message, ChatCompletion or Response.

        Model, usage, tier, searches and id are the answer's own; the rest is as in :meth:`log_api_usage`.
        """
        answer = answer_of(response)
        return self.log_answer(
            Answer(answer.id, provider or answer.provider, answer.calls, answer.error_type),
            Labels(user_id, team_id, project_id, agent_id, tags or {}),
            latency_ms=latency_ms,
            success=answer.error_type is None,
            timestamp=timestamp,
        )

    def labels(
        self,
        *,
        user_id: str | None = None,
        team_id: str | None = None,
        project_id: str | None = None,
        agent_id: str | None = None,
        tags: Mapping[str, object] | None = None,
    ) -> AbstractContextManager[None]:
        """Labels of all calls that are logged in the ``with`` block, in its thread or task, and say no
        others. Raises TypeError and ValueError for what JSON cannot hold."""
        return labelled(Labels(user_id, team_id, project_id, agent_id, tags or {}).checked())

    def wrap(
        self,
        client: Client,
        *,
        user_id: str | None = None,
        team_id: str | None = None,
        project_id: str | None = None,
        agent_id: str | None = None,
        tags: Mapping[str, object] | None = None,
        provider: str | None = None,
        include_usage: bool = False,
        on_record: Callable[[CallRecord], None] | None = None,
    ) -> Client:
        """A client like ``client`` (of ``anthropic`` or ``openai``, sync or async) that logs every call: see
        :func:`costctl.sdk.clients.logged`. Raises TypeError and ValueError for labels that JSON cannot
        hold."""
        from costctl.sdk.clients import logged

        labels = Labels(user_id, team_id, project_id, agent_id, tags or {}).checked()
        return logged(
            client, self, labels, provider=provider, include_usage=include_usage, on_record=on_record
        )

    def get_cost_summary(
        self, dimension: str, dimension_id: str | None, start: datetime, end: datetime
    ) -> dict[str, Any]:
        """What the calls of one ``team``, ``project``, ``user``… cost in ``[start, end)``, from the ledger:
        calls that ``costctl ingest`` has not read yet are not in it. See
        :func:`costctl.analysis.cost_summary`."""
        from costctl.analysis.costs import cost_summary
        from costctl.ledger import Ledger

        ledger = self._ledger
        if not isinstance(ledger, Ledger):
            ledger = Ledger(config.load().db if ledger is None else ledger)
        return cost_summary(ledger, dimension, dimension_id, start, end)

    def log_answer(
        self,
        answer: Answer,
        labels: Labels,
        *,
        success: bool,
        latency_ms: float | None = None,
        mode: str | None = None,
        timestamp: datetime | None = None,
    ) -> CallRecord:
        """Log what :mod:`costctl.sdk.usage` has read of an answer, further calls of it included."""
        labels = labels.over(current())
        if mode is not None and mode not in MODES:
            raise UsageError(f"mode: {mode!r} is none of {', '.join(MODES)}")
        latency = None if latency_ms is None else _milliseconds(latency_ms)
        began = _began(timestamp, latency)
        id = answer.id or uuid.uuid4().hex
        records = []
        for call in answer.calls:
            counts, model = call.counts, call.model
            if not isinstance(model, str) or not model:
                raise UsageError("model: missing")
            usage = Usage(
                ts=began,
                mode=mode or counts.mode,
                region=counts.region,
                input_tokens=counts.input_tokens,
                cache_read_tokens=counts.cache_read_tokens,
                cache_write_5m_tokens=counts.cache_write_5m_tokens,
                cache_write_1h_tokens=counts.cache_write_1h_tokens,
                output_tokens=counts.output_tokens,
                reasoning_tokens=counts.reasoning_tokens,
                other_units=counts.other_units,
            )
            price = self.prices.price(answer.provider, model, usage)
            record = CallRecord(
                id=id + call.suffix,
                provider=answer.provider,
                model=model,
                user_id=labels.user_id,
                team_id=labels.team_id,
                project_id=labels.project_id,
                agent_id=labels.agent_id,
                tags=labels.tags,
                usage=usage,
                latency_ms=None if call.suffix else latency,
                success=success,
                error_type=answer.error_type,
                input_pico=price.input,
                output_pico=price.output,
                cost_pico=price.cost,
                unpriced_reason=price.reason,
            )
            self.call_log.append(record.line())
            records.append(record)
        own, *further = records
        return own if not further else _with(own, tuple(further))


def _with(own: CallRecord, further: tuple[CallRecord, ...]) -> CallRecord:
    every = (own, *further)
    reason = next((each.unpriced_reason for each in every if each.unpriced_reason), None)
    return replace(
        own,
        cost_pico=total(each.cost_pico for each in every),
        unpriced_reason=reason,
        further=further,
    )


def _book_counts(input_tokens: int | None, output_tokens: int | None, cached_tokens: int) -> Counts:
    if input_tokens is None or output_tokens is None:
        raise UsageError("input_tokens and output_tokens, or usage: missing")
    whole, cached = count("input_tokens", input_tokens), count("cached_tokens", cached_tokens)
    if cached > whole:
        raise UsageError(f"cached_tokens: {cached} is more than input_tokens, {whole}, which include them")
    return Counts(whole - cached, cached, output_tokens=count("output_tokens", output_tokens))


def _milliseconds(value: float) -> int:
    if not 0 <= value <= _LONGEST_MS:
        raise UsageError(f"latency_ms: {value!r} is no duration")
    return round(value)


def _began(timestamp: datetime | None, latency_ms: int | None) -> datetime:
    """Naive UTC."""
    if timestamp is None:
        return datetime.now(UTC).replace(tzinfo=None) - timedelta(milliseconds=latency_ms or 0)
    if timestamp.tzinfo is not None:
        timestamp = timestamp.astimezone(UTC).replace(tzinfo=None)
    if not _EARLIEST <= timestamp < _LATEST:
        raise UsageError(f"timestamp: {timestamp} is before 2000 or after 2099")
    return timestamp
