"""``costctl ingest``."""

from __future__ import annotations

import os
from datetime import UTC
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from costctl.cli.session import LEDGER, OUTPUT, PRICES, CommandError, Session, command
from costctl.cli.values import instant, pairs
from costctl.config import SettingError, SourceEntry

if TYPE_CHECKING:
    from costctl.ingest import Given, Input

app = typer.Typer()

WHAT, LABELS, HOW = "What to read", "What the files do not say", "How"

Paths = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="PATH",
        help="Files, directories, globs, another ledger, or - for standard input. Default: the sources of "
        "costctl.yaml.",
    ),
]
ClaudeCode = Annotated[
    bool,
    typer.Option(
        "--claude-code",
        help="Read Claude Code's transcripts, wherever it keeps them on this machine.",
        rich_help_panel=WHAT,
    ),
]
As = Annotated[
    str,
    typer.Option(
        "--as",
        metavar="NAME",
        help="The format, where recognition is not wanted; `costctl formats` lists them.",
        rich_help_panel=WHAT,
        show_default=False,
    ),
]
Map = Annotated[
    str,
    typer.Option(
        "--map",
        metavar="FILE",
        help="A mapping.yaml that says how files of any other kind are read, column by column.",
        rich_help_panel=WHAT,
        show_default=False,
    ),
]
Explain = Annotated[
    bool,
    typer.Option(
        "--explain",
        help="Show which format claims a file and why, what becomes of each column, and three of its calls; "
        "the ledger is not touched.",
        rich_help_panel=HOW,
    ),
]


def _label(name: str) -> typer.models.OptionInfo:
    option: typer.models.OptionInfo = typer.Option(
        f"--{name}",
        metavar="NAME",
        help=f"The {name} of calls that have none.",
        rich_help_panel=LABELS,
        show_default=False,
    )
    return option


Team = Annotated[str, _label("team")]
Project = Annotated[str, _label("project")]
User = Annotated[str, _label("user")]
Agent = Annotated[str, _label("agent")]
Model = Annotated[str, _label("model")]
Billing = Annotated[
    str,
    typer.Option(
        "--billing",
        metavar="HOW",
        help="How they are paid: metered, subscription, byok or unknown.",
        rich_help_panel=LABELS,
        show_default=False,
    ),
]
Tags = Annotated[
    list[str] | None,
    typer.Option(
        "--tag",
        metavar="KEY=VALUE",
        help="A tag of calls that do not have it. Repeatable.",
        rich_help_panel=LABELS,
    ),
]
Time = Annotated[
    str,
    typer.Option(
        "--time",
        metavar="TIME",
        help="The time of calls that state none: 2024-10-01T12:00Z.",
        rich_help_panel=LABELS,
        show_default=False,
    ),
]
AssumeTz = Annotated[
    str,
    typer.Option(
        "--assume-tz",
        metavar="ZONE",
        help="The zone of times that name none. Default: UTC.",
        rich_help_panel=LABELS,
        show_default=False,
    ),
]
Pseudonymize = Annotated[
    list[str] | None,
    typer.Option(
        "--pseudonymize",
        metavar="NAMES",
        help="Keep only pseudonyms of these: user, or another label, or tag:NAME; and of e-mail addresses in "
        "any label or tag. Repeatable.",
        rich_help_panel=LABELS,
    ),
]
DryRun = Annotated[
    bool,
    typer.Option(
        "--dry-run", help="Say what would be added, and leave the ledger as it is.", rich_help_panel=HOW
    ),
]
Full = Annotated[
    bool,
    typer.Option("--full", help="Read files again that have not changed.", rich_help_panel=HOW),
]
Strict = Annotated[
    bool,
    typer.Option(
        "--strict",
        help="Exit with 4 where a line was rejected or a call has no price.",
        rich_help_panel=HOW,
    ),
]
KeepRejects = Annotated[
    bool,
    typer.Option(
        "--keep-rejects",
        help="Keep the text of rejected lines, which may hold prompts and answers.",
        rich_help_panel=HOW,
    ),
]


@command(
    app,
    "ingest",
    OUTPUT,
    LEDGER,
    PRICES,
    examples="""
costctl ingest --claude-code
costctl ingest usage.jsonl exports/ 'logs/*.jsonl.gz'
costctl ingest --as openai --team search --tag env=prod responses.jsonl
zstdcat usage.jsonl.zst | costctl ingest -
costctl ingest --dry-run usage.jsonl
costctl ingest --map mapping.yaml gateway.csv
costctl ingest --explain usage.jsonl
costctl ingest laptop.duckdb
""",
)
def ingest(
    session: Session,
    paths: Paths = None,
    claude_code: ClaudeCode = False,
    as_: As = "",
    map_: Map = "",
    team: Team = "",
    project: Project = "",
    user: User = "",
    agent: Agent = "",
    model: Model = "",
    billing: Billing = "",
    tags: Tags = None,
    time: Time = "",
    assume_tz: AssumeTz = "",
    pseudonymize: Pseudonymize = None,
    explain: Explain = False,
    dry_run: DryRun = False,
    full: Full = False,
    strict: Strict = False,
    keep_rejects: KeepRejects = False,
) -> None:
    """Read usage files into the ledger, each call once, at its price.

    Only what is new is read. A file may be plain, .gz or .zst, and may come again under another name: a call
    that is already there is not counted twice. Lines that cannot be read do not stop an ingest; `costctl
    rejects` lists them. Another ledger is merged, as often as it grows.
    """
    from costctl import ingest as room
    from costctl.cli.progress import Bar

    if as_ and map_:
        raise SettingError("--as and --map: each says how the files are read", "use one of them")
    given = checked(
        room.Given(
            format=as_,
            map=_mapping(map_),
            team=team,
            project=project,
            user=user,
            agent=agent,
            model=model,
            billing=billing,
            tags=pairs("--tag", tags or (), "env=prod"),
            time=time,
            zone=assume_tz,
            pseudonymize=tuple(name.strip() for names in pseudonymize or () for name in names.split(",")),
        )
    )
    if explain:
        _explain(session, paths or [], given)
        return
    inputs = [room.Input(path, given) for path in paths or ()]
    if claude_code:
        inputs += _claude_code(given, alone=not inputs)
    if not inputs:
        inputs = _configured(session.settings.sources, given)
    bar = Bar(session.settings.quiet)
    try:
        done = room.ingest(
            session.ledger,
            inputs,
            # The shipped prices have no fault to tell of: they are opened when something is to be priced.
            book=session.book if session.settings.prices else lambda: session.book,
            dry_run=dry_run,
            full=full,
            keep_rejects=keep_rejects,
            progress=bar,
        )
    finally:
        bar.stop()
    session.show(done.outcome)
    if done.failed:
        raise CommandError("not all that was named could be read", "the notes say what and why", "not_read")
    if strict and done.attention:
        session.say("--strict: lines were rejected, or calls have no price")
        raise typer.Exit(4)


