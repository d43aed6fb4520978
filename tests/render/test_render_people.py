"""What people read: safe whatever the names, within the width, rounded half-even."""

from __future__ import annotations

import io
import re
from dataclasses import replace
from decimal import Decimal

import pytest
import samples
from hypothesis import example, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from rich.cells import cell_len

from costctl.render import FORMATS, Format, remarks, render, warnings
from costctl.render.captions import header, period
from costctl.render.cells import display, money, tokens
from costctl.render.markdown import escaped
from costctl.render.pictures import bar, shade, sparkline
from costctl.render.printable import UNPRINTABLE, printable
from costctl.render.width import shorten, wrap
from costctl.report import Cell, Chart, Column, Report, Span, Unpriced

texts = st.text(st.characters()) | st.sampled_from(samples.HOSTILE)


def shown(report: Report, format: Format = "table", width: int = 100) -> str:
    stream = io.StringIO()
    render(report, format, stream=stream, width=width, color=False)
    return stream.getvalue()


# printable -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "visible"),
    [
        ("a\x1b[2J", r"a\x1b[2J"),
        ("\x9b\x7f\x00", r"\x9b\x7f\x00"),
        ("a\n\r\tb", r"a\n\r\tb"),
        ("\u202e\u2066\u061c\u200e\ufeff", r"\u202e\u2066\u061c\u200e\ufeff"),
        ("\ud800", r"\ud800"),
        ("\U000e0041", r"\U000e0041"),
        ("می‌خواهم 👩‍👧 é", "می‌خواهم 👩‍👧 é"),
    ],
)
def test_printable_shows_what_a_terminal_would_obey(text: str, visible: str) -> None:
    assert printable(text) == visible


def test_every_forbidden_code_point_is_covered() -> None:
    ranges = [
        (0x00, 0x1F),
        (0x7F, 0x9F),
        (0x61C, 0x61C),
        (0x200E, 0x200F),
        (0x2028, 0x202E),
        (0x2066, 0x2069),
        (0xFEFF, 0xFEFF),
        (0xD800, 0xDFFF),
        (0xE0000, 0xE007F),
    ]
    for first, last in ranges:
        for code in range(first, last + 1):
            assert printable(chr(code)).isascii()
            assert printable(chr(code)).startswith("\\")
    assert printable("\u200d\u200c") == "\u200d\u200c"


# any text, any width ---------------------------------------------------------------------------------------


@given(texts, st.integers(20, 200))
@settings(deadline=None, max_examples=150)
def test_no_text_breaks_a_table(name: str, width: int) -> None:
    written = shown(samples.one_name(name), width=width)
    assert not UNPRINTABLE.search(written.replace("\n", ""))
    for line in written.split("\n"):
        assert cell_len(line) <= width


@pytest.mark.parametrize("width", [20, 21, 30, 40, 60, 80, 100, 137, 200])
def test_hostile_names_everywhere(width: int) -> None:
    written = shown(samples.names(), width=width)
    assert not UNPRINTABLE.search(written.replace("\n", ""))
    assert max(map(cell_len, written.split("\n"))) <= width


def test_hostile_names_are_never_colours_or_links() -> None:
    stream = io.StringIO()
    render(samples.names(), stream=stream, width=100, color=True)
    written = re.sub(r"\x1b\[(?:[0-9]|33|36)m", "", stream.getvalue())
    assert not UNPRINTABLE.search(written.replace("\n", ""))
    assert "[red]x[/red]" in written


@pytest.mark.parametrize("format", FORMATS)
def test_two_renders_are_byte_identical(format: Format) -> None:
    assert shown(samples.names(), format) == shown(samples.names(), format)


@given(texts, st.integers(0, 60))
@settings(deadline=None)
def test_shortening_fits(name: str, width: int) -> None:
    text = printable(name)
    short = shorten(text, width)
    assert cell_len(short) <= width
    assert short == text or "…" in short or width == 0


def test_shortening_keeps_both_ends_of_names_and_the_beginning_of_sentences() -> None:
    assert shorten("claude-sonnet-4-20250514", 15) == "claude-…0250514"
    assert shorten("the line is not JSON", 12) == "the line is…"
    assert shorten("客戶服務團隊", 7) == "客戶…隊"
    assert shorten("客戶服務團隊", 6) == "客…隊"
    assert shorten("x👩‍👩‍👧‍👦" * 5, 6) == "x👩‍👩‍👧‍👦…👩‍👩‍👧‍👦"


