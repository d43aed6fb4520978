"""The lever *route*: calls go to another model, at that model's price of their own date, tier and mode.

Of the rules the first one that fits a call is the call's; it goes to the rule's model, or, where only a
``share`` goes, stays. A call that is there already stays, and so does one that is longer than the context of
the model. Its tokens are the call's own, times the rule's token ratio: models count and talk differently.

In a *cascade* every call is tried on the rule's model, and a share of them *escalates*: these are made on
their own model as before, and both are paid.

A prompt cache belongs to one model. Where a session changes its model, what would have been read from the
cache is written anew: by the first call on the new model, and by a call that stays where the one before it
has gone. A call that names no session keeps its hit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

from costctl import filters
from costctl.analysis.questions import QuestionError
from costctl.filters import Filter
from costctl.ledger import tag_path
from costctl.pricing import sql
from costctl.pricing.book import CallNames, PriceBook
from costctl.records import PRICED_TOKENS
from costctl.simulate.state import SEED, Change, Kind, Setting, drawn, of_share
from costctl.simulate.summed import Alike

Cache = Literal["lost", "kept"]
"""What becomes of cache hits where a session changes its model."""

_TOKENS = (*PRICED_TOKENS, "reasoning_tokens")


@dataclass(frozen=True, slots=True)
class Rule:
    """Calls that pass all of ``where`` go to the model ``to`` (of ``provider``; None: of the call's own,
    where that has it, else of its maker).

    ``share`` of them go; of these, ``escalate`` are paid twice. ``latency_ms`` is how long the model takes;
    None: as long as it does in the ledger, or else ``usual_latency_ms``. ``context_window``, in tokens, is by
    default what the catalogue says, if it does. The ratio is of tokens on the new model to those on the old.
    """

    where: tuple[Filter, ...]
    to: str
    share: Fraction = Fraction(1)
    escalate: Fraction = Fraction(0)
    token_ratio: Fraction = Fraction(1)
    latency_ms: int | None = None
    usual_latency_ms: int | None = None
    context_window: int | None = None
    provider: str | None = None

    def __post_init__(self) -> None:
        # Within these bounds a ratio of the most tokens that a call may have is a BIGINT.
        if not (0 < self.token_ratio <= 100 and self.token_ratio.denominator <= 10_000):
            raise QuestionError(
                f"{float(self.token_ratio):g} is no ratio of tokens",
                "it is above 0, at most 100, with four decimal places, as in 1.15",
            )
        if not (0 <= self.share <= 1 and 0 <= self.escalate <= 1):
            raise QuestionError("a share lies between 0 and 1", "as in 0.25")

    def __str__(self) -> str:
        which = "calls with " + " and ".join(map(str, self.where)) if self.where else "calls"
        which = f"{which} go" if self.share == 1 else f"{percent(self.share)} of {which} go"
        cascade = f", {percent(self.escalate)} of which are then made as before too" if self.escalate else ""
        ratio = f", with {float(self.token_ratio):g} times the tokens" if self.token_ratio != 1 else ""
        return f"{which} to {self.to}{ratio}{cascade}"


@dataclass(frozen=True, slots=True)
class Router:
    """Rules, the first that fits being a call's; ``cache``: see the module. ``told`` are sentences on where
    the rules are from."""

    rules: tuple[Rule, ...]
    cache: Cache = "lost"
    seed: int = SEED
    told: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return "route"

    @property
    def kind(self) -> Kind:
        return "route"

    def assumptions(self) -> tuple[str, ...]:
        sentences = [*self.told, *map(str, self.rules)]
        if all(rule.token_ratio == 1 for rule in self.rules):
            sentences.append("a routed call has as many tokens on its new model as it had on its own")
        if any(rule.share < 1 or rule.escalate for rule in self.rules):
            sentences.append(f"which calls make up a share is drawn by their keys, with the seed {self.seed}")
        if any(rule.escalate for rule in self.rules):
            sentences.append("what is then made as before too reads from the cache there as before")
        if self.cache == "lost":
            sentences.append(
                "where a session changes its model, what was read from the cache is written anew; calls "
                "that name no session keep their hits"
            )
        else:
            sentences.append("routed calls read as many tokens from the cache as before")
        sentences.append(
            "a routed call takes as long as calls of its new model do on average in this period, or else as "
            "its rule or profile says"
        )
        return tuple(f"route: {each}" for each in sentences)

    def change(self, state: str, number: int, setting: Setting) -> Change:
        ways = [_Way.of(rule, setting) for rule in self.rules]
        read, of_tags, columns = _tags(self.rules, state, setting)
        cases, of_cases = _cases(self.rules, columns)
        target = _by_rule(["CAST(? AS VARCHAR)"] * len(ways), "CAST(NULL AS VARCHAR)")
        seller, of_sellers = _sellers(ways)
        there, of_there = _there(ways)
        before = number - 1
        router = f"route_{number}"
        relations = f"""{router}_read AS (
    {read}
),
{router}_matched AS (
    SELECT *, {cases} AS rule FROM {router}_read
),
{router}_meant AS (
    SELECT *, {target} AS target,
        {seller} AS seller,
        {there} AS is_there,
        {_by_rule(self._drawn("share"), "FALSE")} AS is_drawn,
        {_by_rule(self._drawn("escalate"), "FALSE")} AS is_escalated,
        {_by_rule([str(way.context or "NULL") for way in ways], "NULL")} AS context
    FROM {router}_matched
),
{router}_judged AS (
    SELECT *, {_too_long(self.rules, ways)} AS is_too_long,
        rule IS NOT NULL AND is_drawn AND NOT is_there AND coalesce(requests, 1) > 0
            AND spent_{before} IS NOT NULL AS is_wanted
    FROM {router}_meant AS m
),
{router}_going AS (
    SELECT *, is_wanted AND NOT is_too_long AS goes FROM {router}_judged
)"""  # noqa: S608 (constants; values are bound)
        loses = self.cache == "lost" and _reads_in_sessions(setting)
        cold = _COLD if loses else "FALSE"
        window = "\nWINDOW turns AS (PARTITION BY session ORDER BY ts, call_key)" if loses else ""
        latency = _by_rule(["NULL" if way.latency is None else str(way.latency) for way in ways], "NULL")
        values = {
            "model": "CASE WHEN goes THEN target ELSE model END",
            "latency_ms": "CASE WHEN NOT goes THEN latency_ms "
            f"WHEN is_escalated THEN latency_ms + {latency} ELSE {latency} END",
            **_token_values(self.rules, loses),
        }
        if of_sellers:
            values["provider"] = "CASE WHEN goes THEN seller ELSE provider END"
        return Change(
            source=f"SELECT *, {cold} AS is_cold FROM {router}_going{window}",  # noqa: S608
            reached="goes OR is_cold",
            values=values,
            beside="goes AND is_escalated",
            refused="CASE WHEN is_wanted AND is_too_long THEN 'longer than the context of ' || target END",
            relations=relations,
            parameters=(
                *of_tags,
                *of_cases,
                *(rule.to for rule in self.rules),
                *of_sellers,
                *of_there,
            ),
            names=tuple(dict.fromkeys(each for way in ways for each in way.sold.values())),
        )

    def alike(self, setting: Setting) -> Alike | None:
        if self.cache == "lost" and _reads_in_sessions(setting):
            return None
        # What is paid twice takes its own time and another; tokens are rounded call by call.
        if any(rule.escalate or rule.token_ratio != 1 for rule in self.rules):
            return None
        shares = [self._drawn("share")[place] for place, rule in enumerate(self.rules) if 0 < rule.share < 1]
        windows = [_Way.of(rule, setting).context for rule in self.rules]
        labels = dict.fromkeys(each.column for rule in self.rules for each in rule.where)
        smallest = min((each for each in windows if each is not None), default=None)
        return Alike(tuple(labels), smallest, tuple(shares))

    def _drawn(self, what: Literal["share", "escalate"]) -> list[str]:
        return [
            drawn(getattr(rule, what), f"route {place} {what}", self.seed)
            for place, rule in enumerate(self.rules, 1)
        ]


def percent(share: Fraction) -> str:
    """``share`` for people: 12.5 %."""
    return f"{float(share * 100):g} %"


_MODEL_AFTER = "CASE WHEN goes THEN target ELSE model END"
_COLD = f"""coalesce(
        session IS NOT NULL AND cache_read_tokens > 0
        AND {_MODEL_AFTER} IS DISTINCT FROM lag({_MODEL_AFTER}) OVER turns
        AND (goes OR lag(model) OVER turns = model)
    , FALSE)"""
"""Whether a call finds no cache: it is the first of its session on its new model, or stays on a model that
the call before it has left."""


@dataclass(frozen=True, slots=True)
class _Way:
    """What a rule means for the calls at hand. ``sold``: what calls of each provider are to be called after;
    ``there``: the names of calls that are at its model already. ``latency`` is in milliseconds."""

    sold: Mapping[str | None, CallNames]
    there: tuple[CallNames, ...]
    latency: int | None
    context: int | None

    @classmethod
    def of(cls, rule: Rule, setting: Setting) -> _Way:
        providers = dict.fromkeys(provider for provider, _ in setting.names)
        sold = {provider: sold_as(setting.book, provider, rule) for provider in providers}
        there = tuple(names for names in setting.names if same_model(setting.book, names, sold[names[0]]))
        latency = rule.latency_ms
        if latency is None:
            latency = setting.mean_latency(there)
        if latency is None:
            latency = rule.usual_latency_ms
        context = rule.context_window
        if context is None:
            windows = {setting.book.context_window(*names) for names in sold.values()} - {None}
            context = min((each for each in windows if each is not None), default=None)
        return cls(sold, there, latency, context)


def sold_as(book: PriceBook, provider: str | None, rule: Rule) -> CallNames:
    """What a call of ``provider`` is to be called on the rule's model: that provider's, where it sells the
    model, else its maker's."""
    if rule.provider is not None:
        return rule.provider, rule.to
    if provider is None or book.resolve(provider, rule.to) is not None:
        return provider, rule.to
    maker = book.resolve(None, rule.to)
    return (maker.provider or provider, rule.to) if maker else (provider, rule.to)


