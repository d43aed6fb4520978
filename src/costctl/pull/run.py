"""A pull: which requests it makes, and the pages that come of them, written as they come."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from costctl.pull.client import Client, Patience, PullError, Say
from costctl.pull.files import PulledFile, file_name, pulled_files, write
from costctl.pull.vendors import ONE_DAY, Parameters, Vendor, VendorReport

DAYS_AT_FIRST = 30
"""Pulled where nothing was pulled before."""
DAYS_AGAIN = 3
"""Of the days that were pulled: their buckets may still have changed."""


@dataclass(frozen=True, slots=True)
class Planned:
    """The days of a report that are to be pulled, the ``end`` not included. ``group`` are the dimensions that
    the user chose; none: as always."""

    report: VendorReport
    start: date
    end: date
    group: tuple[str, ...] = ()

    def requests(self, today: date) -> Iterator[tuple[date, Parameters]]:
        """The first page of each request, with the first day that it tells of."""
        group = self.group or self.report.group_by
        if not self.report.day_by_day:
            yield self.start, self.report.parameters(self.start, self.end, today, group)
            return
        day = self.start
        while day < self.end:
            yield day, self.report.parameters(day, day + ONE_DAY, today, group)
            day += ONE_DAY


@dataclass(frozen=True, slots=True)
class Failure:
    """A report that did not come to its end: its last day that came, None if none did, and why."""

    report: str
    reached: date | None
    error: PullError


@dataclass(slots=True)
class Pulled:
    """The pages that came, in order, and what did not."""

    files: list[Path] = field(default_factory=list)
    failed: list[Failure] = field(default_factory=list)


def plan(
    vendor: Vendor,
    reports: Sequence[VendorReport],
    directory: Path,
    start: date | None,
    end: date | None,
    now: datetime,
    group: tuple[str, ...] = (),
) -> list[Planned]:
    """What is to be pulled from ``start`` up to, not including, ``end``, in days of UTC. Without a start a
    report goes on three days before the last one that ``directory`` has of it, or begins thirty days ago;
    without an end it reaches to today.

    Raises :class:`PullError` where the usage report was grouped otherwise before: one call would then be in
    two buckets. Raises :class:`OSError`.
    """
    today = _today(now)
    end = min(end or today + ONE_DAY, today + ONE_DAY)
    there = pulled_files(directory, vendor.name)
    planned = []
    for report in reports:
        chosen = group if report.dimensions and set(group) != set(report.group_by) else ()
        earlier = [each for each in there if each.report == report.name]
        _refuse_other_groups(chosen, earlier)
        planned.append(Planned(report, start or _going_on(earlier, today), end, chosen))
    return planned


def _going_on(earlier: Sequence[PulledFile], today: date) -> date:
    if not earlier:
        return today - DAYS_AT_FIRST * ONE_DAY
    return min(max(each.last for each in earlier), today) - DAYS_AGAIN * ONE_DAY


def _refuse_other_groups(group: tuple[str, ...], earlier: Sequence[PulledFile]) -> None:
    other = next((each for each in earlier if sorted(each.group) != sorted(group)), None)
    if other is not None:
        raise PullError(
            f"{other.path} is grouped otherwise: the same usage would be counted twice",
            f"pull into another ledger with --db; or `costctl forget` the files of {other.path.parent} whose "
            f"names begin with {other.path.name.partition('_20')[0]}, and remove them",
            is_final=True,
        )


def pull(
    vendor: Vendor,
    planned: Sequence[Planned],
    directory: Path,
    *,
    key: str,
    url: str,
    now: datetime,
    say: Say,
    progress: Say = lambda _: None,
    patience: Patience | None = None,
) -> Pulled:
    """Write the pages of what was planned into ``directory``, which is made where it is missing. A page that
    does not come ends its report; the others go on, unless none could be had.

    Raises :class:`PullError` for a key or address that cannot be one, and :class:`OSError` for a directory
    that cannot be written.
    """
    result = Pulled()
    with Client(vendor, key, url, say, patience or Patience()) as client:
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        for number, each in enumerate(planned):
            reached = None
            try:
                for page in _pages(vendor, client, each, _today(now), progress):
                    write(directory / page.name, page.content)
                    result.files.append(directory / page.name)
                    reached = page.last
            except PullError as error:
                result.failed.append(Failure(each.report.name, reached, error))
                if error.is_final:
                    result.failed += [
                        Failure(rest.report.name, None, error) for rest in planned[number + 1 :]
                    ]
                    break
    return result


@dataclass(frozen=True, slots=True)
class _Page:
    name: str
    last: date
    content: bytes


def _pages(vendor: Vendor, client: Client, planned: Planned, today: date, progress: Say) -> Iterator[_Page]:
    """The pages of a report, each when the one before is written. Raises :class:`PullError`."""
    report, group = planned.report, planned.group
    headers = {}
    for name, beta in vendor.beta:
        if name in group:
            headers["anthropic-beta"] = beta
    for day, parameters in planned.requests(today):
        until = day + ONE_DAY if report.day_by_day else planned.end
        place: str | None = ""
        seen = {place}
        number = 0
        while place is not None:
            number += 1
            progress(f"{vendor.name} {report.name} from {day}" + (f", page {number}" if number > 1 else ""))
            at_page = (("page", place),) if place else ()
            content = client.get(report.path, (*parameters, *at_page), headers, _Content)
            first, last = content.days or (day, until - ONE_DAY)
            yield _Page(file_name(vendor.name, report.name, group, first, last, number), last, content.raw)
            place = content.next
            if place in seen:
                raise PullError("the pages lead back to one that was there before")
            seen.add(place)


class _Content:
    """A page's bytes, the days of its buckets (None where it has none), and the name of the next one (None:
    it is the last). Raises ValueError for bytes that are no page."""

    def __init__(self, raw: bytes) -> None:
        try:
            page: Any = json.loads(raw.decode())
        except RecursionError:
            raise ValueError("it is nested too deep") from None
        if not isinstance(page, dict) or not isinstance(page.get("data"), list):
            raise ValueError("it has no data")
        if not isinstance(page.get("has_more"), bool):
            raise ValueError("it does not say whether there is more")
        following = page.get("next_page")
        if page["has_more"] and not (isinstance(following, str) and following):
            raise ValueError("it does not say what comes next")
        self.raw = raw
        self.next: str | None = following if page["has_more"] else None
        days = [each for bucket in page["data"] if (each := _days(bucket))]
        self.days = (min(first for first, _ in days), max(last for _, last in days)) if days else None


def _days(bucket: Any) -> tuple[date, date] | None:
    """The first and the last day of a bucket; None for what is none."""
    if not isinstance(bucket, Mapping):
        return None
    try:
        if "start_time" in bucket:
            start, end = (datetime.fromtimestamp(bucket[name], UTC) for name in ("start_time", "end_time"))
        else:
            start, end = (datetime.fromisoformat(bucket[name]) for name in ("starting_at", "ending_at"))
    except (KeyError, TypeError, ValueError, OverflowError, OSError):
        return None
    start, end = start.astimezone(UTC), end.astimezone(UTC)
    return start.date(), max(start, end - timedelta(microseconds=1)).date()


def _today(now: datetime) -> date:
    return now.astimezone(UTC).date()