@given(texts, st.integers(2, 60))
@settings(deadline=None)
def test_wrapping_loses_nothing(name: str, width: int) -> None:
    text = printable(name)
    lines = wrap(text, width)
    assert "".join("".join(lines).split()) == "".join(text.split())
    assert max(map(cell_len, lines)) <= width


# the layout ------------------------------------------------------------------------------------------------


def test_wide_columns_and_bars_only_where_there_is_room() -> None:
    assert "mean" not in shown(samples.bill(), width=80)
    assert "█" not in shown(samples.bill(), width=70)
    assert "█" in shown(samples.bill(), width=100)
    assert "mean" in shown(samples.bill(), width=140)


def test_a_bar_may_be_of_a_whole_that_no_row_has() -> None:
    columns = (Column("budget", "text"), Column("share", "percent"))
    half = Report("x", "", columns, [("a", Decimal("0.5"))], charts=(Chart("bar", "share", Decimal(1)),))
    assert shown(half, width=80).splitlines()[-1].split()[-1] == "██████"  # half of 12 cells
    assert "█" * 12 in shown(replace(half, charts=(Chart("bar", "share"),)), width=80)


def test_tokens_are_abbreviated_where_it_is_narrow() -> None:
    assert "1,234,567,890" in shown(samples.bill(), width=100)
    assert "1.23B" in shown(samples.bill(), width=58)


def test_many_columns_degrade() -> None:
    written = shown(samples.pivot(), width=60)
    said = " ".join(written.split())
    assert re.search(r"\d+ columns are left out for want of room \(team-.*, …\); --format csv has all", said)
    kept = re.findall(r"team-\d+", written.split("─")[0])
    assert kept[0] == "team-0"
    assert f"{60 - len(kept)} columns are" in said  # the total stays


def test_five_thousand_columns_are_laid_out_at_once() -> None:
    columns = tuple(Column(f"c{number}", "count") for number in range(5000))
    written = shown(Report("report", "", columns, [tuple(range(5000))] * 50))
    assert "columns are left out" in written


def test_a_pivot_that_is_too_wide_keeps_its_total() -> None:
    models = [Column(f"model=m{number}", "count", title=f"model-{number:05}") for number in range(20)]
    report = Report("report", "x", (Column("day", "time"), *models, Column("total", "count")), [])
    report.rows.append(("2024-10-01", *range(20), 190))
    _, _, titles, _, row, *_ = shown(report, width=60).splitlines()
    assert titles.split() == ["day", "model-00000", "model-00001", "model-00002", "total"]
    assert row.split() == ["2024-10-01", "0", "1", "2", "190"]  # and the day is whole


def test_a_number_is_whole_or_hidden() -> None:
    columns = (Column("team", "text"), Column("cost", "money"))
    written = shown(Report("report", "", columns, [("a", 9 * 10**30)]), width=20)
    assert "9,0" not in written
    single = shown(Report("report", "", columns[1:], [(9 * 10**30,)]), width=20)
    assert "9,0" not in single
    assert "…" in single


def test_a_report_without_rows_or_columns() -> None:
    assert "Nothing to show." in shown(samples.empty())
    assert shown(Report("report", "", (), [()]))
    assert "Nothing to show." in shown(samples.empty(), "md")


def test_totals_always_stand_under_the_table() -> None:
    for width in (40, 100, 200):
        assert re.search(r"^total +\$127,850\.00", shown(samples.bill(), width=width), re.MULTILINE)


# figures ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pico", "written"),
    [
        (0, "$0.00"),
        (127_850 * 10**12, "$127,850.00"),
        (1_234_565_000_000_000, "$1,234.56"),  # half to even: .565 -> .56
        (1_234_575_000_000_000, "$1,234.58"),  # half to even: .575 -> .58
        (300_000_000, "$0.0003"),
        (9_949_999_999, "$0.0099"),
        (9_999_999_999, "$0.01"),
        (1, "$0.000000000001"),
        (-5_200_000_000_000, "-$5.20"),
        (-300_000_000, "-$0.0003"),
        (12_345_678_901, "$0.01"),
    ],
)
def test_money_for_people(pico: int, written: str) -> None:
    assert money(pico) == written


