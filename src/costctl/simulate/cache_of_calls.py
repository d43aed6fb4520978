"""What caching prompts would save on the ledger's calls, by project and lifetime: an estimate."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields, replace
from fractions import Fraction
from typing import Any

from costctl.analysis.calls import Calls, filters_of
from costctl.analysis.grain import grain_of
from costctl.filters import Filter
from costctl.ledger import Ledger, tag_path
from costctl.money import rounded, share
from costctl.periods import Period
from costctl.pricing import sql
from costctl.pricing.book import PriceBook
from costctl.report import Cell, Column, Report
from costctl.simulate.cache import DEFAULT_TTL, Cache, CacheRule, basis
from costctl.simulate.cache_of_trace import LOSES, fraction
from costctl.simulate.cache_profiles import said
from costctl.simulate.cache_profiles import seconds as seconds_of
from costctl.simulate.state import States

BEST = "best"

_COLUMNS = (
    Column("project", "text"),
    Column("lifetime", "text"),
    Column("calls", "count", wide=True),
    Column("hits", "count"),
    Column("misses", "count"),
    Column("hit_tokens", "tokens"),
    Column("written_tokens", "tokens"),
    Column("hit_ratio", "percent", wide=True),
    Column("break_even", "percent", wide=True),
    Column("read_saving", "money", wide=True),
    Column("write_premium", "money", wide=True),
    Column("storage", "money", wide=True),
    Column("saving", "money"),
    Column("saving_share", "percent", title="of its cost"),
    Column("by_key", "money", title="by key", wide=True),
    Column("by_session", "money", title="by session", wide=True),
    Column("by_stable_part", "money", title="by stable part", wide=True),
    Column("verdict", "text"),
)


@dataclass(frozen=True, slots=True)
class _Found:
    """What the cache does to the calls of one project, or of several. Amounts are pico-dollars."""

    cost: int = 0
    """Of all its priced calls, as they are."""
    calls: int = 0
    hits: int = 0
    hit_tokens: int = 0
    written_tokens: int = 0
    write_premium: int = 0
    if_read: int = 0
    """What would be saved if all cached tokens were read, and what it would cost if all were written."""
    if_written: int = 0
    storage: int = 0
    saving: int = 0
    by_key: int = 0
    by_session: int = 0
    by_stable_part: int = 0

    def __add__(self, other: _Found) -> _Found:
        names = self.__slots__
        return _Found(*(getattr(self, name) + getattr(other, name) for name in names))

    @property
    def read_saving(self) -> int:
        return self.saving + self.write_premium + self.storage

    @property
    def break_even(self) -> Fraction | None:
        """The part of the cached tokens of each call that has to be read for caching to pay; None where it
        cannot lose."""
        if self.if_written <= 0 or self.if_read <= 0:
            return None
        return Fraction(self.if_written, self.if_read + self.if_written)


def of_calls(
    ledger: Ledger,
    lever: Cache,
    *,
    book: PriceBook,
    period: Period,
    seconds: Sequence[int] = (),
    where: Iterable[str | Filter] = (),
    grain: str = "auto",
) -> Report:
    """One row for each project and lifetime in ``seconds``; without any, for each that the models of the
    calls have. ``lever`` says all but the lifetime.

    A project's best lifetime is that of its greatest saving; none, where all of them lose money. Figures:
    ``cost_before``, ``cost_after`` and ``saving`` with every project at its best; of one lifetime only, with
    every project at that. Raises
    :class:`QuestionError`, FilterError and LedgerError.
    """
    passed, of_grain = filters_of(where), grain_of(grain)
    with ledger.reading() as engine:
        calls = Calls(engine, period, passed, of_grain)
        models_of = _models(calls)
        models = sorted({model for each in models_of.values() for model in each})
        lifetimes = list(dict.fromkeys(seconds)) or _lifetimes(lever, models)
        found: dict[str | None, dict[int, _Found]] = {}
        states: dict[int, States] = {}
        missed: dict[int, dict[str, int]] = {}
        for ttl in lifetimes:
            tried = _Tried(**{**_parts(lever), "ttl": ttl, "rules": (), "lifetimes": tuple(lifetimes)})
            states[ttl] = States.of(calls, book, [tried])
            of_ttl, missed[ttl] = _by_project(states[ttl], lever)
            for project, each in of_ttl.items():
                if seconds or ttl in _lifetimes(lever, models_of[project], lifetimes):
                    found.setdefault(project, {})[ttl] = each
        only = lifetimes[0] if len(lifetimes) == 1 else None
        picked = {project: only or _best(each) for project, each in found.items()}
        notes = [*_uncached(calls, lever, models), *_not_to_be_had(lever, models, seconds)]
        report = _report(found, picked, lifetimes, notes, is_smallest=lever.stable == "smallest")
        return states[lifetimes[0]].told(report, [missed[lifetimes[0]]])


@dataclass(frozen=True, slots=True)
class _Tried(Cache):
    """A lever that is tried with several lifetimes, of which this is one."""

    lifetimes: tuple[int, ...] = ()

    def lifetime(self) -> str:
        return " or ".join(map(said, self.lifetimes))


def _parts(lever: Cache) -> dict[str, Any]:
    return {each.name: getattr(lever, each.name) for each in fields(Cache)}


def chosen(lever: Cache, report: Report) -> Cache:
    """``lever`` with the lifetimes that are the best in ``report``, an answer of :func:`of_calls`."""
    best = {row[0]: row[1] for row in report.rows if row[-1] == BEST}
    rules = tuple(
        CacheRule((Filter("project", "=", ((str(project),) if project else (),)),), seconds_of(str(ttl)))
        for project, ttl in best.items()
    )
    return replace(lever, ttl=None, rules=rules)


def _models(calls: Calls) -> dict[str | None, list[str]]:
    """The models of the calls, by project."""
    _, condition, parameters = calls.selection(())
    found: dict[str | None, list[str]] = {}
    for project, model in calls.engine.rows(
        f"SELECT DISTINCT project, model FROM calls WHERE {condition}",  # noqa: S608
        parameters,
    ):
        found.setdefault(project, []).append(model)
    return found


def _lifetimes(lever: Cache, models: Iterable[str], otherwise: Sequence[int] = (DEFAULT_TTL,)) -> list[int]:
    """In seconds, those of all ``models`` that have a profile, shortest first; ``otherwise`` if none has."""
    profiles = ((lever.profiles.of(model), model) for model in models)
    found = {
        lifetime.seconds
        for profile, model in profiles
        if profile is not None
        for lifetime in profile.rules_of(model).lifetimes
    }
    return sorted(found) or list(otherwise)


def _by_project(states: States, lever: Cache) -> tuple[dict[str | None, _Found], dict[str, int]]:
    """What is found by project; and how many calls stay, by the reason why."""
    money = states.calls.engine.money_sum
    tag = basis(states.calls.engine.tag())
    saved = "spent_0 - spent_1"
    premium = " + ".join(
        f"({column} - coalesce(was_{column}, 0)) * (p.{column.removesuffix('_tokens')}_pico - p.input_pico)"
        for column in ("cache_write_5m_tokens", "cache_write_1h_tokens")
    )
    written = "cache_write_5m_tokens + cache_write_1h_tokens"
    cached = "(s.cache_read_tokens + s.cache_write_5m_tokens + s.cache_write_1h_tokens)"
    # Of a row of N like calls that writes, one misses.
    hits = f"CASE WHEN cache_read_tokens = 0 THEN 0 WHEN {written} > 0 AND requests > 1 THEN requests - 1 "
    hits += "ELSE requests END"
    rows = states.rows(
        f"""based AS (SELECT *, {tag} AS basis FROM state),
