"""Volume, mix, tokens per call and price: worked out by hand, and adding up whatever the numbers."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from costctl.analysis.decomposition import Compared, Effects, Used, added, effects

ONE, OTHER = Used(450, 1350), Used(550, 550)
"""3 and 1 a call; together 1000 calls that cost 1900, 1.9 each."""


def test_volume_mix_and_tokens() -> None:
    # Afterwards 1400 calls: 350 of the first at 3.2 = 1120, 1050 of the second = 960. 1900 -> 2080.
    # volume: 400 x 1.9 = 760; of the first 0.4 x 1350 = 540, of the second 0.4 x 550 = 220
    # mix: 350 x 3 - 1890 = -840; 1050 x 1 - 770 = 280; together -560
    # tokens: 1120 - 1050 = 70; 960 - 1050 = -90; together -20
    first, second = effects([Compared(ONE, Used(350, 1120)), Compared(OTHER, Used(1050, 960))])
    assert first == Effects(540, -840, 70, 0)
    assert second == Effects(220, 280, -90, 0)
    assert added([first, second]) == Effects(760, -560, -20, 0)


def test_a_price_is_told_from_tokens() -> None:
    # As many calls; 4500 where the same tokens would have cost 4500 - 1800 = 2700, twice what they were.
    (found,) = effects([Compared(Used(450, 1350), Used(450, 4500), price=1800)])
    assert found == Effects(0, 0, 1350, 1800)


def test_a_new_group_and_one_that_is_gone_are_mix() -> None:
    # The first is replaced by a new one, as many calls at 0.5 = 225, of which 25 are a price.
    # volume 0; the old one -1350, the new one 200 at the prices before.
    gone, stays, new = effects(
        [Compared(ONE), Compared(OTHER, OTHER), Compared(Used(), Used(450, 225), price=25)]
    )
    assert gone == Effects(0, -1350, 0, 0, discontinued=-1350)
    assert stays == Effects()
    assert new == Effects(0, 200, 0, 25, new=200)


def test_where_nothing_was_all_is_volume() -> None:
    assert list(effects([Compared(Used(), Used(10, 70), price=20)])) == [Effects(50, 0, 0, 20)]
    assert list(effects([Compared(Used(10, 70))])) == [Effects(-70, 0, 0, 0)]


def test_rows_that_do_not_say_for_how_many_calls_they_stand_are_volume() -> None:
    (found,) = effects([Compared(Used(10, 100, 40), Used(10, 100, 90), 0, 5)])
    assert found == Effects(volume=45, price=5)


def test_stages_are_rounded_half_even() -> None:
    # 3 calls become 1 of 2: 5 x 1 / 2 = 2.5 -> 2, and 7 x 0 / 1 = 0; as the whole: 5 x 1 / 3 = 1.67 -> 2,
    # 7 x 1 / 3 = 2.33 -> 2.
    first, second = effects([Compared(Used(2, 5), Used(1, 4)), Compared(Used(1, 7), Used())])
    assert first == Effects(volume=-3, mix=0, tokens_per_call=2)
    assert second == Effects(volume=-5, mix=-2, discontinued=-2)


used = st.builds(
    lambda calls, cost, uncounted: Used(calls, cost if calls else 0, uncounted),
    st.integers(0, 10**7), st.integers(0, 10**17), st.integers(0, 10**15),
)  # fmt: skip
compared = st.builds(Compared, used, used, st.integers(-(10**15), 0), st.integers(-(10**13), 0))


@given(st.lists(compared, max_size=12))
def test_the_steps_add_up_to_the_pico_dollar(groups: list[Compared]) -> None:
    found = list(effects(groups))
    for group, each in zip(groups, found, strict=True):
        before, after = group.before, group.after
        change = after.cost + after.uncounted - before.cost - before.uncounted
        assert each.volume + each.mix + each.tokens_per_call + each.price == change
        assert each.price == group.price + group.uncounted_price
    calls = sum(each.before.calls for each in groups)
    if calls:
        # (N1 - N0) x C0 / N0, but for half a pico-dollar a group
        more = sum(each.after.calls for each in groups) - calls
        cost = sum(each.before.cost for each in groups)
        uncounted = sum(
            each.after.uncounted - each.uncounted_price - each.before.uncounted for each in groups
        )
        assert abs(2 * ((added(found).volume - uncounted) * calls - more * cost)) <= len(groups) * calls