def _mapping(path: str) -> str:
    """What the mapping ``path`` says; "" for none. Raises :class:`costctl.documents.DocumentError`."""
    if not path:
        return ""
    from costctl.formats.mapping import read

    return read(Path(path).expanduser())


def _explain(session: Session, paths: list[str], given: Given) -> None:
    if len(paths) != 1:
        raise SettingError("--explain is of one file", "name a single PATH")
    from costctl.ingest import explain

    session.show(explain(paths[0], given, session.book))


def _claude_code(given: Given, alone: bool) -> list[Input]:
    """Claude Code's transcripts. Where there are none: an error if they are all that is wanted, else the
    places where they would be, which cannot be read, as is told when all others are in."""
    from costctl.ingest import Input
    from costctl.ingest.discover import claude_code_directories, claude_code_places

    found = claude_code_directories(os.environ)
    if not found and alone:
        raise CommandError(
            "Claude Code keeps no transcripts on this machine",
            "they would be in ~/.claude/projects, ~/.config/claude/projects or where CLAUDE_CONFIG_DIR says",
            "not_found",
        )
    return [Input(path, given) for path in found or claude_code_places(os.environ)]


def _configured(sources: tuple[SourceEntry, ...], given: Given) -> list[Input]:
    """The sources of costctl.yaml, each with its own flags. Raises :class:`SettingError` where there are
    none, and where there are flags: whose would they be?"""
    from costctl.ingest import Given, Input

    if not sources:
        raise SettingError(
            "nothing to read",
            "name a PATH, or --claude-code, or list sources in costctl.yaml",
        )
    if given != Given():
        raise SettingError("flags for the sources of costctl.yaml stand in costctl.yaml", "or name a PATH")
    inputs: list[Input] = []
    for source in sources:
        own = checked(
            said=f"{source.place}: as",
            given=Given(
                format=source.format,
                team=source.team,
                project=source.project,
                user=source.user,
                agent=source.agent,
                model=source.model,
                tags=dict(source.tags),
                map=_mapping(source.map),
                zone=source.assume_tz,
                pseudonymize=source.pseudonymize,
            ),
        )
        if source.path:
            inputs.append(Input(source.path, own))
        if source.claude_code:
            inputs += _claude_code(own, alone=len(sources) == 1 and not source.path)
    return inputs


def checked(given: Given, said: str = "--as") -> Given:
    """``given`` with its names known and its time in UTC; ``said`` is where its format stands. Raises
    :class:`SettingError`."""
    import difflib
    from dataclasses import replace

    from costctl.records import BILLINGS

    if given.format:
        from costctl.formats import FORMATS

        if given.format not in FORMATS:
            near = difflib.get_close_matches(given.format, FORMATS, n=1)
            known = f"known are {', '.join(FORMATS)}"
            raise SettingError(
                f"{said}: {given.format!r} is no format",
                f"did you mean {near[0]}? {known}" if near else known,
            )
    if given.map and not given.zone:
        from costctl.formats.mapping import zone_of

        given = replace(given, zone=zone_of(given.map))
    if given.pseudonymize:
        _check_names(given.pseudonymize)
    if given.billing and given.billing not in BILLINGS:
        raise SettingError(f"--billing: {given.billing!r} is none", f"use one of {', '.join(BILLINGS)}")
    if not (given.zone or given.time):
        return given
    from costctl.periods import zone

    local = zone(given.zone or "UTC")
    if given.time:
        moment = instant("--time", given.time, local)
        given = replace(given, time=moment.astimezone(UTC).isoformat())
    return replace(given, zone=local.key) if given.zone else given


def _check_names(names: tuple[str, ...]) -> None:
    """Raises :class:`SettingError` for what cannot be pseudonymised."""
    import difflib

    from costctl.ingest.pseudonyms import NAMES

    for name in names:
        if name not in NAMES and not (name.startswith("tag:") and len(name) > len("tag:")):
            near = difflib.get_close_matches(name, NAMES, n=1)
            known = f"known are {', '.join(NAMES)} and tag:NAME"
            raise SettingError(
                f"--pseudonymize: {name!r} is no label", f"did you mean {near[0]}? {known}" if near else known
            )