def same_model(book: PriceBook, names: CallNames, others: CallNames) -> bool:
    """Whether two names are of one model of the price book, or are the same."""
    if names == others:
        return True
    found = book.resolve(*names)
    return found is not None and found == book.resolve(*others)


def _tags(rules: Sequence[Rule], state: str, setting: Setting) -> tuple[str, list[str], dict[str, str]]:
    """A SELECT of ``state`` with each tag that the rules ask for read once; its parameters; and the tags'
    columns by name."""
    tags = dict.fromkeys(
        each.column for rule in rules for each in rule.where if each.column.startswith("tag:")
    )
    columns = {tag: f"tag_{place}" for place, tag in enumerate(tags)}
    read = "".join(f", {setting.calls.engine.tag()} AS {column}" for column in columns.values())
    return f"SELECT *{read} FROM {state}", [tag_path(tag[4:]) for tag in tags], columns  # noqa: S608


def _cases(rules: Sequence[Rule], columns: Mapping[str, str]) -> tuple[str, list[str]]:
    """The number of the first rule whose conditions a call passes, and the parameters."""
    text: list[str] = []
    parameters: list[str] = []
    for place, rule in enumerate(rules):
        condition, bound = filters.sql(rule.where, columns=columns)
        text.append(f"WHEN {condition} THEN {place}")
        parameters += bound
    return f"CASE {' '.join(text)} END" if text else "CAST(NULL AS INTEGER)", parameters


