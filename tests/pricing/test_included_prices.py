"""A prices.yaml that includes others: its entries stand before theirs, theirs before the catalogue's."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from pathlib import Path

import pytest

from costctl.documents import DocumentError
from costctl.money import usd
from costctl.pricing.book import PriceBook
from costctl.pricing.price import Usage, cost, row_of

USAGE = Usage(datetime(2026, 6, 1), input_tokens=1_000_000)
Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write files by name, and give the path of prices.yaml."""

    def write_files(**texts: str) -> Path:
        for name, text in texts.items():
            (tmp_path / f"{name}.yaml").write_text(text)
        return tmp_path / "prices.yaml"

    return write_files


def charge(book: PriceBook, model: str, provider: str | None = None) -> Decimal | None:
    pico = cost(row_of(book.rows_for([(provider, model)])[provider, model], USAGE), USAGE)
    return None if pico is None else usd(pico)


def test_a_file_stands_before_what_it_includes(write: Write) -> None:
    book = PriceBook.load(
        write(
            prices="include: [a.yaml, b.yaml]\nprices:\n  - {model: one*, input: 1}\n",
            a="prices:\n  - {model: one-a, input: 2}\n  - {model: two, input: 2}\n",
            b="prices:\n  - {model: two, input: 3}\n  - {model: three, input: 3}\n",
        )
    )
    # Even a beginning in the file itself goes before a whole name in an included one.
    assert charge(book, "one-a") == Decimal("1.00")
    assert charge(book, "two") == Decimal("2.00")
    assert charge(book, "three") == Decimal("3.00")
    assert charge(book, "gpt-4o") == Decimal("2.50")
    assert [each.partition(" ")[0] for each in book.identifiers] == [
        "prices.yaml",
        "a.yaml",
        "b.yaml",
        "genai-prices",
    ]


def test_an_alias_may_mean_a_model_of_an_included_file(write: Write) -> None:
    book = PriceBook.load(
        write(
            prices="include: [a.yaml]\naliases:\n  - {model: ours, means: {provider: acme, model: chat}}\n",
            a="prices:\n  - {provider: acme, model: chat, input: 2}\n",
        )
    )
    assert charge(book, "ours") == Decimal("2.00")


def test_the_multipliers_of_an_included_file_hold_behind_those_of_the_file(write: Write) -> None:
    book = PriceBook.load(
        write(
            prices="include: [a.yaml]\nmultipliers:\n  - {provider: openai, multiplier: 0.5}\n",
            a="multipliers:\n  - {multiplier: 0.1}\n",
        )
    )
    # gpt-4o costs 2.50, Sonnet 4 3.00.
    assert charge(book, "gpt-4o", "openai") == Decimal("1.25")
    assert charge(book, "claude-sonnet-4", "anthropic") == Decimal("0.30")


@pytest.mark.parametrize(
    ("texts", "fault"),
    [
        ({"prices": "include:\n  - ../other.yaml\n"}, "prices.yaml:2: ../other.yaml is not in the directory"),
        ({"prices": "include: [/etc/passwd]\n"}, "prices.yaml:1: /etc/passwd is not in the directory"),
        ({"prices": "include: [prices.yaml]\n"}, "prices.yaml:1: prices.yaml is read already"),
        (
            {"prices": "include: [a.yaml, ./a.yaml]\n", "a": "prices: []\n"},
            "prices.yaml:1: ./a.yaml is read already",
        ),
        ({"prices": "include: [a.yaml]\n"}, "a.yaml: cannot be read: No such file or directory"),
        (
            {"prices": "include: [a.yaml]\n", "a": "prices:\n  - {model: m}\n"},
            "a.yaml:2: prices[0] states no",
        ),
        (
            {"prices": "include: [a.yaml]\n", "a": "include: [b.yaml]\n"},
            "a.yaml:1: a.yaml is included itself, so it cannot include",
        ),
    ],
)
def test_faults(write: Write, texts: dict[str, str], fault: str) -> None:
    with pytest.raises(DocumentError) as caught:
        PriceBook.load(write(**texts))
    assert fault in str(caught.value)


def test_a_link_does_not_lead_out(tmp_path: Path) -> None:
    inner = tmp_path / "inner"
    inner.mkdir()
    (tmp_path / "secret.yaml").write_text("prices: []\n")
    (inner / "link.yaml").symlink_to(tmp_path / "secret.yaml")
    (inner / "prices.yaml").write_text("include: [link.yaml]\n")
    with pytest.raises(DocumentError, match=r"link.yaml is not in the directory"):
        PriceBook.load(inner / "prices.yaml")
