"""``costctl prices`` and ``costctl reprice``."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo

import typer

from costctl.cli.help import Group
from costctl.cli.session import LEDGER, MONEY, NOW, OUTPUT, PERIOD, PRICES, CommandError, Session, command
from costctl.cli.values import count, instant, pairs
from costctl.config import SettingError

app = typer.Typer()

prices = typer.Typer(cls=Group)
app.add_typer(
    prices,
    name="prices",
    help="Look up what models cost, and how a price comes about.",
    epilog="""
costctl prices list --provider anthropic
costctl prices show claude-sonnet-4-5
costctl prices explain claude-sonnet-4-5 --input 12000 --output 800 --cache-read 50000
costctl prices check
costctl prices diff --against model_prices_and_context_window.json
""",
)

CALL = "The call"

Provider = Annotated[
    str | None, typer.Option("--provider", metavar="NAME", help="As calls name it: anthropic, openai.")
]
Model = Annotated[str, typer.Argument(metavar="MODEL", help="A model as calls name it.")]
At = Annotated[
    str | None,
    typer.Option("--at", metavar="TIME", help="The prices of this time: 2024-10-01T12:00Z. Default: now."),
]
Containing = Annotated[
    str | None, typer.Argument(metavar="TEXT", help="Only models whose name contains this.")
]
All = Annotated[bool, typer.Option("--all", help="Every price: all modes, regions, tiers, hours and dates.")]


@command(
    prices,
    "list",
    NOW,
    OUTPUT,
    PRICES,
    examples="""
costctl prices list opus
costctl prices list --provider openai --at 2024-10-01
costctl prices list --all --out prices.csv
""",
)
def list_(
    session: Session,
    containing: Containing = None,
    provider: Provider = None,
    at: At = None,
    all_: All = False,
) -> None:
    """List models with their prices, per million tokens.

    Unless --all is given: the standard price, for prompts of the base tier.
    """
    from costctl.pricing.reports import listed

    session.show(
        listed(
            session.book, provider=provider, containing=containing, at=_instant(session, at), all_rows=all_
        )
    )


@command(
    prices,
    "show",
    OUTPUT,
    PRICES,
    examples="costctl prices show claude-sonnet-4-5\ncostctl prices show gpt-5 --provider openai",
)
def show(session: Session, model: Model, provider: Provider = None) -> None:
    """Show every price of a model, with the dates for which it holds and its source.

    Exits with 1 where there is none.
    """
    from costctl.pricing.reports import shown

    report = shown(session.book, model, provider=provider)
    session.show(report)
    if not report.rows:
        raise typer.Exit(1)


def _tokens(option: str, what: str) -> typer.models.OptionInfo:
    found: typer.models.OptionInfo = typer.Option(
        option, metavar="N", help=f"{what}.", rich_help_panel=CALL, show_default=False
    )
    return found


Input = Annotated[
    str, _tokens("--input", "Tokens of the prompt that are neither read from nor written to a cache")
]
Output = Annotated[str, _tokens("--output", "Tokens of the answer, its reasoning included")]
CacheRead = Annotated[str, _tokens("--cache-read", "Tokens that are read from the cache")]
CacheWrite = Annotated[str, _tokens("--cache-write", "Tokens that are written to the cache, for 5 minutes")]
CacheWrite1h = Annotated[str, _tokens("--cache-write-1h", "Tokens that are written to the cache, for 1 hour")]
Reasoning = Annotated[str, _tokens("--reasoning", "How many of the output's tokens are reasoning")]
Units = Annotated[
    list[str] | None,
    typer.Option(
        "--unit",
        metavar="NAME=N",
        help="Another billed unit: web_search_requests=2. Repeatable.",
        rich_help_panel=CALL,
    ),
]
Mode = Annotated[
    str | None,
    typer.Option(
        "--mode",
        metavar="NAME",
        help="standard, batch, flex, priority or fast. Default: standard.",
        rich_help_panel=CALL,
    ),
]
Region = Annotated[
    str | None,
    typer.Option(
        "--region",
        metavar="NAME",
        help="The region, where it changes the price.",
        rich_help_panel=CALL,
    ),
]


@command(
    prices,
    "explain",
    NOW,
    OUTPUT,
    PRICES,
    examples="""
