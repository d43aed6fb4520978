"""The lever *cache*: prompts that begin alike are written to the vendor's cache once, and read from then on.

The ledger holds no prompts, so which of them begin alike is an estimate, by the best that a call says:

- *key*: a tag names the prefix that its prompt begins with; another may say its length, else it is the
  smallest prompt of the key's calls;
- *session*: the prompt holds that of the call before it in its session. It reads that one's tokens and
  writes the rest; the answer between them is written with the next prompt. A prompt that is smaller than the
  one before does not hold it, and is written whole;
- *stable part*: all prompts of one project and agent begin with the same tokens, as many as are stated, else
  as the smallest prompt has, which is the most that they can share.

What is written lives up to its lifetime after its last use, reading renews it, and it is there for the next
call at once. Where keeping it costs storage, each call pays it until the next one, or until the end of the
lifetime, in whole seconds. Projects share no cache here, nor do models, nor what the vendor's profile
isolates. A row of N like calls is N calls one after the other. So one window over the calls finds every hit.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from costctl import filters
from costctl.analysis import QuestionError
from costctl.filters import Filter
from costctl.ledger import tag_path
from costctl.simulate.cache_profiles import Profiles, load, said, seconds
from costctl.simulate.rules import conditions, understood
from costctl.simulate.state import Change, Kind, Setting

if TYPE_CHECKING:
    from costctl.documents import Document

KEY_TAG, TOKENS_TAG = "prefix_key", "prefix_tokens"

Stable = int | Literal["smallest", "none"]

DEFAULT_TTL = 300

_SECOND = 1_000_000
_CACHED = (
    "coalesce(cache_read_tokens, 0) + coalesce(cache_write_5m_tokens, 0) + coalesce(cache_write_1h_tokens, 0)"
)
_ISOLATION = {
    "workspace": "workspace",
    "api_key": "api_key",
    "team": "team",
    "project": "project",
    "user": "user_id",
    "agent": "agent",
    "region": "region",
}
"""The columns of what a profile may isolate by."""

_CACHEABLE = (
    ("provider", "VARCHAR"),
    ("model", "VARCHAR"),
    ("rule", "INTEGER"),
    ("minimum", "BIGINT"),
    ("step", "BIGINT"),
    ("ttl", "BIGINT"),
    ("is_hour", "BOOLEAN"),
    ("isolation", "VARCHAR"),
    ("hourly_pico", "BIGINT"),
)
"""What holds for each model of a state that is cached, by rule: name and type. ``ttl`` is in microseconds,
``hourly_pico`` what keeping a token for an hour costs."""


@dataclass(frozen=True, slots=True)
class CacheRule:
    """Calls that pass all of ``where`` have the lifetime ``ttl``, in seconds; None does not cache them."""

    where: tuple[Filter, ...]
    ttl: int | None


@dataclass(frozen=True, slots=True)
class Cache:
    """Calls have the lifetime of the first of ``rules`` that they pass, else ``ttl``; a model that has no
    such lifetime takes the next longer one, else its longest. ``anew``: calls that use the cache already are
    simulated too. For the others see the module."""

    profiles: Profiles = field(default_factory=load)
    ttl: int | None = DEFAULT_TTL
    rules: tuple[CacheRule, ...] = ()
    stable: Stable = "smallest"
    key_tag: str = KEY_TAG
    tokens_tag: str = TOKENS_TAG
    anew: bool = False

    @property
    def name(self) -> str:
        return "cache"

    @property
    def kind(self) -> Kind:
        return "cache"

    def assumptions(self) -> tuple[str, ...]:
        stated = (
            f"{self.stable:,} tokens, where they have so many"
            if isinstance(self.stable, int)
            else "tokens, as many as the smallest prompt has: the most that they can share"
        )
        stable = (
            "calls with neither stay as they are"
            if self.stable == "none"
            else f"else all prompts of a project and agent begin with the same {stated}"
        )
        sentences = [
            f"cache: an estimate, since the ledger holds no prompts. Calls with the tag {self.key_tag} share "
            f"its prefix; a prompt in a session holds the one before it, unless it is smaller; {stable}",
            f"cache: lifetime {self.lifetime()}, renewed at each use; what is written is there for "
            "the next call at once; projects, models and what the vendor isolates share no cache",
            "cache: a row of N calls is N calls one after the other; calls in batches and buckets of usage "
            "reports stay as they are",
        ]
        if not self.anew:
            sentences.append("cache: calls that read or write the cache already stay as they are")
        return tuple(sentences)

    def lifetime(self) -> str:
        """The lifetimes in words."""
        by_rule = [f"{' and '.join(map(str, each.where))}: {_lifetime(each.ttl)}" for each in self.rules]
        return "; else ".join([*by_rule, _lifetime(self.ttl)])

    def change(self, state: str, number: int, setting: Setting) -> Change:
        of, tag = f"_{number}", setting.calls.engine.tag()
        rule, of_rules = self._rule(tag)
        models = list(self._models(setting))
        isolation = sorted({name for each in models for name in str(each[7]).split()})
        shared = "".join(
            f", CASE WHEN contains(' ' || m.isolation || ' ', ' {name} ') "
            f"THEN coalesce({_ISOLATION[name]}, '') ELSE '' END AS apart_{each}"
            for each, name in enumerate(isolation)
        )
        others = sorted({_ISOLATION[each] for each in isolation} - {"project", "agent"})
        kept = "".join(f", {each}" for each in others)
        apart = "".join(f", apart_{each}" for each in range(len(isolation)))
        same = f"PARTITION BY basis, provider, model, rule, project, prefix{apart}"
        listed = ", ".join(
            f"CAST(unnest(CAST(? AS VARCHAR[])) AS {kind}) AS {name}" for name, kind in _CACHEABLE
        )
        has_storage = any(each[8] != "0" for each in models)
        # A prompt that is smaller than what is stated does not hold it.
        stated = str(self.stable) if isinstance(self.stable, int) else "own"
        columns = [[each[place] for each in models] for place in range(len(_CACHEABLE))]
        relations = f"""cacheable{of} AS (SELECT {listed}),
