"""What each vendor's API has: reports, how they are asked for, and by what they are grouped.

Facts, Anthropic: platform.claude.com, "Get Messages Usage Report", "Get Cost Report", "Get Claude Code Usage
Report", "Usage and Cost API", "Errors"; that usage is grouped by five dimensions at most says the API itself
("Cannot specify more than 5 group_by[] dimensions", PostHog/posthog#72556). OpenAI: openai-openapi f85dbe22,
/organization/usage/* and /organization/costs; arrays are sent as OpenAI's own Python client sends them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

Parameters = tuple[tuple[str, str], ...]
"""Names and values of a query, in order; a name may come several times."""

ONE_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class VendorReport:
    """A report of a vendor's API. ``format`` is the input format of its pages.

    ``period`` gives the parameters that ask for the days from the first to the second date, the latter not
    included; the third is today in UTC. ``day_by_day``: one request tells of one day only.
    """

    name: str
    path: str
    format: str
    period: Callable[[date, date, date], Parameters]
    group_by: tuple[str, ...] = ()
    day_by_day: bool = False
    by_default: bool = True
    dimensions: tuple[str, ...] = ()
    """What it may be grouped by instead, where that is for its user to choose."""
    most_dimensions: int = 0

    def parameters(self, start: date, end: date, today: date, group_by: tuple[str, ...]) -> Parameters:
        """The query of the first page of the days from ``start`` up to, not including, ``end``."""
        return (*self.period(start, end, today), *(("group_by[]", name) for name in group_by))


@dataclass(frozen=True, slots=True)
class Vendor:
    """A vendor whose API gives reports. ``key_variable`` and ``url_variable`` name the environment's
    variables with the key, and with another address to ask instead of ``url``."""

    name: str
    url: str
    key_variable: str
    url_variable: str
    kind_of_key: str
    """What the key has to be, in words."""
    headers: Callable[[str], Mapping[str, str]]
    reports: tuple[VendorReport, ...]
    beta: tuple[tuple[str, str], ...] = ()
    """What the header anthropic-beta has to say where a report is grouped by a dimension."""

    def report(self, name: str) -> VendorReport | None:
        """The report called ``name``; None if there is none."""
        return next((each for each in self.reports if each.name == name), None)


def _rfc3339(start: date, end: date, today: date) -> Parameters:
    """Days in Anthropic's way. The end is left out where it is still to come: until now is all there is."""
    until = (("ending_at", f"{end}T00:00:00Z"),) if end <= today else ()
    return (("starting_at", f"{start}T00:00:00Z"), *until, ("bucket_width", "1d"), ("limit", "31"))


def _one_day(start: date, end: date, today: date) -> Parameters:  # noqa: ARG001 - it is the day's only
    return (("starting_at", start.isoformat()), ("limit", "1000"))


def _unix(limit: int) -> Callable[[date, date, date], Parameters]:
    """Days in OpenAI's way. The end is a day's, though it be still to come: else the last bucket would end at
    another time in each report, and be another one."""

    def period(start: date, end: date, today: date) -> Parameters:  # noqa: ARG001
        return (
            ("start_time", _midnight(start)),
            ("end_time", _midnight(end)),
            ("bucket_width", "1d"),
            ("limit", str(limit)),
        )

    return period


def _midnight(day: date) -> str:
    return str(int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()))


ANTHROPIC = Vendor(
    name="anthropic",
    url="https://api.anthropic.com",
    key_variable="ANTHROPIC_ADMIN_KEY",
    url_variable="COSTCTL_ANTHROPIC_URL",
    kind_of_key="an Admin API key (sk-ant-admin…) of Claude Console > Settings > Admin keys",
    headers=lambda key: {"x-api-key": key, "anthropic-version": "2023-06-01"},
    beta=(("speed", "fast-mode-2026-02-01"),),
    reports=(
        VendorReport(
            "usage",
            "/v1/organizations/usage_report/messages",
            "anthropic-usage",
            _rfc3339,
            # Five are allowed. Of what is left out, context and tier change the price of most calls.
            group_by=("model", "service_tier", "context_window", "workspace_id", "api_key_id"),
            dimensions=(
                "model",
                "service_tier",
                "context_window",
                "inference_geo",
                "speed",
                "workspace_id",
                "api_key_id",
                "account_id",
                "service_account_id",
            ),
            most_dimensions=5,
        ),
        VendorReport(
            "cost",
            "/v1/organizations/cost_report",
            "anthropic-cost",
            _rfc3339,
            group_by=("workspace_id", "description"),
        ),
        VendorReport(
            "claude-code",
            "/v1/organizations/usage_report/claude_code",
            "claude-code-analytics",
            _one_day,
            day_by_day=True,
            by_default=False,
        ),
    ),
)

_OF_WHOM = ("project_id", "user_id", "api_key_id")


def _usage(name: str, *group_by: str, by_default: bool = True) -> VendorReport:
    return VendorReport(
        name.replace("_", "-"),
        f"/v1/organization/usage/{name}",
        "openai-usage",
        _unix(31),
        group_by,
        by_default=by_default,
    )


OPENAI = Vendor(
    name="openai",
    url="https://api.openai.com",
    key_variable="OPENAI_ADMIN_KEY",
    url_variable="COSTCTL_OPENAI_URL",
    kind_of_key="an Admin key (sk-admin-…) of Settings > Organization > Admin keys",
    headers=lambda key: {"Authorization": f"Bearer {key}"},
    reports=(
        _usage("completions", *_OF_WHOM, "model", "batch", "service_tier"),
        _usage("embeddings", *_OF_WHOM, "model"),
        _usage("images", *_OF_WHOM, "model", "size", "source"),
        _usage("audio_speeches", *_OF_WHOM, "model"),
        _usage("audio_transcriptions", *_OF_WHOM, "model"),
        _usage("web_search_calls", *_OF_WHOM, "model", "context_level"),
        _usage("file_search_calls", *_OF_WHOM, "vector_store_id"),
        _usage("code_interpreter_sessions", "project_id"),
        _usage("vector_stores", "project_id"),
        _usage("moderations", *_OF_WHOM, "model", by_default=False),  # they are free
        VendorReport(
            "costs",
            "/v1/organization/costs",
            "openai-costs",
            _unix(180),
            group_by=("project_id", "line_item", "api_key_id"),
        ),
    ),
)

VENDORS: Mapping[str, Vendor] = {each.name: each for each in (ANTHROPIC, OPENAI)}
