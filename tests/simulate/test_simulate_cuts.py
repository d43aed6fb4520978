"""How cuts are written."""

from __future__ import annotations

from fractions import Fraction

import pytest

from costctl.simulate.cuts import Cut, CutError


@pytest.mark.parametrize(
    ("text", "cut"),
    [
        ("3200", Cut("length", 3200)),
        ("3,200", Cut("length", 3200)),
        ("-62%", Cut("percentage", Fraction(62, 100))),
        ("-62.35%", Cut("percentage", Fraction(6235, 10_000))),
        ("p90", Cut("percentile", 90)),
        ("mean:3200", Cut("mean", 3200)),
    ],
)
def test_a_cut_is_read_and_written(text: str, cut: Cut) -> None:
    assert Cut.parse(text) == cut
    assert Cut.parse(str(cut)) == cut


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("62%", "whether it is cut by or to that"),
        ("-100%", "says no cut"),
        ("-0%", "cuts nothing"),
        ("p100", "says no cut"),
        ("p0", "says no cut"),
        ("0", "1 token at least"),
        ("9" * 14, "at most"),
        ("", "says no cut"),
        ("mean:", "says no cut"),
    ],
)
def test_what_is_no_cut_is_refused_with_a_way_out(text: str, message: str) -> None:
    with pytest.raises(CutError, match=message) as told:
        Cut.parse(text)
    assert told.value.hint


def test_a_cut_in_words() -> None:
    assert Cut.parse("3200").said("prompts") == "prompts are cut to at most 3,200 tokens a call"
    assert Cut.parse("-62.5%").said("answers") == "answers lose 62.5 % of their tokens"
    assert "90 % percentile" in Cut.parse("p90").said("prompts")
    assert "their mean is 3,200 tokens" in Cut.parse("mean:3200").said("prompts")
