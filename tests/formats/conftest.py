"""Files into a temporary ledger, by the real ingest, and what the ledger then holds."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from costctl.ingest import Given, ingest
from costctl.ledger import Ledger
from costctl.pricing.book import PriceBook
from costctl.records import CHARGES, COLUMNS

HERE = Path(__file__).parent

USUAL = {"grain": "call", "requests": 1, "currency": "USD", "kind": "usage"}
"""What an expected call or charge need not say."""

_COMPUTED = ("source_id", "price_id", "cost_pico")
_TEXT = {"call_key": "CAST(call_key AS VARCHAR)", "ts": "CAST(ts AS VARCHAR)"}


@dataclass(frozen=True)
class Held:
    """``calls`` are the calls' columns that say something, in the order of time and tokens; ``rejects`` lines
    and their reasons; ``costs`` the calls' costs in pico-dollars, in the same order; ``charges`` the columns
    that say something of lines of bills."""

    calls: list[dict[str, Any]]
    rejects: list[list[Any]]
    costs: list[int | None]
    charges: list[dict[str, Any]]


Ingest = Callable[..., Held]


@pytest.fixture
def held(tmp_path: Path) -> Ingest:
    """``held(PATH, …, **flags)``: ingest the paths into the test's ledger and say what it then holds."""
    ledger = Ledger(tmp_path / "ledger.duckdb")

    def run(*paths: Path, **flags: Any) -> Held:
        done = ingest(ledger, [str(path) for path in paths], book=PriceBook(), given=Given(**flags))
        assert not done.failed, done
        names = [column.name for column in COLUMNS if column.name not in _COMPUTED]
        columns = ", ".join(_TEXT.get(name, name) for name in names)
        with ledger.reading() as engine:
            rows = engine.rows(
                f"SELECT cost_pico, {columns} FROM calls ORDER BY ts, input_tokens, call_key"  # noqa: S608
            )
            charge_names = [column.name for column in CHARGES]
            named = ", ".join(
                f"CAST({column.name} AS VARCHAR)" if column.role == "time" else column.name
                for column in CHARGES
            )
            charges = engine.rows(
                f"SELECT {named} FROM charges ORDER BY ALL"  # noqa: S608
            )
            rejects = engine.rows("SELECT line, reason FROM rejects ORDER BY source_id, line")
        calls = [
            {
                name: value
                for name, value in zip(names, row[1:], strict=True)
                if value is not None and USUAL.get(name) != value
            }
            for row in rows
        ]
        charged = [
            {
                name: value
                for name, value in zip(charge_names, charge, strict=True)
                if value is not None and USUAL.get(name) != value
            }
            for charge in charges
        ]
        return Held(calls, [list(reject) for reject in rejects], [row[0] for row in rows], charged)

    return run


def key_of(id: str) -> str:
    """The key of a call whose source gives it an id: its MD5, a number from its last byte on, made even."""
    return str(UUID(int=int.from_bytes(hashlib.md5(id.encode()).digest(), "little") & ~1))


def has_own_id(call: dict[str, Any]) -> bool:
    """Whether the key is that of a call with an id of its own."""
    return UUID(call["call_key"]).int % 2 == 0


@dataclass(frozen=True)
class Expected:
    """What a file NAME.expected.json says. ``given`` are the flags of the ingest; ``flipped`` what to change
    in the format so that it misunderstands the file."""

    calls: list[dict[str, Any]]
    rejects: list[list[Any]] = field(default_factory=list)
    charges: list[dict[str, Any]] = field(default_factory=list)
    given: dict[str, Any] = field(default_factory=dict)
    flipped: dict[str, Any] = field(default_factory=dict)


def expected(path: Path) -> Expected:
    content = json.loads(path.read_text(encoding="utf-8"))
    return Expected(
        content.get("calls", []),
        content["rejects"],
        content.get("charges", []),
        content.get("given", {}),
        content.get("flipped", {}),
    )


def example_of(path: Path) -> Path:
    """The file or directory that ``NAME.expected.json`` is about."""
    name = path.name.removesuffix(".expected.json")
    (example,) = (each for each in path.parent.iterdir() if each.name.split(".")[0] == name and each != path)
    return example


EXAMPLES = sorted(HERE.glob("*/*.expected.json"))

_FOLDERS = {"costctl": "call_log"}


def folder_of(format: str) -> str:
    """The folder of a format's examples."""
    return _FOLDERS.get(format, format.replace("-", "_"))


def compare(held: Held, expected: Expected) -> None:
    """Every column of every call and charge, whose id a call is known by, and every reject."""
    calls = expected.calls
    found = []
    for call in held.calls:
        id = {
            "id": next((each["id"] for each in calls if key_of(each.get("id", "")) == call["call_key"]), "?")
        }
        found.append(
            {**(id if has_own_id(call) else {}), **{k: v for k, v in call.items() if k != "call_key"}}
        )
    assert found == calls
    assert held.charges == expected.charges
    assert held.rejects == expected.rejects
