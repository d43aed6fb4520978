"""Reports to render and names that attack what shows them."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from costctl.report import Chart, Column, Outcome, Report, Span, Unpriced

USD = 10**12

HOSTILE: tuple[str, ...] = (
    "[red]x[/red]",
    "[/]",
    "[link=file:///etc/passwd]a[/link]",
    ":smile: :tada:",
    "\x1b[2J\x1b[31mred",
    "\x1b]0;title\x07",
    "\x1b]8;;http://evil.example\x1b\\click\x1b]8;;\x1b\\",
    "\x9b2Jc1",
    "\x7f\x00\x08nul",
    "user\u202egnp.exe",
    "\u2066isolate\u2069\u061c\u200e\u200f\ufeff\u200b",
    "line\nbreak\r\nand\ttab",
    "\u2028separator\u2029\x85",
    "lone \ud800 surrogate \udfff",
    "tags \U000e0041\U000e007f",
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "![x](http://evil.example/x.png)",
    "[x](javascript:alert(1))",
    "http://evil.example www.evil.example",
    "@everyone #1 a@b.example",
    "a|b \\| c\\",
    "`code` ``a@b`` |`@|",
    "*bold* _it_ ~~gone~~ $x$",
    "=cmd|'/C calc'!A0",
    "+1",
    "-5.00",
    "@SUM(A1)",
    "\t=1",
    "\r=1",
    "\n=1",
    "  =1",
    "＝cmd",
    "＋1",
    "－1",
    "＠x",
    "'=1",
    "''=1",
    "'plain",
    'quote " and, comma; semicolon',
    "",
    " ",
    "客戶服務團隊長長長長長長",
    "👩‍👩‍👧‍👦 family 👍🏽",
    "می‌خواهم",
    "e" + "\u0301" * 40,
    "a" * 5000,
    "長" * 5000,
    "\u0301" * 5000,
    "\u200d" * 50,
)


def bill() -> Report:
    """Made by hand: a month's bill by model with every kind of column but duration."""
    columns = (
        Column("model", "text"),
        Column("cost", "money"),
        Column("share", "percent"),
        Column("requests", "count"),
        Column("input_tokens", "tokens"),
        Column("cost_per_request", "money", "USD/call", wide=True),
        Column("mean_latency_ms", "duration", title="mean latency", wide=True),
    )
    rows: list[tuple[int | Decimal | str | None, ...]] = [
        (
            "claude-opus-4-20250514",
            89_450 * USD,
            Decimal("0.699648"),
            70_123,
            1_234_567_890,
            1_275_615_704_405,
            Decimal(1450),
        ),
        (
            "claude-sonnet-4-20250514",
            32_100 * USD,
            Decimal("0.251075"),
            25_000,
            345_678,
            1_284_000_000_000,
            Decimal("980.5"),
        ),
        (
            "claude-haiku-3-20250307",
            6_300 * USD - 300_000_000,
            Decimal("0.049276"),
            4_877,
            999,
            1_291_777_731_000,
            None,
        ),
        (None, 300_000_000, Decimal("0.000000"), 1, 0, 300_000_000, 12),
    ]
    return Report(
        command="bill",
        title="Bill",
        columns=columns,
        rows=rows,
        totals=(None, 127_850 * USD, Decimal(1), 100_001, 1_234_914_567, 1_278_487_215_128, Decimal(1300)),
        period=Span("2024-10-01T00:00:00+00:00", "2024-11-01T00:00:00+00:00", "UTC", "October 2024"),
        filters=("team=search",),
        complete=False,
        unpriced=Unpriced(3, 1234, ("gpt-x", "gpt-y")),
        rejected_lines=2,
        price_books=("catalogue 2026-11-20", "prices.yaml"),
        notes=("1,204 calls under a subscription are counted at list price",),
        as_of="2026-11-20T12:00:00+00:00",
        calls=100_001,
        charts=(Chart("bar", "share"),),
        figures={"growth": Decimal("2.347"), "annualised": 1_534_200 * USD, "payback": Decimal("0.35")},
        figure_columns=(
            Column("growth", "percent"),
            Column("annualised", "money"),
            Column("payback", "number", "months"),
        ),
    )


def trend() -> Report:
    """Ten days, one without a figure."""
    costs = [0, 100, 200, None, 400, 500, 600, 700, 350, 50]
    return Report(
        command="report",
        title="Cost by day",
        columns=(Column("day", "time"), Column("cost", "money"), Column("tokens", "tokens")),
        rows=[
            (f"2024-10-{day:02}", cost and cost * USD, cost and cost * 1_000_003)
            for day, cost in enumerate(costs, 1)
        ],
        period=Span("2024-10-01T08:30:00+08:00", "2024-10-11T00:00:00+08:00", "Asia/Taipei"),
        charts=(Chart("spark", "cost"),),
    )


def pivot() -> Report:
    """More columns than any terminal shows."""
    columns = (
        Column("day", "time"),
        *(Column(f"team-{number}", "money") for number in range(60)),
        Column("total", "money"),
    )
    rows: list[tuple[int | Decimal | str | None, ...]] = [
        ("2024-10-01", *(number * USD for number in range(60)), 1770 * USD),
        ("2024-10-02", *(None for _ in range(60)), None),
    ]
    return Report("report", "Cost by day and team", columns, rows)


def names(hostile: tuple[str, ...] = HOSTILE, tags: int = len(HOSTILE)) -> Report:
    """Every hostile name in a cell, the first ones also in headers, all in title, filters, notes, …"""
    columns = (
        Column("team", "text"),
        Column("cost", "money"),
        *(Column(f"tag:{name}", "text", wide=bool(number % 2)) for number, name in enumerate(hostile[:tags])),
    )
    rows: list[tuple[int | Decimal | str | None, ...]] = [
        (name, -5 * USD, *(hostile[number - index] for index in range(tags)))
        for number, name in enumerate(hostile)
    ]
    joined = " ".join(name[:50] for name in hostile)
    return Report(
        "report",
        joined,
        columns,
        rows,
        totals=tuple(None for _ in columns),
        period=Span(None, None, joined, joined),
        filters=hostile,
        unpriced=Unpriced(1, 1, hostile),
        price_books=hostile[:-8],
        notes=hostile,
        figures={joined: joined},
        figure_columns=(Column(joined, "text"),),
    )


def names_to_review() -> Report:
    """Short enough for eyes."""
    return names(tuple(dict.fromkeys(name[:60] for name in HOSTILE)), tags=4)


def one_name(name: str) -> Report:
    return Report(
        "report",
        name,
        (Column("team", "text"), Column("cost", "money"), Column("tokens", "tokens", title=name)),
        [(name, 12_345_678 * USD, 10**12), (None, None, None)],
        totals=(None, 1, 1),
        filters=(name,),
        notes=(name,),
    )


def empty() -> Report:
    return replace(bill(), rows=[], totals=None, figures={}, figure_columns=(), calls=0)


def ingest() -> Outcome:
    return Outcome(
        "ingest",
        (
            Column("files", "count"),
            Column("rows_new", "count"),
            Column("rejects_by_reason", "count"),
            Column("first_ts", "time"),
            Column("last_ts", "time"),
            Column("complete", "text"),
            Column("cost", "money"),
        ),
        (3, 12_000, {"bad time": 2, "=cmd [b]": 1}, "2024-09-01T00:00:00Z", None, True, 123_450_000_000_000),
        ("3 lines were rejected",),
    )
