"""What a prompt cache would have found of a trace: requests with the hashes of their prompts' blocks.

The form is Mooncake's (kvcache-ai/Mooncake, FAST25-release): one request a line with ``timestamp`` (ms),
``input_length`` (tokens) and ``hash_ids``, one a block, in the order of the prompt; a hash names its block
and all before it. As JSON lines, ``.gz`` or ``.zst`` too, or as a Parquet file with the same columns.

A block is there while t - last use <= lifetime; a request finds its blocks up to the first that is not
there, and then all of its blocks are there for the next request, also for one at the same time. Without a
limit of capacity a block's last use is the request before it that holds the block: one window over all
blocks, no state. :mod:`costctl.simulate.blocks` replays what is not so simple.
"""

from __future__ import annotations

import gzip
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from costctl.analysis import QuestionError
from costctl.documents import DocumentError
from costctl.simulate.blocks import Cache, replayed
from costctl.simulate.cache_profiles import Rules

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

BLOCK = 512
"""Tokens of a block in Mooncake's traces."""

MEMORY = "600MB"

Tiers = Sequence[tuple[int, int]]
"""Ranges (above, up to) of a prompt's tokens that have a price of their own."""

ONE_TIER: Tiers = ((-1, 2**63 - 1),)

_LENGTH_BITS = 22
"""A request has fewer than 2^22 blocks."""

_FIELDS = ("timestamp", "input_length", "hash_ids")


@dataclass(frozen=True, slots=True)
class Found:
    """What the requests of one tier found in the cache."""

    requests: int = 0
    hits: int = 0
    """Requests that read something."""
    blocks: int = 0
    hit_blocks: int = 0
    input_tokens: int = 0
    hit_tokens: int = 0
    written_tokens: int = 0


@dataclass(frozen=True, slots=True)
class Replay:
    """A trace under one lifetime. ``by_tier`` follows the tiers that were asked for; ``kept`` are the tokens
    x milliseconds in the cache, 0 where they were not asked for."""

    seconds: int
    by_tier: tuple[Found, ...]
    kept: int = 0

    @property
    def whole(self) -> Found:
        parts = [tuple(getattr(each, name) for name in Found.__slots__) for each in self.by_tier]
        return Found(*map(sum, zip(*parts, strict=True)))


