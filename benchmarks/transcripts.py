"""Generated Claude Code transcripts: directories of JSONL, a session or sub-agent a file.

Three quarters of the files are sessions, an eighth are forks that begin with a copy of an earlier session's
lines under their own sessionId, an eighth are sub-agents' (``isSidechain``). A turn is a user line, mostly a
tool's result, and 1 to 3 assistant lines (1.8 on average) of one message id whose ``output_tokens`` grow; now
and then there is a snapshot line, or a replay of the message under another requestId. Texts make up most of
the bytes: about 1,500 a line.

    python transcripts.py DIRECTORY FILES LINES SEED
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING
from uuid import UUID

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

MODELS = (
    "claude-sonnet-4-5-20250929", "claude-sonnet-4-5-20250929", "claude-opus-4-1-20250805",
    "claude-opus-4-5-20251101", "claude-sonnet-4-20250514",
)  # fmt: skip
SUB_AGENTS_MODEL = "claude-haiku-4-5-20251001"
REPOSITORIES = ("shop", "checkout", "search", "ledger", "mobile-app", "infrastructure", "docs", "website")

LINES_A_TURN = 1 + 1.8 + 1 / 12 + 1 / 50
SHORT, LONG = 1024, 1024
"""How many texts the writing of the model and the results of its tools are drawn from."""

_TEXT = (
    "the file reads each line once and returns a list of calls with their cost so that a test can compare it "
    "with the expected value when none was given before import def return self class if not None True False "
    "error: expected \"usage\" but found '{' at line \\d+ in src/main/app.py — naïve café 価格 données ok"
)
_WORDS = _TEXT.split()

_TURNS = """
WITH
turns AS (
    SELECT range AS turn, CASE WHEN range < $copied THEN $origin ELSE $file END AS o FROM range($turns)
),
parts AS (
    SELECT
        turn, hash($seed * 1000000000000 + o * 1000000 + turn) AS h, md5(concat_ws('-', o, turn, $seed)) AS m,
        [1, 1, 2, 2, 3][1 + (hash(h + 1) % 5)::BIGINT] AS n,
        o
    FROM turns
),
lines AS (
    SELECT
        *, unnest(
            [0, 1]
            || CASE WHEN n > 1 THEN [2] ELSE [] END
            || CASE WHEN n > 2 THEN [3] ELSE [] END
            || CASE WHEN h % 12 = 0 THEN [8] ELSE [] END
            || CASE WHEN h % 50 = 1 THEN [9] ELSE [] END
        ) AS part
    FROM parts
),
placed AS (
    SELECT
        *,
        strftime(
            make_timestamp(epoch_us(TIMESTAMP '2025-09-01')
                + ((o * 37000 + turn * 25 + part * 3) * 1000 + (h % 3000)::BIGINT) * 1000),
            '%Y-%m-%dT%H:%M:%S.%g'
        ) || 'Z' AS moment,
        (hash(h + 2 + part) % $short)::BIGINT + CASE WHEN part = 0 THEN $short ELSE 0 END AS k
    FROM lines
),
said AS (
    SELECT placed.*, body FROM placed JOIN bodies USING (k)
),
framed AS (
    SELECT
        *,
        '{"parentUuid":"' || md5(m || (part - 1))::UUID || '","isSidechain":' || ($sidechain OR part = 9)
        || ',"userType":"external","cwd":"' || $cwd || '","sessionId":"' || $session
        || '","version":"2.0.37","gitBranch":"' || $branch || '",' || $agent AS frame,
        '"uuid":"' || md5(m || part)::UUID || '","timestamp":"' || moment || '"}' AS tail,
        -- A replay repeats the message's last line.
        part IN (n, 9) AS whole
    FROM said
)
SELECT
    CASE
        WHEN part = 0 THEN
            frame || '"type":"user","message":{"role":"user","content":[{"tool_use_id":"toolu_01' || m[:22]
            || '","type":"tool_result","content":' || body
            || '}]},"toolUseResult":{"stderr":"","interrupted":false,"isImage":false},' || tail
        WHEN part = 8 THEN
            '{"type":"file-history-snapshot","messageId":"' || md5(m)::UUID
            || '","snapshot":{"messageId":"' || md5(m)::UUID
            || '","trackedFileBackups":{},"timestamp":"' || moment || '"},"isSnapshotUpdate":false}'
        ELSE
            frame || '"message":{"model":"' || $model || '","id":"msg_01' || m[:22]
            || '","type":"message","role":"assistant","content":[' || CASE
                WHEN part = 1 AND n > 1 THEN '{"type":"thinking","thinking":' || body || ',"signature":"'
                    || repeat(m, 10) || '"}'
                WHEN part = 3 THEN '{"type":"tool_use","id":"toolu_01' || m[:22]
                    || '","name":"Bash","input":{"command":' || body || ',"description":"Run the tests"}}'
                ELSE '{"type":"text","text":' || body || '}'
            END
            || '],"stop_reason":' || CASE WHEN whole THEN '"tool_use"' ELSE 'null' END
            || ',"stop_sequence":null,"usage":{"input_tokens":' || (3 + h % 9)
            || ',"cache_creation_input_tokens":' || (200 + h % 4000)
            || ',"cache_read_input_tokens":' || (12000 + turn % 400 * 350)
            || ',"cache_creation":{"ephemeral_5m_input_tokens":' || (200 + h % 4000)
            || ',"ephemeral_1h_input_tokens":0},"output_tokens":'
            || CASE WHEN whole THEN 40 + h // 4096 % 1500 ELSE part * 2 END
            || ',"service_tier":"standard"}},"requestId":"req_011' || md5(m || (part = 9))[:21]
            || '","type":"assistant",' || tail
    END AS line
