"""One price book beside another: where they disagree."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_HALF_EVEN, Decimal
from pathlib import Path

from costctl.pricing import litellm, own
from costctl.pricing.book import PriceBook
from costctl.pricing.catalogue import Catalogue
from costctl.pricing.reports import MILLION, PER_MILLION, said, utc
from costctl.pricing.rows import ANCESTORS, NO_TIER, TOKEN_PRICES, PriceRow
from costctl.records import FREE_UNITS
from costctl.report import Cell, Column, Report

COLUMNS = (
    Column("provider", "text"),
    Column("model", "text"),
    Column("mode", "text"),
    Column("region", "text", wide=True),
    Column("above", "tokens", title="prompt above"),
    Column("kind", "text"),
    Column("per", "text", wide=True),
    Column("ours", "money", PER_MILLION),
    Column("theirs", "money", PER_MILLION),
    Column("ratio", "number"),
)
"""provider, model: as the other book names them · mode; region: null where none is stated · above: the tier's
threshold, null in the base one · kind: ``input``, ``cache_read`` and so on, or a rare unit · per: ``million``
(tokens) or ``one`` · ours, theirs: USD for that many, null without a price · ratio: theirs / ours, null where
one of them is null or ours is 0."""


@dataclass(frozen=True, slots=True)
class Theirs:
    """A model of another price book: its names there, and its price rows. ``borrowed``: mode, lower bound and
    kind of prices that it does not state for that mode."""

    provider: str | None
    model: str
    rows: tuple[PriceRow, ...]
    borrowed: frozenset[tuple[str, int, str]] = frozenset()


@dataclass(frozen=True, slots=True)
class OtherBook:
    """Another price book. ``left_out``: how many of its models or entries are not compared, by the reason."""

    identifier: str
    models: tuple[Theirs, ...]
    left_out: Mapping[str, int]


def read(path: Path) -> OtherBook:
    """The price book in ``path``: a ``prices.yaml``, LiteLLM's table in JSON, or a catalogue of costctl's
    (its directory, or the ``index.json`` in it). Raises :class:`costctl.documents.DocumentError`."""
    directory = path.parent if path.name == "index.json" else path
    if (directory / "index.json").is_file():
        return _catalogue(directory)
    if path.suffix.lower() in {".yaml", ".yml"}:
        return _own(path)
    table = litellm.read(path)
    models = (
        Theirs(
            each.provider,
            each.model,
            tuple(each.rows(table.identifier)),
            frozenset((entry.mode, *borrowed) for entry in each.entries for borrowed in entry.borrowed),
        )
        for each in table.models
    )
    left_out = {reason: len(names) for reason, names in table.left_out.items()}
    return OtherBook(table.identifier, tuple(dict.fromkeys(models)), left_out)


def _catalogue(directory: Path) -> OtherBook:
    from costctl.documents import DocumentError

    try:
        catalogue = Catalogue(directory)
        models = tuple(Theirs(each.provider, each.model, each.rows) for each in PriceBook(catalogue).models())
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        raise DocumentError(str(directory), 0, 0, "this is not a whole catalogue of prices") from None
    return OtherBook(catalogue.identifier, models, {})


def _own(path: Path) -> OtherBook:
    book = own.read(path, Catalogue())
    prices = [price for layer in book.layers for price in layer.prices]
    found: dict[tuple[str | None, str], list[PriceRow]] = {}
    for price in prices:
        if not price.scope.model.endswith("*"):
            found.setdefault((price.scope.provider, price.rows[0].model), []).extend(price.rows)
    left_out = {
        "a name that stands for several": sum(price.scope.model.endswith("*") for price in prices),
        "a multiplier": sum(len(layer.multipliers) for layer in book.layers),
    }
    return OtherBook(
        book.identifier,
        tuple(Theirs(*names, tuple(rows)) for names, rows in found.items()),
        {reason: count for reason, count in left_out.items() if count},
    )


@dataclass(frozen=True, slots=True)
class _Price:
    """A kind's price in both books, in one mode, region and tier; None where there is none."""

    mode: str
    region: str | None
    above: int
    kind: str
    ours: int | None
    theirs: int | None


def difference(
    book: PriceBook,
    other: OtherBook,
    *,
    provider: str | None = None,
    containing: str | None = None,
    at: datetime | None = None,
    every: bool = False,
) -> Report:
    """``costctl prices diff``: the prices at ``at`` (aware, or naive UTC; by default now) in which ``book``
    and ``other`` disagree, of the models that both know; with ``every`` also what one of them alone prices.

    A kind without a price of its own costs what its wider kind costs, in both; where both leave it at that,
    it has no row. ``provider`` is a provider as calls name it, ``containing`` a part of a model's name.
    Columns :data:`COLUMNS`.
    """
    now = utc(at)
    part = (containing or "").lower()
    wanted = None if provider is None else book.provider(provider)
    rows: list[tuple[Cell, ...]] = []
    shared = same = one_sided = 0
    only_theirs: list[str] = []
    met: set[tuple[str, str]] = set()
    for each in other.models:
        match = book.resolve(each.provider, each.model)
        if match is not None:
            met.add((match.provider, match.model.lower()))
        named = book.provider(each.provider) if each.provider else match.provider if match else None
        if part not in each.model.lower() or wanted not in (None, named):
            continue
        shared += match is not None
        if match is None:
            only_theirs.append(each.model)
            if not every:
                continue
        ours = book.rows_for([(each.provider, each.model)])[each.provider, each.model]
        for price in _compared(ours, each.rows, now, each.borrowed):
            if price.ours == price.theirs:
                same += 1
            elif None in (price.ours, price.theirs) and not every:
                one_sided += 1
            else:
                rows.append(_cells(each.provider, each.model, price))
    only_ours = 0
    for model in book.models(provider):
        is_met = (model.provider, model.model.lower()) in met
        if not is_met and part in model.model.lower() and not model.model.endswith("*"):
            only_ours += 1
            if every:
                rows += [_cells(model.provider, model.model, each) for each in _compared(model.rows, (), now)]
    return Report(
        command="prices diff",
        title=f"Our prices beside those of {other.identifier}, USD per million tokens",
        columns=COLUMNS,
        rows=rows,
        filters=(f"model contains {containing}",) if containing else (),
        price_books=(*book.identifiers, other.identifier),
        notes=tuple(_notes(now, shared, same, one_sided, len(only_theirs), only_ours, other, every)),
    )