told{of} AS (
    SELECT call_key, ts, provider, model, project, agent, session, requests{kept},
        nullif({tag}, '') AS key, TRY_CAST({tag} AS BIGINT) AS key_tokens, {rule} AS rule,
        coalesce(input_tokens, 0) + {_CACHED} AS prompt, {_CACHED} AS cached
    FROM {state}
    WHERE grain = 'call' AND requests > 0 AND coalesce(mode, 'standard') <> 'batch'
),
based{of} AS (
    SELECT t.*, m.minimum, m.step, m.ttl, m.is_hour, m.hourly_pico{shared}, t.prompt // t.requests AS own,
        CASE
            WHEN t.key IS NOT NULL THEN 'key'
            WHEN t.session IS NOT NULL AND t.requests = 1 THEN 'session'
            ELSE 'stable'
        END AS basis
    FROM told{of} AS t
    JOIN cacheable{of} AS m
        ON m.model = t.model AND m.provider IS NOT DISTINCT FROM t.provider AND m.rule = t.rule
    WHERE t.prompt > 0
),
grouped{of} AS (
    SELECT call_key, epoch_us(ts) AS moment, provider, model, rule, project, basis{apart}, requests, prompt,
        own, cached, minimum, step, ttl, is_hour, hourly_pico,
        CASE basis WHEN 'key' THEN key WHEN 'session' THEN session ELSE coalesce(agent, '') END AS prefix,
        CASE basis WHEN 'key' THEN coalesce(key_tokens, own) WHEN 'stable' THEN {stated} END AS stated
    FROM based{of}
    WHERE {"TRUE" if self.stable != "none" else "basis <> 'stable'"}
),
met{of} AS (
    SELECT *,
        coalesce(moment - lag(moment) OVER in_order <= ttl, FALSE) AS is_alive,
        least(coalesce(lead(moment) OVER in_order - moment, ttl), ttl) AS kept_for,
        coalesce(lag(own) OVER in_order, 0) AS before, min(stated) OVER ({same}) AS shared
    FROM grouped{of}
    WHERE stated IS NULL OR stated <= own
    WINDOW in_order AS ({same} ORDER BY moment, call_key)
),
split{of} AS (
    SELECT call_key, requests AS calls, prompt, is_hour, basis, is_alive, hourly_pico,
        (kept_for + {_SECOND - 1}) // {_SECOND} AS seconds,
        CASE WHEN shared >= minimum THEN shared // step * step ELSE 0 END AS part,
        CASE WHEN is_alive AND before BETWEEN minimum AND own THEN before // step * step ELSE 0 END AS held,
        CASE WHEN own >= minimum THEN own ELSE 0 END AS whole
    FROM met{of}
    WHERE {"TRUE" if self.anew else "cached = 0"}
),
found{of} AS (
    SELECT call_key, prompt, is_hour,
        TRY(CASE WHEN basis = 'session' THEN whole ELSE part END * seconds * hourly_pico // 3600) AS storage,
        CASE
            WHEN basis = 'session' THEN held
            WHEN is_alive THEN part * calls
            ELSE part * (calls - 1)
        END AS reads,
        CASE
            WHEN basis = 'session' THEN whole - held
            WHEN is_alive THEN 0
            ELSE part
        END AS writes
    FROM split{of}
)"""  # noqa: S608 (constants; values are bound)
        return Change(
            source="SELECT s.*, f.prompt AS whole_prompt, f.is_hour, f.reads, f.writes, f.storage "  # noqa: S608
            f"FROM {state} AS s LEFT JOIN found{of} AS f ON f.call_key = s.call_key",
            reached="coalesce(reads + writes > 0, FALSE)",
            values={
                "input_tokens": "whole_prompt - reads - writes",
                "cache_read_tokens": "reads",
                "cache_write_5m_tokens": "CASE WHEN is_hour THEN 0 ELSE writes END",
                "cache_write_1h_tokens": "CASE WHEN is_hour THEN writes ELSE 0 END",
                **({"added_pico": "asked.added_pico + storage"} if has_storage else {}),
            },
            relations=relations,
            parameters=(*columns, tag_path(self.key_tag), tag_path(self.tokens_tag), *of_rules),
        )

    def _rule(self, tag: str) -> tuple[str, list[str]]:
        """SQL for the number of a call's rule, and its parameters; the last one is ``ttl``."""
        whens, parameters = [], []
        for number, each in enumerate(self.rules):
            text, bound = filters.sql(each.where, tag=(tag, tag_path))
            whens.append(f"WHEN {text} THEN {number}")
            parameters += bound
        last = len(self.rules)
        return (f"CASE {' '.join(whens)} ELSE {last} END" if whens else str(last)), parameters

    def _models(self, setting: Setting) -> Iterator[tuple[str | None, ...]]:
        """The rows of :data:`_CACHEABLE`, as texts that cast to its types. Raises :class:`QuestionError` for
        a lifetime that reading does not renew."""
        for provider, model in setting.names:
            profile = self.profiles.of(model)
            if profile is None:
                continue
            if not profile.refresh_on_hit:
                raise QuestionError(
                    f"the cache profile {profile.name} of {model} has lifetimes that reading does not renew, "
                    "which only a trace can be simulated with",
                    "refresh_on_hit: true says that the application renews them",
                )
            rules = profile.rules_of(model)
            for number, ttl in enumerate([*(each.ttl for each in self.rules), self.ttl]):
                if ttl is not None:
                    lifetime = rules.nearest(ttl)
                    yield (
                        provider,
                        model,
                        str(number),
                        str(rules.minimum),
                        str(rules.increment),
                        str(lifetime.seconds * _SECOND),
                        str(lifetime.billed_as == "1h").lower(),
                        " ".join(profile.isolation),
                        str(round(profile.storage * 10**12)),
                    )


def basis(engine_tag: str) -> str:
    """SQL for what the estimate of a call of the state stands on: key, session or stable. ``engine_tag``
    reads the tag of the keys, whose place is to be bound."""
    return (
        f"CASE WHEN nullif({engine_tag}, '') IS NOT NULL THEN 'key' "
        "WHEN session IS NOT NULL AND requests = 1 THEN 'session' ELSE 'stable' END"
    )


def of_document(document: Document) -> Cache:
    """The lever that a document of the schema ``cache`` says. Raises OSError and
    :class:`costctl.documents.DocumentError`."""
    written = document.data
    own = written.get("profiles")
    return Cache(
        load(None if own is None else document.path.parent / Path(own).expanduser()),
        _ttl(document, ("ttl",), written.get("ttl", said(DEFAULT_TTL))),
        tuple(
            CacheRule(
                conditions(document, ("rules", number), entry),
                _ttl(document, ("rules", number, "ttl"), entry["ttl"]),
            )
            for number, entry in enumerate(written.get("rules", ()))
        ),
        written.get("stable", "smallest"),
        written.get("key_tag", KEY_TAG),
        written.get("tokens_tag", TOKENS_TAG),
        written.get("anew", False),
    )


def _ttl(document: Document, place: tuple[str | int, ...], text: str) -> int | None:
    return None if text == "none" else understood(document, place, seconds, text)


def _lifetime(ttl: int | None) -> str:
    return "none" if ttl is None else said(ttl)