def test_money_of_other_units() -> None:
    assert money(2_738_156 * 10**12, "TWD") == "TWD 2,738,156.00"
    assert money(Decimal("2738156.005"), "TWD") == "TWD 2,738,156.00"
    assert money(Decimal("-2738156.5"), "JPY") == "-JPY 2,738,156"
    assert money(Decimal("0.0314"), "JPY") == "JPY 0.031"
    assert money(Decimal("0.31"), "JPY/call") == "JPY 0.31"
    assert money(Decimal("1.23456"), "KWD") == "KWD 1.235"
    assert money(Decimal(0), "JPY") == "JPY 0"
    assert money(12_345_678_901, "USD/call") == "$0.0123"
    assert money(1_275_615_704_405, "USD/call") == "$1.28"


def test_a_price_is_shown_whole() -> None:
    assert money(1_875_000_000_000, "USD/million") == "$1.875"
    assert money(6_250_000_000, "USD/million") == "$0.00625"
    assert money(15_000_000_000_000, "USD/million") == "$15.00"


@pytest.mark.parametrize(
    ("count", "written"),
    [
        (0, "0"),
        (999, "999"),
        (1000, "1.00k"),
        (9_999, "10.0k"),
        (12_345, "12.3k"),
        (999_499, "999k"),
        (999_500, "1.00M"),
        (89_000_000, "89.0M"),
        (1_234_567_890, "1.23B"),
        (4 * 10**15, "4,000T"),
        (-12_345, "-12.3k"),
    ],
)
def test_tokens_for_narrow_tables(count: int, written: str) -> None:
    assert tokens(count) == written


@pytest.mark.parametrize(
    ("kind", "value", "written"),
    [
        ("percent", Decimal("0.25"), "25.0%"),
        ("percent", Decimal("0.66949"), "66.9%"),
        ("percent", Decimal("-0.0001"), "0.0%"),
        ("percent", Decimal("33.85"), "3,385.0%"),
        ("duration", 850, "850 ms"),
        ("duration", Decimal("980.5"), "980 ms"),
        ("duration", 1450, "1.45 s"),
        ("duration", 123_456, "123 s"),
        ("number", Decimal("0.35"), "0.35"),
        ("number", Decimal("3200.000000"), "3,200"),
        ("number", Decimal("1E+300"), "1e+300"),
        ("count", 1_234_567, "1,234,567"),
        ("tokens", 1_234_567, "1,234,567"),
        ("time", "2024-10-01", "2024-10-01"),
        ("text", None, "–"),
        ("money", None, "–"),
    ],
)
def test_cells_for_people(kind: str, value: int | Decimal | str | None, written: str) -> None:
    assert display(Column("x", kind), value) == written  # type: ignore[arg-type]


@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**40), max_value=10**40))
@settings(deadline=None)
def test_any_number_can_be_shown(value: Decimal) -> None:
    for kind in ("percent", "number", "duration"):
        assert display(Column("x", kind), value)  # type: ignore[arg-type]


def test_bars() -> None:
    assert bar(100, 100, 8) == "████████"
    assert bar(Decimal("0.5"), Decimal(1), 8) == "████"
    assert bar(1, 10**18, 8) == "▏"
    assert bar(17, 64, 8) == "██▏"
    assert bar(0, 100, 8) == bar(None, 100, 8) == bar(-1, 100, 8) == bar(0, 0, 8) == ""


def test_what_is_gone_continues_a_bar_in_a_lighter_tone() -> None:
    assert bar(50, 100, 8) + shade(50, 25, 100, 8) == "████░░"
    assert bar(45, 100, 8) + shade(45, 55, 100, 8) == "███▋░░░░"  # 3.6 of 8 cells, then to the end
    assert shade(50, -25, 100, 8) == shade(50, None, 100, 8) == shade(None, 50, 100, 8) == ""
    columns = (Column("step", "text"), Column("saving", "number"), Column("cost", "number"))
    steps: list[tuple[Cell, ...]] = [("as it was", None, Decimal(8)), ("trim", Decimal(2), Decimal(6))]
    report = Report("x", "", columns, steps, charts=(Chart("bar", "cost", gone="saving"),))
    assert shown(report, width=80).splitlines()[-1].split()[-1] == "█████████░░░"  # 9 and 3 of 12 cells


def test_sparklines() -> None:
    assert sparkline([0, 1, 2, 3, 4, 5, 6, 7], 10) == "▁▂▃▄▅▆▇█"
    assert sparkline([0, None, 7], 10) == "▁ █"
    assert sparkline([0, 14, 7, 7], 2) == "██"
    assert sparkline([-7, 0], 10) == "▁█"
    assert sparkline([0, 0], 10) == "▁▁"
    assert sparkline([], 10) == ""