@dataclass(frozen=True)
class Trace:
    """The requests of a trace in a database of their own, in the order of the file."""

    connection: DuckDBPyConnection
    block: int

    def replay(
        self,
        seconds: Sequence[int],
        rules: Rules,
        *,
        tiers: Tiers = ONE_TIER,
        capacity: int | None = None,
        refresh: bool = True,
        storage: bool = False,
    ) -> list[Replay]:
        """One :class:`Replay` for each lifetime in ``seconds``. ``rules``: prompts below the minimum are not
        cached, shorter finds are none, and finds are whole increments. ``capacity``: blocks that fit;
        ``refresh``: whether reading renews a block's lifetime; ``storage``: count what is kept too."""
        if capacity is None and refresh:
            found = self._in_one_pass(seconds, rules, tiers)
            kept = self._kept(seconds, rules) if storage else [0] * len(seconds)
            return [Replay(*each) for each in zip(seconds, found, kept, strict=True)]
        return [self._one_by_one(each, rules, tiers, capacity, refresh) for each in seconds]

    def _in_one_pass(self, seconds: Sequence[int], rules: Rules, tiers: Tiers) -> list[tuple[Found, ...]]:
        """By lifetime and tier. The gap to a block's last use is found once for all lifetimes."""
        numbers = range(len(seconds))
        missed = ", ".join(
            f"min(pos) FILTER (WHERE gap IS NULL OR gap > {ttl * 1000:d}) AS missed_{each}"
            for each, ttl in zip(numbers, seconds, strict=True)
        )
        hits = ", ".join(
            f"coalesce({self._increments(f'coalesce(missed_{each}, blocks)', rules)}, 0) AS hit_{each}"
            for each in numbers
        )
        sums = ", ".join(
            f"count(*) FILTER (WHERE hit_{each} > 0), sum((hit_{each} + {self.block - 1}) // {self.block}), "
            f"sum(hit_{each}), sum(input_length - hit_{each}) FILTER (WHERE is_cached)"
            for each in numbers
        )
        # S608: whole numbers and constants of this module.
        rows = self.connection.execute(
            f"""WITH {self._gaps(rules)},
firsts AS (SELECT row, {missed} FROM gaps GROUP BY row),
finds AS (
    SELECT requests.*, {_tier(tiers)} AS tier, input_length >= {rules.minimum:d} AS is_cached, {hits}
    FROM requests LEFT JOIN firsts ON firsts.row = requests.row
)
SELECT tier, count(*), sum(blocks), sum(input_length), {sums} FROM finds GROUP BY tier"""  # noqa: S608
        ).fetchall()
        by_tier = {row[0]: [int(value or 0) for value in row[1:]] for row in rows}
        none = [0] * (3 + 4 * len(seconds))
        return [
            tuple(_found(by_tier.get(tier, none), each) for tier in range(len(tiers))) for each in numbers
        ]

    def _gaps(self, rules: Rules) -> str:
        """Relations for a WITH clause: ``gaps`` has each block's request (``row``), place (``pos``) and time
        since its last use, NULL for its first."""
        return f"""accesses AS (
    SELECT row, timestamp, unnest(hash_ids) AS hash, unnest(range(blocks)) AS pos
    FROM requests WHERE input_length >= {rules.minimum:d}
),
gaps AS (
    SELECT row, pos, timestamp - lag(timestamp) OVER (
        PARTITION BY hash ORDER BY (row << {_LENGTH_BITS}) + pos
    ) AS gap
    FROM accesses
)"""  # noqa: S608

    def _increments(self, blocks: str, rules: Rules) -> str:
        """SQL for the tokens that are read of so many ``blocks``."""
        tokens = f"least(input_length, {self.block} * {blocks})"
        whole = tokens if rules.increment == 1 else f"{tokens} // {rules.increment:d} * {rules.increment:d}"
        if not rules.minimum:
            return whole
        return f"CASE WHEN {tokens} >= {rules.minimum:d} THEN {whole} ELSE 0 END"

    def _kept(self, seconds: Sequence[int], rules: Rules) -> list[int]:
        """Tokens x milliseconds in the cache, by lifetime: from each use to the next, or to the end."""
        size = f"least({self.block}, input_length - {self.block} * pos)"
        sums = ", ".join(
            f"sum({size} * least(coalesce(gap, {each * 1000:d}), {each * 1000:d}))" for each in seconds
        )
        (row,) = self.connection.execute(
            f"WITH {self._gaps(rules)} SELECT {sums} FROM gaps JOIN requests ON requests.row = gaps.row"  # noqa: S608
        ).fetchall()
        return [int(each or 0) for each in row]

    def _one_by_one(
        self, seconds: int, rules: Rules, tiers: Tiers, capacity: int | None, refresh: bool
    ) -> Replay:
        cache = Cache(seconds * 1000, self.block, capacity, refresh)
        counts = [[0] * len(Found.__slots__) for _ in tiers]
        requests = list(self._requests())
        for (_, length, hashes), read in zip(requests, replayed(requests, cache, rules.minimum), strict=True):
            tokens = 0 if read.tokens < rules.minimum else read.tokens // rules.increment * rules.increment
            tier = next(number for number, (above, to) in enumerate(tiers) if above < length <= to)
            said = (
                1,
                int(tokens > 0),
                len(hashes),
                -(-tokens // self.block),
                length,
                tokens,
                length - tokens if length >= rules.minimum else 0,
            )
            counts[tier] = [sum(each) for each in zip(counts[tier], said, strict=True)]
        return Replay(seconds, tuple(Found(*each) for each in counts), cache.kept)

    def _requests(self) -> Iterator[tuple[int, int, list[int]]]:
        rows = self.connection.execute("SELECT timestamp, input_length, hash_ids FROM requests ORDER BY row")
        while part := rows.fetchmany(10_000):
            yield from part


@contextmanager
def reading(path: Path, block: int = BLOCK) -> Iterator[Trace]:
    """The trace in ``path``, whose blocks have ``block`` tokens, for the length of the block.

    Raises :class:`costctl.documents.DocumentError` naming file, line and field of the first fault,
    :class:`QuestionError` for a block that is none, OSError.
    """
    import tempfile

    import duckdb

    if block < 1:
        raise QuestionError(f"a block of {block} tokens is none", f"Mooncake's have {BLOCK}")
    with open(path, "rb"):
        pass  # what cannot be opened is told as such
    with (
        tempfile.TemporaryDirectory(prefix="costctl-") as spill,
        duckdb.connect(config=_configuration(spill)) as connection,
    ):
        columns = _parquet(connection, path) if path.suffix == ".parquet" else _json(path)
        connection.execute(
            f"CREATE TEMP TABLE requests AS {_select(columns, block)}",
            {"path": _literal(path)},
        )
        fault = connection.execute(
            "SELECT row, fault FROM requests WHERE fault IS NOT NULL ORDER BY row LIMIT 1"
        ).fetchone()
        if fault is not None:
            raise _fault(path, *fault)
        yield Trace(connection, block)


def _configuration(spill: str) -> dict[str, str | bool | int | float | list[str]]:
    import os

    return {
        "memory_limit": MEMORY,
        "temp_directory": spill,
        "threads": min(os.cpu_count() or 1, 4),
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
        "allow_community_extensions": False,
        "python_enable_replacements": False,
    }


def _json(path: Path) -> str:
    """A SELECT of the fields of a JSON line as text: a typed read would turn 1.5 into 2.

    Each of DuckDB's threads has a buffer of twice ``maximum_object_size`` bytes, here four of 64 MB at most,
    which must fit into :data:`MEMORY`.
    """
    compression = {".gz": "gzip", ".zst": "zstd"}.get(path.suffix, "none")
    fields = ", ".join(f"{name}: 'VARCHAR'" for name in _FIELDS)
    return f"""SELECT *, timestamp IS NULL AND input_length IS NULL AND hash_ids IS NULL AS is_empty
FROM read_json($path, format = 'newline_delimited', ignore_errors = true, compression = '{compression}',
    maximum_object_size = 33554432, columns = {{{fields}}})"""  # noqa: S608 (constants of this module)


def _parquet(connection: DuckDBPyConnection, path: Path) -> str:
    import duckdb

    try:
        described = connection.execute(
            "DESCRIBE SELECT * FROM read_parquet($path)", {"path": _literal(path)}
        ).fetchall()
    except duckdb.Error:
        raise DocumentError(str(path), 0, 0, "no Parquet file", "JSON lines have another ending") from None
    kinds = {row[0]: row[1] for row in described}
    for name in _FIELDS:
        if name not in kinds:
            raise DocumentError(str(path), 0, 0, f"there is no column {name}", _FORM)
        kind, is_list = kinds[name].removesuffix("[]"), kinds[name].endswith("[]")
        if kind not in _INTEGERS or is_list != (name == "hash_ids"):
            raise DocumentError(str(path), 0, 0, f"the column {name} has the type {kinds[name]}", _FORM)
    return "SELECT timestamp, input_length, hash_ids, FALSE AS is_empty FROM read_parquet($path)"


_INTEGERS = {"TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT"}
_FORM = 'a request has "timestamp" (ms), "input_length" (tokens) and "hash_ids" (one a block)'


def _select(columns: str, block: int) -> str:
    """The SELECT of the requests, each with its ``fault``, from a SELECT of their fields."""
    whole = "regexp_full_match(CAST({} AS VARCHAR), '[0-9]{{1,15}}')"
    # What a cast to whole numbers would round, or take from within a text.
    odd = [f"contains(hash_ids, '{each}')" for each in '.eE"'] if "read_json" in columns else ["FALSE"]
    unlisted = "hash_ids: not a list of whole numbers"
    blocks = "coalesce(len(hash_ids), 0)"
    return f"""
WITH raw AS (SELECT row_number() OVER () AS row, * FROM ({columns})),
typed AS (
    SELECT row, TRY_CAST(timestamp AS BIGINT) AS timestamp, TRY_CAST(input_length AS BIGINT) AS input_length,
        TRY_CAST(hash_ids AS BIGINT[]) AS hash_ids,
        CASE
            WHEN is_empty THEN 'is no JSON object with a request'
            WHEN timestamp IS NULL THEN 'timestamp is missing'
            WHEN NOT {whole.format("timestamp")} THEN 'timestamp: not a whole number of milliseconds'
            WHEN input_length IS NULL THEN 'input_length is missing'
            WHEN NOT {whole.format("input_length")} THEN 'input_length: not a whole number of tokens'
            WHEN hash_ids IS NULL THEN 'hash_ids is missing'
            WHEN {" OR ".join(odd)} OR TRY_CAST(hash_ids AS BIGINT[]) IS NULL THEN '{unlisted}'
        END AS fault
    FROM raw
)
SELECT row, timestamp, input_length, hash_ids, {blocks} AS blocks,
    CASE
        WHEN fault IS NOT NULL THEN fault
        WHEN list_count(hash_ids) < {blocks} THEN '{unlisted}'
        WHEN {blocks} <> (input_length + {block - 1:d}) // {block:d} THEN
            'hash_ids: ' || {blocks} || ' blocks of {block:d} tokens do not make '
            || input_length || ' tokens'
    END AS fault
FROM typed"""  # noqa: S608


def _literal(path: Path) -> str:
    """``path`` for a reader that takes globs."""
    return "".join(f"[{each}]" if each in "*?[" else each for each in str(path))


def _fault(path: Path, row: int, said: str) -> DocumentError:
    hint = "--block says how many tokens a block has" if "blocks of" in said else _FORM
    if path.suffix == ".parquet":
        return DocumentError(str(path), 0, 0, f"row {row}: {said}", hint)
    return DocumentError(str(path), _line(path, row), 0, said, hint)


def _line(path: Path, row: int) -> int:
    """The line of the request number ``row``: empty lines are none."""
    if path.suffix == ".zst":
        return row
    with gzip.open(path) if path.suffix == ".gz" else open(path, "rb") as lines:
        for number, line in enumerate(lines, 1):
            row -= bool(line.strip())
            if row == 0:
                return number
    return 0


def _tier(tiers: Tiers) -> str:
    """SQL for the number of the tier of a request."""
    if len(tiers) == 1:
        return "0"
    whens = " ".join(
        f"WHEN input_length > {above:d} AND input_length <= {to:d} THEN {number}"
        for number, (above, to) in enumerate(tiers)
    )
    return f"CASE {whens} END"


def _found(values: Sequence[int], lifetime: int) -> Found:
    """Of a row of one tier, what one of the lifetimes gives."""
    requests, blocks, tokens, *each = values
    hits, hit_blocks, hit_tokens, written = each[4 * lifetime : 4 * lifetime + 4]
    return Found(requests, hits, blocks, hit_blocks, tokens, hit_tokens, written)