def _notes(
    now: datetime,
    shared: int,
    same: int,
    one_sided: int,
    only_theirs: int,
    only_ours: int,
    other: OtherBook,
    every: bool,
) -> Iterator[str]:
    yield f"Prices at {said(now)} UTC. Both know {shared:,} models; {same:,} prices of these are the same."
    alone = f"Only the other book knows {only_theirs:,} models, only ours {only_ours:,}"
    if every:
        yield f"{alone}."
    elif only_theirs or only_ours or one_sided:
        yield f"{alone}; {one_sided:,} prices of shared ones are in one book only: --all shows them."
    if other.left_out:
        reasons = "; ".join(f"{reason} ({count:,})" for reason, count in other.left_out.items())
        yield f"Not compared of the other book: {reasons}."


def _cells(provider: str | None, model: str, price: _Price) -> tuple[Cell, ...]:
    per = MILLION if price.kind in TOKEN_PRICES or price.kind.endswith("_tokens") else 1
    ratio = None
    if price.ours and price.theirs is not None:
        ratio = (Decimal(price.theirs) / price.ours).quantize(Decimal("0.0001"), rounding=ROUND_HALF_EVEN)
    return (
        provider or None,
        model,
        price.mode,
        price.region,
        None if price.above == NO_TIER else price.above,
        price.kind,
        "million" if per == MILLION else "one",
        None if price.ours is None else price.ours * per,
        None if price.theirs is None else price.theirs * per,
        ratio,
    )


Context = tuple[str, str | None]
"""A mode and a region."""


def _compared(
    ours: Iterable[PriceRow],
    theirs: Iterable[PriceRow],
    now: datetime,
    borrowed: Collection[tuple[str, int, str]] = (),
) -> Iterator[_Price]:
    """Each kind that one of both has a price for that is its own, in every mode, region and tier."""
    mine, others = _holding(ours, now), _holding(theirs, now)
    for context in dict.fromkeys((*mine, *others)):
        rows_of = mine.get(context, []), others.get(context, [])
        before: tuple[PriceRow | None, PriceRow | None] | None = None
        for above in sorted({row.tier_above for rows in rows_of for row in rows}):
            pair = _at(rows_of[0], above), _at(rows_of[1], above)
            if pair != before:
                lower = pair[1].tier_above if pair[1] else above
                for price in _kinds(context, above, *pair):
                    if (price.mode, lower, price.kind) not in borrowed:
                        yield price
            before = pair


def _kinds(context: Context, above: int, ours: PriceRow | None, theirs: PriceRow | None) -> Iterator[_Price]:
    prices, other_prices = _prices(ours), _prices(theirs)
    for kind in dict.fromkeys((*prices, *other_prices)):
        if not (_follows(kind, prices) and _follows(kind, other_prices)):
            yield _Price(*context, above, kind, prices.get(kind), other_prices.get(kind))


def _holding(rows: Iterable[PriceRow], now: datetime) -> dict[Context, list[PriceRow]]:
    second = now.hour * 3600 + now.minute * 60 + now.second
    found: dict[Context, list[PriceRow]] = {}
    for row in rows:
        begun = row.effective_from is None or row.effective_from <= now
        ended = row.effective_to is not None and row.effective_to <= now
        if begun and not ended and row.window_start <= second < row.window_end:
            found.setdefault((row.mode, row.region), []).append(row)
    return found


def _at(rows: Sequence[PriceRow], above: int) -> PriceRow | None:
    """The one for prompts of one token more than ``above``."""
    return next((row for row in rows if row.tier_above <= above < row.tier_to), None)


def _prices(row: PriceRow | None) -> dict[str, int]:
    if row is None:
        return {}
    tokens = {kind: getattr(row, kind) for kind in TOKEN_PRICES}
    units = {unit: price for unit, price in row.other_units if unit not in FREE_UNITS}
    request = {"request": row.request} if row.request else {}
    return {kind: price for kind, price in (tokens | request | units).items() if price is not None}


def _follows(kind: str, prices: Mapping[str, int]) -> bool:
    """Whether a kind has no price but a wider kind's."""
    return kind not in prices or prices[kind] in [prices.get(each) for each in ANCESTORS.get(kind, ())]