costctl prices explain claude-sonnet-4-5 --input 12000 --output 800
costctl prices explain claude-opus-4-20250514 --input 900 --cache-read 50000 --at 2024-10-15
costctl prices explain gpt-5 --provider openai --mode batch --input 1000 --output 1000
""",
)
def explain(
    session: Session,
    model: Model,
    provider: Provider = None,
    input_: Input = "0",
    output: Output = "0",
    cache_read: CacheRead = "0",
    cache_write: CacheWrite = "0",
    cache_write_1h: CacheWrite1h = "0",
    reasoning: Reasoning = "0",
    units: Units = None,
    mode: Mode = None,
    region: Region = None,
    at: At = None,
) -> None:
    """Explain the price of one call, term by term, with the source and the dates of each price.

    Exits with 1 where the call has no price.
    """
    from costctl.pricing.explain import explained
    from costctl.pricing.price import Usage

    usage = Usage(
        ts=_instant(session, at).astimezone(UTC).replace(tzinfo=None),
        mode=mode or "standard",
        region=region,
        input_tokens=count("--input", input_, 12000),
        output_tokens=count("--output", output, 800),
        cache_read_tokens=count("--cache-read", cache_read, 50000),
        cache_write_5m_tokens=count("--cache-write", cache_write, 2000),
        cache_write_1h_tokens=count("--cache-write-1h", cache_write_1h, 2000),
        reasoning_tokens=count("--reasoning", reasoning, 500),
        other_units={
            name: count("--unit", number, 2)
            for name, number in pairs("--unit", units or (), "web_search_requests=2").items()
        },
    )
    report = explained(session.book, model, usage, provider=provider)
    session.show(report)
    if not report.complete:
        raise typer.Exit(1)


def _instant(session: Session, at: str | None) -> datetime:
    """``--at``, where a time without an offset is UTC, as the prices' dates are; else now."""
    return session.now.replace(microsecond=0) if at is None else instant("--at", at, ZoneInfo("UTC"))


File = Annotated[
    str,
    typer.Argument(metavar="FILE", help="LiteLLM's model_prices_and_context_window.json."),
]
Models = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="MODEL",
        help="Models as LiteLLM names them; * stands for anything. Default: those that the catalogue lacks.",
    ),
]
Book = Annotated[str, typer.Argument(metavar="litellm", help="Whose prices they are: litellm.")]
From = Annotated[
    str | None,
    typer.Option(
        "--from", metavar="DAY", help="Let the prices hold from this day on; LiteLLM's have no dates."
    ),
]
To = Annotated[
    str | None,
    typer.Option("--out", metavar="FILE", help="Write to this file, a .yaml.", rich_help_panel="Output"),
]


@command(
    prices,
    "import",
    {each: OUTPUT[each] for each in ("force", "quiet")},
    examples="""
costctl prices import litellm model_prices_and_context_window.json --out litellm.yaml
costctl prices import litellm model_prices_and_context_window.json 'azure/gpt-5*' --from 2026-11-01
""",
)
def import_(
    session: Session, book: Book, file: File, models: Models = None, from_: From = None, out: To = None
) -> None:
    """Make entries for a prices.yaml of LiteLLM's table of prices.

    Prices per token whose keys are understood are taken, to the last digit; what is left out is named. A
    prices.yaml includes the file by `include: [litellm.yaml]`.
    """
    from costctl.pricing import litellm
    from costctl.pricing.catalogue import Catalogue
    from costctl.pricing.imported import imported
    from costctl.render import printable

    if book != "litellm":
        raise SettingError(f"{book!r} is no table of prices that can be imported", "litellm is")
    target = _target(session, out)
    table = litellm.read(Path(file).expanduser())
    found = imported(table, Catalogue(), models or (), _day(from_))
    if found.unknown:
        raise CommandError(f"{table.identifier} has no model {', '.join(found.unknown)}", code="not_found")
    for note in found.notes:
        session.say(note)
    if target is None:
        typer.echo(printable(found.text, keep="\n"), nl=False)
        return
    from costctl.render import replaced

    with replaced(target) as stream:
        stream.write(found.text.encode())
    session.say(f"wrote {target}; a prices.yaml beside it has it by `include: [{target.name}]`")