FROM framed
ORDER BY turn, part
"""


def _bodies(random: Random) -> list[str]:
    """JSON strings: short ones as a model writes, then long ones as its tools answer."""

    def body(characters: float) -> str:
        words: list[str] = []
        left = characters
        while left > 0:
            words.append(random.choice(_WORDS) + random.choice("     \n"))
            left -= len(words[-1])
        return json.dumps("".join(words), ensure_ascii=False)

    short = [body(min(random.lognormvariate(5.1, 0.8), 4_000)) for _ in range(SHORT)]
    return short + [body(min(random.lognormvariate(6.63, 1.2), 40_000)) for _ in range(LONG)]


def write(directory: Path, files: int, lines: int, seed: int) -> None:
    """Write ``files`` files of together about ``lines`` lines under ``directory``."""
    import duckdb

    random = Random(seed)
    with duckdb.connect() as connection:
        connection.execute(
            "CREATE TABLE bodies AS SELECT unnest(range(len($bodies))) AS k, unnest($bodies) AS body",
            {"bodies": _bodies(random)},
        )
        for file in range(files):
            _write_file(connection, directory, random, file, files, int(lines / files / LINES_A_TURN), seed)


def _write_file(
    connection: DuckDBPyConnection,
    directory: Path,
    random: Random,
    file: int,
    files: int,
    turns: int,
    seed: int,
) -> None:
    sessions = files * 3 // 4
    fork = sessions <= file < files * 7 // 8
    sub_agent = file >= files * 7 // 8
    session = str(UUID(int=random.getrandbits(128)))
    cwd = f"/home/dev/{random.choice(REPOSITORIES)}"
    path = directory / cwd.replace("/", "-") / f"{session}.jsonl"
    agent = f"{random.getrandbits(32):08x}" if sub_agent else ""
    if sub_agent:
        path = path.with_suffix("") / "subagents" / f"agent-{agent}.jsonl"
    origin = random.randrange(sessions) if fork else file
    path.parent.mkdir(parents=True, exist_ok=True)
    connection.execute(
        f"COPY ({_TURNS}) TO $path (FORMAT csv, HEADER false, QUOTE '', ESCAPE '', DELIMITER '\x01')",
        {
            "path": str(path),
            "file": file,
            "origin": origin,
            "copied": int(turns * 0.6) if fork else 0,
            "turns": turns,
            "seed": seed,
            "short": SHORT,
            "sidechain": sub_agent,
            "cwd": cwd,
            "session": session,
            "branch": random.choice(("main", "fix-totals", "feature/search")),
            "agent": f'"agentId":"{agent}",' if sub_agent else "",
            # A fork's copied lines must name the model that its origin's do.
            "model": SUB_AGENTS_MODEL if sub_agent else MODELS[origin % len(MODELS)],
        },
    )


if __name__ == "__main__":
    write(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]))
