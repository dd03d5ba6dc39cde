"""The pace of work, against closed forms: time is told, not passed."""

from __future__ import annotations

import math

import pytest

from domain.pace import Pace


@pytest.mark.parametrize("steps_s", [(1.0,) * 10, (0.01, 0.5, 5.0, 0.3, 40.0, 2.0)])
def test_a_steady_pace_is_told_exactly_however_often_one_looks(steps_s: tuple[float, ...]) -> None:
    """Given 4 pieces a second of 1,000, when looked at in even or uneven steps, then what is left takes a quarter.

    Nothing is said in the first second, whose pieces are seldom like the others.
    """
    pace, now_s = Pace(), 100.0
    pace.seen(0.0, now_s)
    for step_s in steps_s:
        now_s += step_s
        pace.seen(4.0 * (now_s - 100.0), now_s)
        left = 1000 - 4.0 * (now_s - 100.0)
        assert pace.left_s(left) == (pytest.approx(left / 4.0) if now_s >= 101.0 else None)


def test_a_change_of_pace_is_followed_exponentially() -> None:
    """Given a long run at 10 a second, then 2 a second for t, then the rate is 2 + 8 exp(-t / memory)."""
    pace = Pace(memory_s=30.0)
    pace.seen(0.0, 0.0)
    pace.seen(10_000.0, 1000.0)
    for t in (1.0, 7.5, 30.0, 90.0):
        pace.seen(10_000.0 + 2.0 * t, 1000.0 + t)
        assert pace.rate_hz == pytest.approx(2 + 8 * math.exp(-t / 30.0), rel=1e-9)


def test_standing_still_makes_the_rest_take_longer() -> None:
    """Given a pace of 10 a second that stops for ln 2 memories, then the rate is half, the rest takes twice as long."""
    pace = Pace(memory_s=30.0)
    pace.seen(0.0, 0.0)
    pace.seen(100_000.0, 10_000.0)
    pace.seen(100_000.0, 10_000.0 + 30.0 * math.log(2))
    assert pace.left_s(100) == pytest.approx(20.0)


def test_nothing_is_said_before_anything_was_measured() -> None:
    """Given one look, or two at one moment, or no progress, then nothing is said; nothing left takes no time."""
    pace = Pace()
    assert pace.left_s(5) is None
    pace.seen(3.0, 7.0)
    pace.seen(4.0, 7.0)
    assert pace.left_s(5) is None
    pace.seen(3.0, 8.0)
    assert pace.left_s(5) is None
    assert pace.left_s(0) == 0.0


def test_work_that_begins_anew_is_not_counted_twice() -> None:
    """Given a piece half done that fails and is done again, then it counts as one piece."""
    again, once = Pace(), Pace()
    for pace, looks in ((again, ((0.5, 1.0), (0.0, 2.0), (0.5, 3.0), (1.0, 4.0))), (once, ((0.5, 1.0), (1.0, 4.0)))):
        pace.seen(0.0, 0.0)
        for done, now_s in looks:
            pace.seen(done, now_s)
    assert again.rate_hz is not None
    assert again.rate_hz < 0.3
    assert once.rate_hz == pytest.approx(0.25, rel=0.05)