def _target(session: Session, out: str | None) -> Path | None:
    if out is None:
        return None
    from costctl.render import check

    target = Path(out).expanduser()
    refuse = [*session.ledger.own_files, *filter(None, (session.settings.prices, session.settings.file))]
    check(target, force=session.given["force"], refuse=refuse, endings=(".yaml", ".yml"))
    return target


def _day(text: str | None) -> date | None:
    if text is None:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise SettingError(f"--from: {text!r} is not a day", "as in 2026-11-01") from None


Against = Annotated[
    str,
    typer.Option(
        "--against",
        metavar="FILE",
        help="The other prices: LiteLLM's JSON, a prices.yaml, or a catalogue's directory.",
    ),
]
Every = Annotated[bool, typer.Option("--all", help="Also what only one of both has a price for.")]


@command(
    prices,
    "diff",
    NOW,
    OUTPUT,
    PRICES,
    examples="""
costctl prices diff --against model_prices_and_context_window.json --provider anthropic
costctl prices diff --against prices.yaml --all
""",
)
def diff(
    session: Session,
    against: Against,
    containing: Containing = None,
    provider: Provider = None,
    at: At = None,
    all_: Every = False,
) -> None:
    """Show where other prices are not the same as ours: model, kind, both, and their ratio.

    Compared are the prices of one time, of the models that both know.
    """
    from costctl.pricing.difference import difference, read

    other = read(Path(against).expanduser())
    session.show(
        difference(
            session.book,
            other,
            provider=provider,
            containing=containing,
            at=_instant(session, at),
            every=all_,
        )
    )


@command(
    prices,
    "check",
    NOW,
    OUTPUT,
    LEDGER,
    PRICES,
    examples="costctl prices check\ncostctl prices check --prices prices.yaml --format json",
)
def check(session: Session) -> None:
    """List what needs attention: calls without a price, and prices that cannot be right.

    Looked at are the prices of your own, and the costs that the sources of calls state. Exits with 4 where
    there is anything. A shipped catalogue of more than 90 days is told, and is no reason for that.
    """
    from costctl import analysis, ingest

    report = analysis.price_check(session.ledger, session.book, now=session.now)
    session.show(report)
    if not report.complete:
        preview = ingest.reprice(session.ledger, session.book, unpriced=True)
        if priced := preview.figures["calls_repriced"]:
            session.say(f"{priced:,} of these calls have a price now: `costctl reprice --unpriced` gives it")
        if preview.figures["unpriced_calls"]:
            session.say("a prices.yaml can name a price: --prices FILE, then `costctl reprice --unpriced`")
    if any(row[2] == "price" for row in report.rows):
        session.say("a corrected prices.yaml corrects calls by `costctl reprice`")
    if report.rows:
        raise typer.Exit(4)


Unpriced = Annotated[
    bool,
    typer.Option("--unpriced", help="Give prices to the calls that have none, at once, and to no other."),
]
Apply = Annotated[bool, typer.Option("--apply", help="Change the ledger. Without it, only show what would.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only show what would change, also with --unpriced.")]


@command(
    app,
    "reprice",
    PERIOD,
    OUTPUT,
    MONEY,
    LEDGER,
    PRICES,
    examples="""
costctl reprice
costctl reprice --since 2024-10-01 --prices prices.yaml
costctl reprice --since 2024-10-01 --prices prices.yaml --apply
costctl reprice --unpriced
""",
)
def reprice(
    session: Session, apply: Apply = False, dry_run: DryRun = False, unpriced: Unpriced = False
) -> None:
    """Price the calls of the ledger anew.

    It is shown what that would change, by model; --apply changes it. Each call gets the price of its own
    day. Nothing else moves a price that a call has: not a newer costctl, nor a changed prices.yaml.
    """
    from costctl import ingest
    from costctl.cli.progress import Step

    if apply and dry_run:
        raise SettingError("--apply and --dry-run contradict each other", "give one of them")
    with Step(session.settings.quiet) as step:
        step.show("pricing the calls anew")
        report = ingest.reprice(
            session.ledger,
            session.book,
            period=session.period,
            unpriced=unpriced,
            apply=apply or (unpriced and not dry_run),
        )
    session.show(report)
