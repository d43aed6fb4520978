"""``costctl simulate-cache``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from costctl.cli.session import FILTER, LEDGER, MONEY, OUTPUT, PERIOD, PRICES, Session, command
from costctl.cli.values import count
from costctl.config import SettingError

if TYPE_CHECKING:
    from costctl.report import Report
    from costctl.simulate.cache_profiles import Profiles

app = typer.Typer()

WHAT, ESTIMATE, CACHE, EXAMPLE = "What is simulated", "Estimate", "Cache", "Example of --book"

Trace = Annotated[
    str | None,
    typer.Option(
        "--trace",
        metavar="FILE",
        help="The requests of a trace with the hashes of their prompts' blocks (Mooncake's form; JSON lines "
        "or Parquet), instead of the ledger's calls.",
        rich_help_panel=WHAT,
    ),
]
Book = Annotated[
    bool,
    typer.Option(
        "--book",
        help="The book's example: an FAQ that every question begins with. Needs no ledger.",
        rich_help_panel=WHAT,
    ),
]
BreakEven = Annotated[
    bool,
    typer.Option(
        "--break-even",
        help="From where on a cache pays, by profile or for --model. Needs no ledger.",
        rich_help_panel=WHAT,
    ),
]
Actual = Annotated[
    bool,
    typer.Option(
        "--actual",
        help="What the cache that the ledger's calls really used saved and cost.",
        rich_help_panel=WHAT,
    ),
]
By = Annotated[
    str | None,
    typer.Option(
        "--by",
        metavar="NAMES",
        help="Of --actual: what a row stands for, as in report --by.",
        show_default="model,team",
        rich_help_panel=WHAT,
    ),
]
Stable = Annotated[
    str | None,
    typer.Option(
        "--stable",
        metavar="TOKENS",
        help="The tokens that all prompts of one project and agent begin with, where calls have no session: "
        "a number, smallest (as many as the smallest prompt, the most that they can share) or none.",
        show_default="smallest",
        rich_help_panel=ESTIMATE,
    ),
]
KeyTag = Annotated[
    str | None,
    typer.Option(
        "--key-tag",
        metavar="NAME",
        help="The tag that says which prefix a call's prompt begins with.",
        show_default="prefix_key",
        rich_help_panel=ESTIMATE,
    ),
]
TokensTag = Annotated[
    str | None,
    typer.Option(
        "--tokens-tag",
        metavar="NAME",
        help="The tag with that prefix's length in tokens.",
        show_default="prefix_tokens",
        rich_help_panel=ESTIMATE,
    ),
]
Anew = Annotated[
    bool,
    typer.Option(
        "--anew",
        help="Simulate calls that use the cache already too, instead of leaving them as they are.",
        rich_help_panel=ESTIMATE,
    ),
]
Ttl = Annotated[
    list[str] | None,
    typer.Option(
        "--ttl",
        metavar="LENGTH",
        help="The lifetime of what is written: 300s, 5m, 1h. Repeatable. Default: all that the profile has.",
        rich_help_panel=CACHE,
    ),
]
ProfileName = Annotated[
    str | None,
    typer.Option(
        "--profile",
        metavar="NAME",
        help="How the cache works: anthropic, openai, gemini, gemini-explicit, plain. Default: by the model; "
        "of a trace without one, plain.",
        rich_help_panel=CACHE,
    ),
]
ProfilesFile = Annotated[
    str | None,
    typer.Option(
        "--profiles",
        metavar="FILE",
        help="Your own profiles, over the shipped ones; their form is shown in cache.example.yaml.",
        rich_help_panel=CACHE,
    ),
]
Model = Annotated[
    str | None,
    typer.Option(
        "--model",
        metavar="NAME",
        help="Of --trace, --book and --break-even: at this model's prices at the time of --now.",
        rich_help_panel=CACHE,
    ),
]
Block = Annotated[
    str | None,
    typer.Option(
        "--block",
        metavar="TOKENS",
        help="Of --trace: the tokens of a block.",
        show_default="512",
        rich_help_panel=CACHE,
    ),
]
Capacity = Annotated[
    str | None,
    typer.Option(
        "--capacity",
        metavar="BLOCKS",
        help="Of --trace: so many blocks fit, and the least recently used goes first. Default: no limit.",
        rich_help_panel=CACHE,
    ),
]
Static = Annotated[
    str | None,
    typer.Option(
        "--static",
        metavar="TOKENS",
        help="Tokens that every prompt begins with.",
        show_default="20000",
        rich_help_panel=EXAMPLE,
    ),
]
Query = Annotated[
    str | None,
    typer.Option(
        "--query",
        metavar="TOKENS",
        help="Other tokens of a prompt.",
        show_default="100",
        rich_help_panel=EXAMPLE,
    ),
]
Requests = Annotated[
    str | None,
    typer.Option(
        "--requests", metavar="N", help="Requests a day.", show_default="5000", rich_help_panel=EXAMPLE
    ),
]
Days = Annotated[
    str | None,
    typer.Option("--days", metavar="N", help="Days.", show_default="30", rich_help_panel=EXAMPLE),
]
Hours = Annotated[
    str | None,
    typer.Option(
        "--hours",
        metavar="N",
        help="Hours of a day that the requests are spread over, evenly.",
        show_default="24",
        rich_help_panel=EXAMPLE,
    ),
]

_OF = {
    "--ttl": ("", "--trace"),
    "--by": ("--actual",),
    **dict.fromkeys(("--stable", "--key-tag", "--tokens-tag", "--anew"), ("",)),
    "--model": ("--trace", "--book", "--break-even"),
    "--profile": ("--trace", "--break-even"),
}
"""Which questions an option is a part of; "" is the one that is asked where no other is."""

BOOK_MODEL = "claude-sonnet-4-20250514"


@command(
    app,
    "simulate-cache",
    FILTER,
    PERIOD,
    OUTPUT,
    MONEY,
    LEDGER,
    PRICES,
    doing="pricing the calls anew",
    examples="""