def test_a_sparkline_of_unknowns_is_left_out() -> None:
    report = Report(
        "report", "", (Column("cost", "money"),), [(None,), (None,)], charts=(Chart("spark", "cost"),)
    )
    assert "to" not in shown(report)


# captions --------------------------------------------------------------------------------------------------


def test_header_says_period_zone_books_and_calls() -> None:
    assert header(samples.bill()) == [
        "Bill",
        "October 2024 (2024-10-01 to 2024-10-31) · UTC · 100,001 calls"
        " · prices: catalogue 2026-11-20, prices.yaml",
        "where team=search",
    ]


@pytest.mark.parametrize(
    ("start", "end", "words"),
    [
        ("2024-10-01T00:00:00+08:00", "2024-10-02T00:00:00+08:00", "2024-10-01"),
        ("2024-10-01", "2024-11-01", "2024-10-01 to 2024-10-31"),
        ("2024-10-01T08:30:00Z", "2024-10-02T00:00:00Z", "2024-10-01 08:30 to 2024-10-02 00:00"),
        ("2024-10-01T08:30:05Z", None, "from 2024-10-01 08:30:05"),
        (None, "2024-10-02T00:00:00Z", "to 2024-10-01"),
        (None, None, "all time"),
    ],
)
def test_periods_name_their_last_day(start: str | None, end: str | None, words: str) -> None:
    assert period(Span(start, end, "UTC")) == words


def test_footer_says_what_is_missing() -> None:
    assert remarks(samples.bill()) == [
        "3 calls (1,234 tokens) of gpt-x, gpt-y have no price: the cost is a lower bound",
        "2 lines were rejected and not counted: see costctl rejects",
        "1,204 calls under a subscription are counted at list price",
    ]


def test_footer_counts_one_and_many() -> None:
    report = Report("report", "", (), [], unpriced=Unpriced(1, 1, tuple("abcdefg")), rejected_lines=1)
    assert warnings(report) == [
        "1 call (1 token) of a, b, c, d, e and 2 more has no price: the cost is a lower bound",
        "1 line was rejected and not counted: see costctl rejects",
    ]
    assert warnings(Report("report", "", (), [])) == []


# Markdown --------------------------------------------------------------------------------------------------

MARKDOWN = MarkdownIt("commonmark").enable(["table", "strikethrough"])


@given(texts.map(lambda text: text[:300]) | st.text("`|\\@ a*_[]()!<>~#&:"))
@settings(deadline=None, max_examples=200)
@example("a@\\|`b``|`")
@example("1. x")
@example("- x")
@example("---")
def test_markdown_shows_names_letter_for_letter(name: str) -> None:
    table = f"| {escaped(name)} | end |\n| --- | --- |\n| {escaped(name)} | end |\n"
    tokens_ = [token for token in MARKDOWN.parse(table) if token.type == "inline"]
    assert len(tokens_) == 4
    for cell in (tokens_[0], tokens_[2]):
        kinds = {child.type for child in cell.children or []}
        assert kinds <= {"text", "code_inline"}
        assert words("".join(child.content for child in cell.children or [])) == words(printable(name))
    [item] = [token for token in MARKDOWN.parse(f"- {escaped('x' + name)}\n") if token.type == "inline"]
    assert {child.type for child in item.children or []} <= {"text", "code_inline"}


def words(text: str) -> str:
    """Without its blanks: Markdown does not keep those at the ends of a cell."""
    return "".join(text.split())


def test_markdown_of_hostile_names_has_no_live_part() -> None:
    written = shown(samples.names(), "md")
    assert not UNPRINTABLE.search(written.replace("\n", ""))
    assert not re.search(r"<(?:a|img|script|s|em)\b", MARKDOWN.render(written))
    texts = [child for token in MARKDOWN.parse(written) for child in token.children or []]
    assert {child.type for child in texts} <= {"text", "code_inline", "strong_open", "strong_close"}
    # GitHub makes links of these in plain text.
    live = [child for child in texts if re.search(r"@|://|www\.|#\d|:tada:", child.content)]
    assert live
    assert {child.type for child in live} == {"code_inline"}


def test_markdown_aligns_numbers_to_the_right() -> None:
    assert "| --- | ---: | ---: | ---: | ---: | ---: | ---: |" in shown(samples.bill(), "md")
    assert "| **total** | **$127,850.00** | **100.0%** |" in shown(samples.bill(), "md")