priced AS (
    SELECT s.*, CASE WHEN s.changed_1 THEN {premium} END AS premium,
        CASE WHEN s.changed_1 THEN {cached} * (p.input_pico - p.cache_read_pico) END
            AS if_read,
        CASE WHEN s.changed_1 THEN {cached}
            * (CASE WHEN m.is_hour THEN p.cache_write_1h_pico ELSE p.cache_write_5m_pico END
                - p.input_pico) END
            AS if_written
    FROM based AS s
    LEFT JOIN offered AS p ON s.changed_1 AND {sql.on("s", "p")}
    LEFT JOIN cacheable_1 AS m ON m.model = s.model AND m.provider IS NOT DISTINCT FROM s.provider
)
SELECT project, missed_1, coalesce(sum(coalesce(was_requests, 1)) FILTER (WHERE missed_1 IS NOT NULL), 0),
    coalesce({money("spent_0")}, 0),
    coalesce(sum(requests) FILTER (WHERE changed_1), 0),
    coalesce(sum({hits}) FILTER (WHERE changed_1), 0),
    coalesce(sum(cache_read_tokens) FILTER (WHERE changed_1), 0),
    coalesce(sum({written}) FILTER (WHERE changed_1), 0),
    coalesce({money("premium")}, 0), coalesce({money("if_read")}, 0), coalesce({money("if_written")}, 0),
    coalesce({money("added_pico")} FILTER (WHERE changed_1), 0), coalesce({money(saved)}, 0),
    {", ".join(f"coalesce({money(saved)} FILTER (WHERE basis = '{each}'), 0)" for each in _BASES)}
