"""``costctl pull``."""

from __future__ import annotations

import difflib
import os
from collections.abc import Sequence
from datetime import UTC, date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from costctl.cli import options
from costctl.cli.session import LEDGER, NOW, OUTPUT, PRICES, CommandError, Session, command
from costctl.config import SettingError

if TYPE_CHECKING:
    from costctl.ingest import Ingested
    from costctl.pull import Planned, Pulled, Vendor, VendorReport
    from costctl.report import Outcome, Report

app = typer.Typer()

WHAT, WHERE = "What to pull", "How"
DIRECTORY = "pulls"

Name = Annotated[str, typer.Argument(metavar="VENDOR", help="anthropic or openai.")]
Reports = Annotated[
    list[str] | None,
    typer.Option(
        "--report",
        metavar="NAME",
        help="Only this report, or one that is not pulled by itself. Repeatable.",
        rich_help_panel=WHAT,
    ),
]
GroupBy = Annotated[
    str,
    typer.Option(
        "--group-by",
        metavar="LIST",
        help="Of Anthropic's usage: other dimensions, five at most. Default: "
        "model,service_tier,context_window,workspace_id,api_key_id.",
        rich_help_panel=WHAT,
        show_default=False,
    ),
]
To = Annotated[
    str,
    typer.Option(
        "--to",
        metavar="DIR",
        help="Where the reports are written. Default: pulls, beside the ledger.",
        rich_help_panel=WHERE,
        show_default=False,
    ),
]
DryRun = Annotated[
    bool,
    typer.Option("--dry-run", help="Show the requests, and make none of them.", rich_help_panel=WHERE),
]


@command(
    app,
    "pull",
    {"since": options.Since, "until": options.Until, **NOW},
    OUTPUT,
    LEDGER,
    PRICES,
    examples="""
costctl pull anthropic
costctl pull openai --since 2026-10-01
costctl pull anthropic --report claude-code
costctl pull openai --dry-run
""",
)
def pull(
    session: Session,
    vendor: Name,
    reports: Reports = None,
    group_by: GroupBy = "",
    to: To = "",
    dry_run: DryRun = False,
) -> None:
    """Fetch usage and cost reports from a vendor's API, and read them into the ledger.

    The key is taken from ANTHROPIC_ADMIN_KEY or OPENAI_ADMIN_KEY. Days are those of UTC. Without --since a
    report goes on three days before the last one that was pulled, or begins thirty days ago.
    """
    from costctl import pull as room

    chosen = _vendor(vendor)
    directory = Path(to).expanduser() if to else session.ledger.path.parent / DIRECTORY
    start, end = _days(session)
    try:
        planned = room.plan(
            chosen,
            _reports(chosen, reports or ()),
            directory,
            start,
            end,
            session.now,
            _dimensions(chosen, group_by),
        )
        if dry_run:
            session.show(_requests(session, chosen, planned, directory))
            return
        pulled = _pull(session, chosen, planned, directory)
    except room.PullError as error:
        raise CommandError(f"{chosen.name}: {error}", error.hint, "not_pulled") from None
    if pulled.failed and not pulled.files:
        first = pulled.failed[0]
        raise CommandError(f"{chosen.name} {first.report}: {first.error}", first.error.hint, "not_pulled")
    ingested = _ingest(session, chosen, directory)
    session.show(_outcome(chosen, planned, pulled, ingested))
    if pulled.failed:
        hint = "the notes say what and why; what came is in the ledger"
        raise CommandError("not all that was asked for could be pulled", hint, "not_pulled")
    if ingested.failed:
        raise CommandError("not all that was pulled could be read", "the notes say what and why", "not_read")


def _vendor(name: str) -> Vendor:
    from costctl.pull import VENDORS

    if name in VENDORS:
        return VENDORS[name]
    near = difflib.get_close_matches(name, VENDORS, n=1)
    hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(VENDORS)}"
    raise SettingError(f"{name!r} is no vendor to pull from", hint)


def _reports(vendor: Vendor, names: Sequence[str]) -> list[VendorReport]:
    """The reports called ``names``, in the vendor's order; without any, those that are pulled by default."""
    known = [each.name for each in vendor.reports]
    for name in names:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(known)}"
            raise SettingError(f"--report: {vendor.name} has no report {name!r}", hint)
    return [each for each in vendor.reports if (each.name in names if names else each.by_default)]


