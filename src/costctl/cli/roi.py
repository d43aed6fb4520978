"""``costctl roi``."""

from __future__ import annotations

import re
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from costctl.cli.session import FILTER, LEDGER, MONEY, OUTPUT, PERIOD, PRICES, Session, command
from costctl.cli.values import amount, count
from costctl.config import SettingError

if TYPE_CHECKING:
    from costctl.currency import Rate
    from costctl.simulate.roi_file import Stated
    from costctl.simulate.saving import Saving

app = typer.Typer()

CASE, ASSUMED = "Case", "Assumptions"

Plan = Annotated[
    str | None,
    typer.Option(
        "--plan",
        metavar="FILE",
        help="A roi.yaml, which says all of this; options count before what it says.",
        rich_help_panel=CASE,
    ),
]
Investment = Annotated[
    list[str] | None,
    typer.Option(
        "--investment", metavar="AMOUNT", help="What is paid once. Repeatable.", rich_help_panel=CASE
    ),
]
InvestmentCurrency = Annotated[
    str | None,
    typer.Option(
        "--investment-currency",
        metavar="CODE",
        help="The currency of --investment, as in TWD.",
        show_default="USD",
        rich_help_panel=CASE,
    ),
]
RateOption = Annotated[
    str | None,
    typer.Option(
        "--rate",
        metavar="NUMBER",
        help="How much of the investment's currency one USD is. Default: the one of currency.yaml.",
        rich_help_panel=CASE,
    ),
]
SavingOption = Annotated[
    str | None,
    typer.Option(
        "--saving",
        metavar="AMOUNT|FILE",
        help="What is saved a month: USD, the JSON of a report of simulate or compare, or a plan.yaml, which "
        "is simulated on the ledger's calls of the period.",
        rich_help_panel=CASE,
    ),
]
RunningCost = Annotated[
    str | None,
    typer.Option(
        "--running-cost", metavar="USD", help="What it costs to run, a month.", rich_help_panel=CASE
    ),
]
DiscountRate = Annotated[
    str | None,
    typer.Option(
        "--discount-rate",
        metavar="SHARE",
        help="What money costs a year, as in 10% or 0.10.",
        show_default="10%",
        rich_help_panel=ASSUMED,
    ),
]
PriceDecay = Annotated[
    str | None,
    typer.Option(
        "--price-decay",
        metavar="SHARE",
        help="By how much the prices of models fall in a year; the saving falls with them.",
        show_default="0%",
        rich_help_panel=ASSUMED,
    ),
]
Months = Annotated[
    str | None,
    typer.Option(
        "--months",
        metavar="LIST",
        help="After how many months the net present value is told.",
        show_default="12,24,36",
        rich_help_panel=ASSUMED,
    ),
]
Volume = Annotated[
    str | None,
    typer.Option(
        "--volume",
        metavar="LIST",
        help="Changes of the number of calls that the table shows.",
        show_default="-50%,+50%",
        rich_help_panel=ASSUMED,
    ),
]
ForecastFile = Annotated[
    str | None,
    typer.Option(
        "--forecast",
        metavar="FILE",
        help="The JSON of costctl forecast: show also what is saved of the calls that it tells of.",
        rich_help_panel=ASSUMED,
    ),
]
Claimed = Annotated[
    str | None,
    typer.Option(
        "--claimed",
        metavar="SHARE",
        help="A yearly return that somebody states, as in 3385%: say what it would take.",
        rich_help_panel=ASSUMED,
    ),
]