FROM priced GROUP BY project, missed_1 ORDER BY project, missed_1""",  # noqa: S608 (constants; values are bound)
        [tag_path(lever.key_tag)],
    )
    found: dict[str | None, _Found] = {}
    missed: dict[str, int] = {}
    for project, reason, calls, *figures in rows:
        found[project] = found.get(project, _Found()) + _Found(*map(int, figures))
        if reason is not None:
            missed[reason] = missed.get(reason, 0) + int(calls)
    return found, missed


_BASES = ("key", "session", "stable")


def _best(found: dict[int, _Found]) -> int | None:
    """The lifetime that saves most; the shorter of two equal ones; None where none saves."""
    ttl = max(found, key=lambda each: (found[each].saving, -each))
    return ttl if found[ttl].saving > 0 else None


def _report(
    found: dict[str | None, dict[int, _Found]],
    picked: dict[str | None, int | None],
    lifetimes: Sequence[int],
    notes: list[str],
    is_smallest: bool,
) -> Report:
    single = len(lifetimes) == 1
    best = [found[project][ttl] for project, ttl in picked.items() if ttl is not None]
    rows: list[tuple[Cell, ...]] = []
    order = sorted(
        found, key=lambda each: (-max(one.saving for one in found[each].values()), each is None, each or "")
    )
    for project in order:
        for ttl, each in found[project].items():
            if not each.calls:
                continue
            good = "saves" if single else BEST
            verdict = LOSES if each.saving < 0 else good if each.saving > 0 and ttl == picked[project] else ""
            rows.append((project, said(ttl), *_figures(each), verdict))
    for project in order:
        least = min(-each.saving for each in found[project].values())
        if least > 0:
            where = f"with a lifetime of {said(lifetimes[0])}" if single else "at every lifetime"
            notes.append(
                f"project {project or '(none)'}: caching would LOSE money {where}, ${rounded(least, 4):,f} "
                "at the least; leave it without"
            )
    before = sum((next(iter(each.values())).cost for each in found.values()), 0)
    whole = sum(best, _Found())
    kept = replace(whole, cost=before)
    if not single:
        notes.append("the total has each project at its best lifetime, and without a cache where none saves")
    if whole.by_stable_part > 0 and is_smallest:
        notes.append(
            f"${rounded(whole.by_stable_part):,f} of the saving stand on stable parts of unknown length, "
            "taken to be as long as they can be: it is that at most; --stable TOKENS states a length"
        )
    return Report(
        command="simulate-cache",
        title="Prompt cache by project, an estimate",
        columns=_COLUMNS,
        rows=rows,
        totals=(None, None, *_figures(kept), ""),
        notes=tuple(notes),
        figures={
            "cost_before": before,
            "cost_after": before - whole.saving,
            "saving": whole.saving,
            "saving_share": share(whole.saving, before),
        },
        figure_columns=(
            Column("cost_before", "money"),
            Column("cost_after", "money"),
            Column("saving", "money"),
            Column("saving_share", "percent"),
        ),
    )


def _figures(found: _Found) -> tuple[Cell, ...]:
    cached = found.hit_tokens + found.written_tokens
    return (
        found.calls,
        found.hits,
        found.calls - found.hits,
        found.hit_tokens,
        found.written_tokens,
        share(found.hit_tokens, cached),
        fraction(found.break_even),
        found.read_saving,
        found.write_premium,
        found.storage,
        found.saving,
        share(found.saving, found.cost),
        found.by_key,
        found.by_session,
        found.by_stable_part,
    )


def _not_to_be_had(lever: Cache, models: Iterable[str], seconds: Iterable[int]) -> Iterable[str]:
    """What stands for the lifetimes in ``seconds`` that a model does not have, as sentences."""
    for model in models:
        if (profile := lever.profiles.of(model)) is None:
            continue
        rules = profile.rules_of(model)
        for ttl in dict.fromkeys(seconds):
            if rules.lifetime(ttl) is None:
                yield f"{model} has no lifetime of {said(ttl)}: {said(rules.nearest(ttl).seconds)} is taken"


def _uncached(calls: Calls, lever: Cache, models: Iterable[str]) -> Iterable[str]:
    """What the simulation leaves as it is, as sentences."""
    if unknown := sorted(model for model in models if lever.profiles.of(model) is None):
        shown = ", ".join(unknown[:5]) + (f" and {len(unknown) - 5} more" if len(unknown) > 5 else "")
        yield f"no cache profile is known for {shown}: these calls stay as they are; --profiles FILE adds one"
    if lever.anew:
        return
    _, condition, parameters = calls.selection(())
    ((using,),) = calls.engine.rows(
        f"SELECT coalesce(sum(coalesce(requests, 1)), 0) FROM calls WHERE {condition} AND "  # noqa: S608
        "coalesce(cache_read_tokens, 0) + coalesce(cache_write_5m_tokens, 0) "
        "+ coalesce(cache_write_1h_tokens, 0) > 0",
        parameters,
    )
    if using:
        yield (
            f"{int(using):,} {'call uses' if using == 1 else 'calls use'} the cache already and "
            f"{'stays as it is' if using == 1 else 'stay as they are'}: --actual says what that saves, "
            "--anew simulates them too"
        )