def _dimensions(vendor: Vendor, text: str) -> tuple[str, ...]:
    """What --group-by says; nothing where it was not given."""
    if not text:
        return ()
    report = next((each for each in vendor.reports if each.dimensions), None)
    if report is None:
        raise SettingError(f"--group-by: {vendor.name}'s reports are grouped by all that there is")
    names = tuple(dict.fromkeys(part.strip() for part in text.split(",")))
    for name in names:
        if name not in report.dimensions:
            near = difflib.get_close_matches(name, report.dimensions, n=1)
            hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(report.dimensions)}"
            raise SettingError(f"--group-by: {name!r} is no dimension", hint)
    if len(names) > report.most_dimensions:
        most = report.most_dimensions
        raise SettingError(f"--group-by: {len(names)} dimensions, {vendor.name} takes {most} at most")
    if "model" not in names:
        raise SettingError("--group-by: without the model nothing has a price", "add model")
    return names


def _days(session: Session) -> tuple[date | None, date | None]:
    """The first day and the one after the last, in UTC, as far as --since and --until say."""
    from costctl.periods import period, zone

    asked = period(
        since=session.given["since"], until=session.given["until"], zone=zone("UTC"), now=session.now
    )
    start = asked.start.date() if asked.start else None
    # A time of the day stands for the whole of it.
    end = (asked.end - timedelta(microseconds=1)).date() + timedelta(days=1) if asked.end else None
    if start is not None and start > session.now.astimezone(UTC).date():
        raise SettingError(f"--since {session.given['since']} is still to come")
    return start, end


def _requests(session: Session, vendor: Vendor, planned: Sequence[Planned], directory: Path) -> Report:
    from costctl.pull.client import address, checked_url
    from costctl.report import Column, Report

    url = checked_url(vendor, _url(vendor))
    today = session.now.astimezone(UTC).date()
    rows = [
        (each.report.name, day.isoformat(), address(url, each.report.path, parameters))
        for each in planned
        for day, parameters in each.requests(today)
    ]
    is_set = "is set" if os.environ.get(vendor.key_variable) else "is not set"
    return Report(
        "pull",
        "Requests",
        (Column("report", "text"), Column("since", "time"), Column("request", "text")),
        list(rows),
        notes=(
            "each is followed by those of its further pages",
            f"the pages would be written into {directory}",
            f"the key would be that of {vendor.key_variable}, which {is_set}",
        ),
    )


def _url(vendor: Vendor) -> str:
    return os.environ.get(vendor.url_variable) or vendor.url


def _pull(session: Session, vendor: Vendor, planned: Sequence[Planned], directory: Path) -> Pulled:
    from costctl.cli.progress import Step
    from costctl.pull import pull as fetch

    with Step(session.settings.quiet) as step:
        return fetch(
            vendor,
            planned,
            directory,
            key=os.environ.get(vendor.key_variable, ""),
            url=_url(vendor),
            now=session.now,
            say=session.say,
            progress=step.show,
        )


def _ingest(session: Session, vendor: Vendor, directory: Path) -> Ingested:
    """Read all of the vendor's pages in ``directory``: also those of a pull that ended before it could."""
    from costctl import ingest
    from costctl.cli.progress import Bar
    from costctl.pull import pulled_files

    inputs = [
        ingest.Input(str(each.path), ingest.Given(format=report.format))
        for each in pulled_files(directory, vendor.name)
        if (report := vendor.report(each.report)) is not None
    ]
    bar = Bar(session.settings.quiet)
    try:
        return ingest.ingest(session.ledger, inputs, book=session.book, progress=bar)
    finally:
        bar.stop()


def _outcome(vendor: Vendor, planned: Sequence[Planned], pulled: Pulled, ingested: Ingested) -> Outcome:
    """What was pulled, and what the ledger has of it: an ingest's figures, but those of its files."""
    from costctl.report import Column, Outcome

    figures: list[tuple[Column, object]] = [
        (Column("vendor", "text"), vendor.name),
        (Column("since", "time"), min(each.start for each in planned).isoformat()),
        (Column("reports", "count"), len(planned) - len(pulled.failed)),
        (Column("pages", "count"), len(pulled.files)),
    ]
    read = ingested.outcome
    figures += [
        (column, value)
        for column, value in zip(read.columns, read.values, strict=True)
        if not column.name.startswith("files")
    ]
    missing = [
        f"not pulled: {each.report}, "
        + (f"after {each.reached}" if each.reached else "none of it")
        + f": {each.error}"
        + (f" ({each.error.hint})" if each.error.hint else "")
        for each in pulled.failed
    ]
    return Outcome(
        "pull",
        tuple(column for column, _ in figures),
        tuple(value for _, value in figures),
        (*missing, *read.notes),
    )