def _sellers(ways: Sequence[_Way]) -> tuple[str, list[str | None]]:
    """The provider of a call on its new model, and the parameters; none where every one keeps its own."""
    moved = [
        (place, provider, names[0])
        for place, way in enumerate(ways)
        for provider, names in way.sold.items()
        if names[0] != provider
    ]
    text = " ".join(
        f"WHEN rule = {place} AND provider IS NOT DISTINCT FROM ? THEN CAST(? AS VARCHAR)"
        for place, *_ in moved
    )
    bound = [each for _, *names in moved for each in names]
    return (f"CASE {text} ELSE provider END", bound) if moved else ("provider", [])


def _there(ways: Sequence[_Way]) -> tuple[str, list[str | None]]:
    """Whether a call is on the model of its rule already, and the parameters."""
    cases = [
        " OR ".join(["(provider IS NOT DISTINCT FROM ? AND model = ?)"] * len(way.there)) for way in ways
    ]
    bound = [each for way in ways for names in way.there for each in names]
    return f"coalesce({_by_rule([each or 'FALSE' for each in cases], 'FALSE')}, FALSE)", bound


def _by_rule(expressions: Sequence[str], otherwise: str) -> str:
    """An expression that depends on a call's rule."""
    if not expressions:
        return otherwise
    cases = " ".join(f"WHEN {place} THEN ({text})" for place, text in enumerate(expressions))
    return f"CASE rule {cases} END"


def _too_long(rules: Sequence[Rule], ways: Sequence[_Way]) -> str:
    """Whether a call's prompt and answer have more tokens than the context of its rule's model. The calls of
    a bucket are of unknown sizes; N calls of one row are alike."""
    if all(way.context is None for way in ways):
        return "FALSE"
    counts = [
        f"({sql.total_input('m')} + m.output_tokens) * {rule.token_ratio.numerator} "
        f"> context * {rule.token_ratio.denominator} * greatest(coalesce(requests, 1), 1)"
        for rule in rules
    ]
    return f"coalesce(grain = 'call' AND TRY({_by_rule(counts, 'FALSE')}), FALSE)"


def _token_values(rules: Sequence[Rule], loses: bool) -> dict[str, str]:
    """What the tokens of a call become, where that is something else."""
    ratios = {rule.token_ratio for rule in rules}

    def routed(column: str) -> str:
        if ratios <= {Fraction(1)}:
            return column
        shares = [of_share(column, rule.token_ratio) for rule in rules]
        same = shares[0] if len(ratios) == 1 else _by_rule(shares, column)
        return f"CASE WHEN goes THEN {same} ELSE {column} END"

    values = {column: routed(column) for column in _TOKENS if routed(column) != column}
    if loses:
        read, write = "cache_read_tokens", "cache_write_5m_tokens"
        values[read] = f"CASE WHEN is_cold THEN 0 ELSE {routed(read)} END"
        values[write] = (
            f"coalesce({routed(write)}, 0) + CASE WHEN is_cold THEN coalesce({routed(read)}, 0) ELSE 0 END"
        )
    return values


def _reads_in_sessions(setting: Setting) -> bool:
    """Whether any session has read from a cache: to look at all calls in the order of sessions is slow."""
    _, condition, parameters = setting.calls.selection(())
    return bool(
        setting.calls.engine.rows(
            "SELECT 1 FROM calls "  # noqa: S608
            f"WHERE {condition} AND session IS NOT NULL AND cache_read_tokens > 0 LIMIT 1",
            parameters,
        )
    )
