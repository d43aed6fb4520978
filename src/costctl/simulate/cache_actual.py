"""What the ledger's real use of prompt caches saved and cost: each call beside itself without a cache.

Without one, what was read from it and written to it would have been plain input, at the same price row: the
prompt, and so its tier, is the same. What reading saved and writing cost beyond that is linear in tokens, so
tokens are summed by price row and multiplied at last.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from costctl.analysis.calls import Calls, filters_of, merged
from costctl.analysis.dimensions import Dimension, Key, dimensions, title
from costctl.analysis.grain import grain_of
from costctl.analysis.provenance import with_provenance
from costctl.filters import Filter
from costctl.ledger import Ledger
from costctl.money import rounded, share
from costctl.periods import Period
from costctl.report import Cell, Column, Report
from costctl.simulate.cache_of_trace import LOSES

_TOKENS = ("cache_read_tokens", "cache_write_5m_tokens", "cache_write_1h_tokens")
_USES = " + ".join(f"coalesce({each}, 0)" for each in _TOKENS) + " > 0"


@dataclass(frozen=True, slots=True)
class _Use:
    """Of the priced calls of one group. Amounts are pico-dollars."""

    requests: int = 0
    using: int = 0
    hits: int = 0
    read: int = 0
    written: int = 0
    prompt: int = 0
    cost: int = 0
    read_saving: int = 0
    write_premium: int = 0

    def __add__(self, other: _Use) -> _Use:
        return _Use(*(getattr(self, name) + getattr(other, name) for name in self.__slots__))

    @property
    def saving(self) -> int:
        return self.read_saving - self.write_premium


def actual(
    ledger: Ledger,
    by: str | Iterable[str] = ("model", "team"),
    *,
    period: Period,
    where: Iterable[str | Filter] = (),
    grain: str = "auto",
) -> Report:
    """What reading from the cache saved, what writing to it cost beyond plain input, and the difference, one
    row for each combination of ``by`` that used it. At the prices of the ledger; calls without a price are in
    no figure. Raises :class:`QuestionError`, FilterError and LedgerError."""
    asked, passed, of_grain = dimensions(by), filters_of(where), grain_of(grain)
    with ledger.reading() as engine:
        calls = Calls(engine, period, passed, of_grain)
        found = _by_group(calls, asked)
        whole = sum(found.values(), _Use())
        used = {key: each for key, each in found.items() if each.using}
        order = sorted(
            used, key=lambda key: (-used[key].saving, [(part is None, str(part or "")) for part in key])
        )
        rows: list[tuple[Cell, ...]] = [
            (*(each.label(part) for each, part in zip(asked, key, strict=True)), *_figures(used[key]))
            for key in order
        ]
        notes = [
            "saving: what reading cost less than plain input, less what writing cost more, at each call's "
            "own prices; the same prompts without a cache would have cost so much more"
        ]
        for key in order:
            if used[key].saving < 0:
                names = ", ".join(
                    str(each.label(part) or "(none)") for each, part in zip(asked, key, strict=True)
                )
                lost = rounded(-used[key].saving, 4)
                notes.append(f"{names}: the cache LOST ${lost:,f}: more was written than reading paid for")
        report = Report(
            command="simulate-cache",
            title=title("What the prompt cache really saved", asked),
            columns=(*(each.column for each in asked), *_COLUMNS),
            rows=rows,
            totals=(*(None for _ in asked), *_figures(whole)),
            notes=tuple(notes),
            figures={"saving": whole.saving, "cost_without_cache": whole.cost + whole.saving},
            figure_columns=(
                Column("saving", "money"),
                Column("cost_without_cache", "money"),
            ),
        )
        return with_provenance(report, calls, merged(calls.sums().values()))


_COLUMNS = (
    Column("requests", "count", wide=True),
    Column("hits", "count"),
    Column("hit_tokens", "tokens"),
    Column("written_tokens", "tokens"),
    Column("hit_ratio", "percent", wide=True),
    Column("cost", "money", wide=True),
    Column("read_saving", "money"),
    Column("write_premium", "money"),
    Column("saving", "money"),
    Column("saving_share", "percent", title="of cost without", wide=True),
    Column("verdict", "text"),
)


def _figures(use: _Use) -> tuple[Cell, ...]:
    return (
        use.requests,
        use.hits,
        use.read,
        use.written,
        share(use.read, use.prompt),
        use.cost,
        use.read_saving,
        use.write_premium,
        use.saving,
        share(use.saving, use.cost + use.saving),
        LOSES if use.saving < 0 else "saves" if use.saving > 0 else "",
    )


def _by_group(calls: Calls, by: tuple[Dimension, ...]) -> dict[Key, _Use]:
    engine = calls.engine
    keys, condition, parameters = calls.selection(by)
    names = [f"key_{number}" for number in range(len(by))]
    sums = ", ".join(f"coalesce(sum({each}), 0) AS {each}" for each in _TOKENS)
    rows = engine.rows(
        f"""WITH asked AS (
    SELECT {", ".join([*keys, "price_id, requests, cost_pico, input_tokens", *_TOKENS])}
    FROM calls WHERE {condition} AND cost_pico IS NOT NULL
),
summed AS (
    SELECT {", ".join([*names, "price_id"])}, coalesce(sum(requests), 0) AS requests,
        coalesce(sum(coalesce(requests, 1)) FILTER (WHERE {_USES}), 0) AS using_it,
        coalesce(sum(requests) FILTER (WHERE cache_read_tokens > 0), 0) AS hits,
        coalesce(sum(input_tokens), 0) AS input_tokens, {sums},
        {engine.money_sum("cost_pico")} AS cost
    FROM asked GROUP BY ALL
)
SELECT {", ".join([*names, ""])}requests, using_it, hits, input_tokens, {", ".join(_TOKENS)}, cost,
    p.input_pico, p.cache_read_pico, p.cache_write_5m_pico, p.cache_write_1h_pico
FROM summed LEFT JOIN prices AS p ON p.price_id = summed.price_id""",  # noqa: S608 (constants; values are bound)
        parameters,
    )
    found: dict[Key, _Use] = {}
    for row in rows:
        key, figures = tuple(row[: len(by)]), row[len(by) :]
        requests, using, hits, uncached, read, short, long, cost = map(int, figures[:8])
        # A kind that is not used may have no price.
        plain, reading, writing, writing_long = (int(each or 0) for each in figures[8:])
        found[key] = found.get(key, _Use()) + _Use(
            requests,
            using,
            hits,
            read,
            short + long,
            uncached + read + short + long,
            cost,
            read * (plain - reading),
            short * (writing - plain) + long * (writing_long - plain),
        )
    return found
