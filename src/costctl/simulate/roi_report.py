"""``roi``: a case, and what comes of it, as a report."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import ROUND_HALF_EVEN, Context, Decimal, localcontext

from costctl.currency import USD, Rate
from costctl.money import PICO_PER_USD
from costctl.report import Cell, Column, Report
from costctl.simulate.roi import DAYS_A_MONTH, Appraisal, Terms, appraise, implied_saving, roundest
from costctl.simulate.saving import Outlook, Saving

MONTHS = (12, 24, 36)
VOLUMES = (Decimal("-0.5"), Decimal("0.5"))
DISCOUNT_RATE = Decimal("0.10")

_WIDE = Context(prec=50, rounding=ROUND_HALF_EVEN)


@dataclass(frozen=True, slots=True)
class Item:
    """An amount with a name: of an investment, or of what it costs to run for a month."""

    amount: Decimal
    name: str = ""
    currency: str = USD


@dataclass(frozen=True, slots=True)
class Case:
    """What :func:`roi` is asked. ``rates`` has one of every currency but USD that an item or the saving is
    in; shares are fractions; ``months`` ascend. ``volumes`` are the changes of the number of calls that the
    table of sensitivity shows. ``claimed`` is a yearly return to compare with, its last digit where it was.
    """

    investment: tuple[Item, ...]
    saving: Saving
    running_cost: tuple[Item, ...] = ()
    rates: Mapping[str, Rate] = field(default_factory=dict)
    discount_rate: Decimal = DISCOUNT_RATE
    price_decay: Decimal = Decimal(0)
    months: tuple[int, ...] = MONTHS
    volumes: tuple[Decimal, ...] = VOLUMES
    claimed: Decimal | None = None
    in_both: bool = True
    """Whether investment and saving are shown in the one other currency that occurs too."""
    outlook: Outlook | None = None
    """What the calls will cost: the saving moves as they do. It takes a saving whose ``cost`` is known."""


def roi(case: Case) -> Report:
    """The case as stated in the first row, then what moves with volume, with the saving's interval and
    without falling prices. All in USD; where one other currency occurs, what is put in and saved in it too.
    Raises ValueError where nothing is invested.
    """
    terms = _terms(case, case.saving.monthly)
    rows = [(name, each, appraise(each, case.months)) for name, each in _variants(case, terms)]
    figures: list[tuple[Column, Cell]] = [
        (Column("investment", "money"), _pico(terms.investment)),
        (Column("monthly_saving", "money"), _pico(terms.saving)),
        (Column("annual_saving", "money"), _pico(12 * terms.saving)),
        (Column("monthly_running_cost", "money"), _pico(terms.running_cost)),
    ]
    for currency in case.rates if case.in_both and len(case.rates) == 1 else ():
        figures += _in_currency(case, currency)
    figures.append((Column("discount_rate", "percent", title="discount rate a year"), case.discount_rate))
    if case.price_decay:
        figures.append((Column("price_decay", "percent", title="prices fall a year"), case.price_decay))
    return Report(
        command="roi",
        title="Return on investment",
        columns=_columns(case.months),
        rows=[_row(*each) for each in rows],
        complete=case.saving.complete,
        notes=tuple(_notes(case, terms, rows[0][2])),
        figures={column.name: value for column, value in figures},
        figure_columns=tuple(column for column, _ in figures),
    )


def _terms(case: Case, saving: Decimal) -> Terms:
    return Terms(
        investment=_sum(case, case.investment),
        saving=saving,
        running_cost=_sum(case, case.running_cost),
        discount_rate=case.discount_rate,
        price_decay=case.price_decay,
    )


def _variants(case: Case, terms: Terms) -> Iterator[tuple[str, Terms]]:
    yield "as stated", terms
    if case.outlook is not None and case.saving.cost:
        for name, cost in (
            ("forecast", case.outlook.expected),
            ("forecast, at least", case.outlook.low),
            ("forecast, at most", case.outlook.high),
        ):
            with localcontext(_WIDE):
                yield name, _terms(case, terms.saving * cost / case.saving.cost)
    for change in case.volumes:
        yield f"volume {_percent(change, '+')}", _terms(case, _WIDE.multiply(terms.saving, 1 + change))
    if case.saving.low is not None and case.saving.high is not None:
        yield "saving at its lower end", _terms(case, case.saving.low)
        yield "saving at its upper end", _terms(case, case.saving.high)
    if case.price_decay:
        stable = Terms(terms.investment, terms.saving, terms.running_cost, terms.discount_rate)
        yield "prices as they are", stable


def _columns(months: tuple[int, ...]) -> tuple[Column, ...]:
    return (
        Column("case", "text"),
        Column("monthly_benefit", "money"),
        Column("payback", "text"),
        Column("payback_months", "number", unit="months", hidden=True),
        Column("payback_days", "number", unit="days", hidden=True),
        Column("discounted_payback", "text", wide=True),
        Column("discounted_payback_months", "number", unit="months", hidden=True),
        *(
            Column(f"npv_{month}", "money", title=f"NPV {month} months", wide=month != months[0])
            for month in months
        ),
        Column("annual_roi_gross", "percent", title="ROI gross"),
        Column("annual_roi_net", "percent", title="ROI net"),
        Column("benefit_cost_ratio", "number", wide=True),
        Column("irr_monthly", "percent", title="IRR a month", wide=True),
    )


def _row(name: str, terms: Terms, found: Appraisal) -> tuple[Cell, ...]:
    return (
        name,
        _pico(terms.benefit),
        _payback(found.payback),
        _places(found.payback, 6),
        None if found.payback is None else _places(_WIDE.multiply(found.payback, DAYS_A_MONTH), 4),
        _payback(found.discounted_payback),
        _places(found.discounted_payback, 6),
        *map(_pico, found.npv),
        _places(found.gross, 6),
        _places(found.net, 6),
        _places(found.benefit_cost_ratio, 6),
        _places(found.irr, 6),
    )


def _payback(months: Decimal | None) -> str:
    if months is None:
        return "never"
    return f"{months:.2f} months ({_WIDE.multiply(months, DAYS_A_MONTH):,.1f} days)"


def _notes(case: Case, terms: Terms, found: Appraisal) -> Iterator[str]:
    for rate in case.rates.values():
        of = f", {rate.source}" if rate.source else f", the rate of {rate.day.isoformat()}"
        yield f"1 USD is {rate.per_usd:f} {rate.currency}{of}"
    for title, items in (("invested", case.investment), ("to run, a month", case.running_cost)):
        if len(items) > 1 or any(item.name for item in items):
            yield f"{title}: {', '.join(_named(item) for item in items)}"
    yield f"the saving is {case.saving.basis}"
    with localcontext(_WIDE):
        monthly = (1 + terms.discount_rate) ** (Decimal(1) / 12) - 1
    if case.outlook is not None:
        yield (
            f"the forecast is that of {case.outlook.basis}; the saving is taken to be the same part of what "
            "calls cost; in four of five cases they cost no less than its least and no more than its most"
        )
    yield (
        "the investment is paid at once and benefits come monthly; "
        f"{_percent(terms.discount_rate)} a year is {_percent(monthly)} a month; "
        f"a payback's days are {DAYS_A_MONTH} a month"
    )
    if terms.price_decay:
        yield (
            f"prices fall by {_percent(terms.price_decay)} a year, and with them what is saved; "
            "the cost to run stays"
        )
    yield (
        "ROI gross is the first year's benefit as a share of the investment; net is what is left of it after "
        "the investment itself, which is 100 points less"
    )
    if found.payback is None:
        yield "never: the benefits do not reach the investment"
    if found.irr is None:
        yield "no IRR: the flows do not change sign exactly once"
    if case.claimed is not None:
        yield from _claim(case.claimed, terms, found)


def _claim(claimed: Decimal, terms: Terms, found: Appraisal) -> Iterator[str]:
    """What a claimed yearly return would have to mean."""
    exponent = claimed.as_tuple().exponent
    assert isinstance(exponent, int)
    unit = Decimal(1).scaleb(min(exponent, 0))
    said = _percent(claimed)
    shown = f"gross {_percent(_at(found.gross, unit))}, net {_percent(_at(found.net, unit))}"
    for name, value in (("gross", found.gross), ("net", found.net)):
        if _at(value, unit) == claimed:
            yield f"{said} is claimed: that is the {name} return ({shown})"
            return
    near = "gross" if abs(found.gross - claimed) <= abs(found.net - claimed) else "net"
    gross = claimed + (near == "net")
    low, high = (implied_saving(terms, gross + sign * unit / 2) for sign in (-1, 1))
    if high <= 0:
        yield f"{said} is claimed, which no saving gives: {shown} come out"
        return
    instead = roundest(max(low, Decimal(0)), high)
    yield (
        f"{said} is claimed, but {shown} come out; it is nearest to the {near} return, and is what a saving "
        f"of ${instead:,f} a month would give, instead of ${_at(terms.saving, Decimal('0.01')):,f}"
    )


def _named(item: Item) -> str:
    return f"{item.name or 'other'} {item.amount:,f} {item.currency}"


def _in_currency(case: Case, currency: str) -> Iterator[tuple[Column, Cell]]:
    """Investment and monthly saving in ``currency``, exact where they are stated in it."""
    per_usd = case.rates[currency].per_usd
    with localcontext(_WIDE):
        invested = sum(
            (item.amount if item.currency == currency else item.amount * per_usd for item in case.investment),
            Decimal(0),
        )
        saved = case.saving.monthly * per_usd
    name = currency.lower()
    yield Column(f"investment_{name}", "money", currency, f"investment in {currency}"), _places(invested, 12)
    column = Column(f"monthly_saving_{name}", "money", currency, f"monthly saving in {currency}")
    yield column, _places(saved, 12)


def _sum(case: Case, items: Iterable[Item]) -> Decimal:
    """USD."""
    with localcontext(_WIDE):
        return sum((in_usd(item, case.rates) for item in items), Decimal(0))


def in_usd(item: Item, rates: Mapping[str, Rate]) -> Decimal:
    """The amount in USD, with 50 digits."""
    return item.amount if item.currency == USD else _WIDE.divide(item.amount, rates[item.currency].per_usd)


def _pico(usd: Decimal) -> int:
    return int(_WIDE.multiply(usd, PICO_PER_USD).to_integral_value(ROUND_HALF_EVEN))


def _places(value: Decimal | None, places: int) -> Decimal | None:
    return None if value is None else _at(value, Decimal(1).scaleb(-places))


def _at(value: Decimal, unit: Decimal) -> Decimal:
    return value.quantize(unit, ROUND_HALF_EVEN, _WIDE)


def _percent(share: Decimal, sign: str = "") -> str:
    """``10%``, ``0.7974%``, ``+50%``: up to four decimal places, without zeros at the end."""
    shown = f"{_at(share * 100, Decimal('0.0001')):{sign},f}"
    return (shown.rstrip("0").rstrip(".") if "." in shown else shown) + "%"