@command(
    app,
    "roi",
    PERIOD,
    FILTER,
    OUTPUT,
    MONEY,
    LEDGER,
    PRICES,
    examples="""
costctl roi --investment 50000 --saving 6000 --running-cost 500
costctl roi --investment 970000 --investment-currency TWD --rate 32.0065 --saving 85550
costctl roi --investment 50000 --saving simulated.json --price-decay 20%
costctl roi --plan roi.yaml --format md
""",
)
def roi(
    session: Session,
    plan: Plan = None,
    investment: Investment = None,
    investment_currency: InvestmentCurrency = None,
    rate: RateOption = None,
    saving: SavingOption = None,
    running_cost: RunningCost = None,
    discount_rate: DiscountRate = None,
    price_decay: PriceDecay = None,
    months: Months = None,
    volume: Volume = None,
    forecast: ForecastFile = None,
    claimed: Claimed = None,
) -> None:
    """Say whether an investment pays: payback, net present value and return.

    The rows show the case as stated, and with fewer and more calls. Period and filter choose the calls on
    which a plan.yaml is simulated.
    """
    from costctl.simulate.roi_file import Stated, read
    from costctl.simulate.roi_report import Case, Item
    from costctl.simulate.roi_report import roi as answer
    from costctl.simulate.saving import read_outlook

    stated = read(Path(plan).expanduser()) if plan else Stated()
    if investment:
        currency = _currency(investment_currency)
        items = tuple(Item(amount("--investment", text), currency=currency) for text in investment)
        stated = replace(stated, investment=items)
    elif investment_currency is not None:
        raise SettingError("--investment-currency says what --investment is in", "add --investment")
    if rate is not None:
        if len(stated.currencies) != 1:
            hint = (
                "add --investment-currency TWD"
                if not stated.currencies
                else "name them under rates in roi.yaml"
            )
            raise SettingError("--rate is that of one other currency than USD", hint)
        stated = replace(stated, rates={stated.currencies[0]: _rate(rate)})
    if saving is not None:
        file = Path(saving).expanduser()
        is_file = file.suffix.lower() in (".json", ".yaml", ".yml")
        stated = replace(stated, saving=file if is_file else Item(amount("--saving", saving)))
    if running_cost is not None:
        stated = replace(stated, running_cost=(Item(amount("--running-cost", running_cost)),))
    if discount_rate is not None:
        stated = replace(stated, discount_rate=_share("--discount-rate", discount_rate, 10))
    if price_decay is not None:
        stated = replace(stated, price_decay=_share("--price-decay", price_decay, 1))
    if months is not None:
        stated = replace(stated, months=_months(months))
    if volume is not None:
        changes = tuple(_share("--volume", text, None) for text in volume.split(","))
        if min(changes) < -1:
            raise SettingError(f"--volume: {volume!r}: there are no fewer calls than none", "as in -50%,+50%")
        stated = replace(stated, volumes=changes)
    if forecast is not None:
        stated = replace(stated, forecast=Path(forecast).expanduser())
    if claimed is not None:
        stated = replace(stated, claimed=_share("--claimed", claimed, None))
    if not sum(item.amount for item in stated.investment):
        raise SettingError("nothing is invested", "add --investment 50000, or name a roi.yaml with --plan")
    if stated.saving is None:
        hint = "add --saving 6000, or --saving FILE with the JSON of a report of simulate or compare"
        raise SettingError("nothing says what is saved", hint)
    rates = _rates(session, stated)
    saved = _saving(session, stated, rates)
    if stated.forecast is not None and not saved.cost:
        hint = "give --saving the JSON of a simulation, or a plan.yaml"
        raise SettingError("--forecast: nothing says what the calls cost whose saving is stated", hint)
    session.show(
        answer(
            Case(
                investment=stated.investment,
                saving=saved,
                running_cost=stated.running_cost,
                rates=rates,
                discount_rate=stated.discount_rate,
                price_decay=stated.price_decay,
                months=stated.months,
                volumes=stated.volumes,
                claimed=stated.claimed,
                in_both=not session.converts,
                outlook=None if stated.forecast is None else read_outlook(stated.forecast),
            )
        )
    )


def _saving(session: Session, stated: Stated, rates: dict[str, Rate]) -> Saving:
    from costctl.simulate.roi_report import Item, in_usd
    from costctl.simulate.saving import Saving, of_answer, read

    said = stated.saving
    if isinstance(said, Item):
        return Saving(in_usd(said, rates), f"{said.amount:,f} {said.currency} a month, as stated")
    assert said is not None
    if said.suffix.lower() == ".json":
        return read(said)
    from costctl.cli.simulate import of_plan

    return of_answer(of_plan(session, said), said.name)


def _rates(session: Session, stated: Stated) -> dict[str, Rate]:
    """A rate of every currency that occurs. Raises :class:`costctl.currency.CurrencyError`, and what
    :attr:`Session.rates` raises."""
    from costctl.currency import Rate

    today = session.now.astimezone(session.settings.zone).date()
    given = stated.rates or {}
    return {
        currency: Rate(currency, given[currency], today, "as given")
        if currency in given
        else replace(session.rates.on(currency, today), source="")
        for currency in stated.currencies
    }


def _currency(code: str | None) -> str:
    if code is None:
        return "USD"
    if not re.fullmatch("[A-Za-z]{3}", code):
        raise SettingError(f"--investment-currency: {code!r} is no currency", "three letters, as in TWD")
    return code.upper()


def _rate(text: str) -> Decimal:
    found = amount("--rate", text)
    if not found:
        raise SettingError(f"--rate: {text!r} is no rate", "as in --rate 32.0065")
    return found


def _share(option: str, text: str, below: int | None) -> Decimal:
    """A fraction; from 0 up to ``below``, where there is one."""
    from costctl.simulate.roi_file import share

    try:
        found = share(text)
    except ValueError:
        raise SettingError(f"{option}: {text!r} is no share", f"as in {option} 10%") from None
    if below is not None and not 0 <= found < below:
        raise SettingError(f"{option}: {text!r} is not from 0% to {below}00%", f"as in {option} 10%")
    return found


def _months(text: str) -> tuple[int, ...]:
    from costctl.simulate.roi import LONGEST

    found = sorted({count("--months", each.strip(), 12) for each in text.split(",")})
    if not 1 <= found[0] <= found[-1] <= LONGEST:
        raise SettingError(
            f"--months: {text!r} are no months from 1 to {LONGEST:,}", "as in --months 12,24,36"
        )
    return tuple(found)