costctl simulate-cache --month 2024-10
costctl simulate-cache --last 30d --ttl 1h --stable 3000
costctl simulate-cache --actual --by model,team
costctl simulate-cache --book
costctl simulate-cache --trace trace.jsonl --ttl 300s
costctl simulate-cache --trace trace.jsonl --model claude-sonnet-4-5 --capacity 100000
costctl simulate-cache --break-even --model gemini-2.5-pro
""",
)
def simulate_cache(
    session: Session,
    trace: Trace = None,
    book: Book = False,
    break_even: BreakEven = False,
    actual: Actual = False,
    by: By = None,
    stable: Stable = None,
    key_tag: KeyTag = None,
    tokens_tag: TokensTag = None,
    anew: Anew = False,
    ttl: Ttl = None,
    profile: ProfileName = None,
    profiles: ProfilesFile = None,
    model: Model = None,
    block: Block = None,
    capacity: Capacity = None,
    static: Static = None,
    query: Query = None,
    requests: Requests = None,
    days: Days = None,
    hours: Hours = None,
) -> None:
    """Say what prompt caching would save, net of what writing costs.

    Of the ledger's calls it is an estimate, by project and lifetime: the ledger holds no prompts, so prefixes
    that a tag names, sessions, and stable parts of prompts stand for them. Caching pays only where what is
    written is read again before it is gone: where it would lose money, the answer says so.
    """
    ways = {
        "--trace": trace is not None, "--book": book, "--break-even": break_even, "--actual": actual,
    }  # fmt: skip
    chosen = [name for name, is_asked in ways.items() if is_asked]
    if len(chosen) > 1:
        raise SettingError(f"{' and '.join(chosen)} are different questions", "ask one of them")
    from costctl.simulate import cache_profiles

    known = cache_profiles.load(None if profiles is None else Path(profiles).expanduser())
    example = {
        "static": static, "query": query, "requests": requests, "days": days, "hours": hours,
    }  # fmt: skip
    of_example = {name: text for name, text in example.items() if text is not None}
    _refuse_unused(
        chosen,
        {
            **{f"--{name}": "--book" for name in of_example},
            **({"--block": "--trace"} if block is not None else {}),
            **({"--capacity": "--trace"} if capacity is not None else {}),
        },
    )
    question = chosen[0] if chosen else ""
    given = {
        "--ttl": bool(ttl), "--by": by is not None, "--stable": stable is not None,
        "--key-tag": key_tag is not None, "--tokens-tag": tokens_tag is not None, "--anew": anew,
        "--model": model is not None, "--profile": profile is not None,
    }  # fmt: skip
    for option, is_given in given.items():
        if is_given and question not in _OF[option]:
            places = [each or "the simulation of the ledger's calls" for each in _OF[option]]
            raise SettingError(f"{option} is a part of {' and '.join(places)}", "leave it out")
    if question in ("--trace", "--book", "--break-even"):
        session.refuse_of_ledger(question)
    if trace is not None:
        session.show(
            _of_trace(session, Path(trace).expanduser(), known, ttl, profile, model, block, capacity)
        )
    elif book:
        from costctl.simulate.cache_faq import Faq, faq

        numbers = {name: count(f"--{name}", text) for name, text in of_example.items()}
        session.show(
            faq(known, session.book, model=model or BOOK_MODEL, at=session.now, example=Faq(**numbers))
        )
    elif break_even:
        from costctl.simulate.cache_break_even import pays_from

        prices = session.book if model else None
        session.show(pays_from(known, profile=profile, model=model, book=prices, at=session.now))
    elif actual:
        from costctl.simulate.cache_actual import actual as really

        answer = really(
            session.ledger,
            by or "model,team",
            period=session.period,
            where=session.filters,
            grain=session.grain,
        )
        session.show(answer)
    else:
        session.show(_of_calls(session, known, ttl, stable, key_tag, tokens_tag, anew))


def _of_trace(
    session: Session,
    trace: Path,
    known: Profiles,
    ttl: list[str] | None,
    profile: str | None,
    model: str | None,
    block: str | None,
    capacity: str | None,
) -> Report:
    from costctl.simulate.cache_of_trace import of_trace
    from costctl.simulate.cache_profiles import seconds
    from costctl.simulate.traces import BLOCK

    return of_trace(
        trace,
        known,
        seconds=[seconds(each) for each in ttl or ()],
        profile=profile,
        model=model,
        book=session.book if model else None,
        at=session.now,
        block=BLOCK if block is None else count("--block", block, BLOCK),
        capacity=None if capacity is None else count("--capacity", capacity, 100_000),
    )


def _of_calls(
    session: Session,
    known: Profiles,
    ttl: list[str] | None,
    stable: str | None,
    key_tag: str | None,
    tokens_tag: str | None,
    anew: bool,
) -> Report:
    from costctl.simulate.cache import KEY_TAG, TOKENS_TAG, Cache
    from costctl.simulate.cache_of_calls import of_calls
    from costctl.simulate.cache_profiles import seconds

    return of_calls(
        session.ledger,
        Cache(
            known,
            stable=_stable(stable),
            key_tag=key_tag or KEY_TAG,
            tokens_tag=tokens_tag or TOKENS_TAG,
            anew=anew,
        ),
        book=session.book,
        period=session.period,
        seconds=[seconds(each) for each in ttl or ()],
        where=session.filters,
        grain=session.grain,
    )


def _stable(text: str | None) -> int | Literal["smallest", "none"]:
    match text:
        case None | "smallest":
            return "smallest"
        case "none":
            return "none"
    return count("--stable", text, 3000)


def _refuse_unused(chosen: list[str], options: dict[str, str]) -> None:
    """Refuse options of another question than the one ``chosen``."""
    for option, question in options.items():
        if question not in chosen:
            raise SettingError(f"{option} is a part of {question}", f"add {question}, or leave it out")
