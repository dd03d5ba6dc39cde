"""The likeliest row of beats, compiled: import it where it is called, since numba takes its time."""

from __future__ import annotations

from functools import cache

import numba
import numpy as np

STRAIGHT, TRIPLE = 0, 1
_NEVER = np.float32(-1e18)
_REACH = 20
"""More steps than an interval changes by from one beat to the next."""


def likeliest(
    places: np.ndarray, prior: np.ndarray, *, shortest: int, spread: float, regroup: float, triple: float
) -> tuple[np.ndarray, np.ndarray, float]:
    """Return the frames of beats, whether each is reached in thirds rather than halves, and their log-odds.

    places: log-odds that a frame is a beat, its half, a third, a quarter, shape (4, frames), float32.
    prior: of each interval from `shortest` frames on, a beat, shape (intervals,). spread: of the logarithm of two
    intervals' ratio. regroup and triple: what it costs to go from halves to thirds or back, and to stay in thirds.
    Source: Viterbi over beat intervals as in a hidden semi-Markov model; tempo as in Krebs, Böck & Widmer 2015.
    """
    lengths, reach, cost = _steps(shortest, len(prior), spread)
    costs = (np.float32(regroup), np.float32(triple))
    score, back = _forward(places, prior.astype(np.float32), lengths, reach, cost, costs)
    beats, groups, best = _traced(score, back, shortest)
    return beats, groups == TRIPLE, best


@cache
def _steps(shortest: int, intervals: int, spread: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Tell of each interval its length and where its parts lie, which intervals it may come from, and at what cost."""
    length = np.arange(shortest, shortest + intervals)
    parts = (length / 3, length * 2 / 3, length / 4, length * 3 / 4)
    lengths = np.stack([length, length // 2, (length + 1) // 2, *(np.rint(part).astype(int) for part in parts)], axis=1)
    reach = np.stack([np.maximum(0, (length * 0.9).astype(int) - shortest), (length * 1.11).astype(int) + 2 - shortest])
    reach = np.minimum(reach, intervals)
    cost = -0.5 * (np.log(length[None] / length[:, None]) / spread) ** 2
    return lengths, reach.T.copy(), cost.astype(np.float32)


@numba.njit(cache=True)  # type: ignore[untyped-decorator]  # numba has no types
def _forward(
    places: np.ndarray,
    prior: np.ndarray,
    lengths: np.ndarray,
    reach: np.ndarray,
    cost: np.ndarray,
    costs: tuple[np.float32, np.float32],
) -> tuple[np.ndarray, np.ndarray]:
    """Return the best score of a beat after each interval, of the last frames, and where each came from."""
    frames, intervals = places.shape[1], len(prior)
    regroup, triple = costs
    ring = lengths[-1, 0] + 1
    score = np.full((ring, 2, intervals), _NEVER, np.float32)
    back = np.full((frames, 2, intervals), np.int8(-1), np.int8)
    for frame in range(frames):
        row = frame % ring
        beat = places[0, frame]
        for k in range(intervals):
            before = frame - lengths[k, 0]
            if before < 0:
                score[row, STRAIGHT, k] = beat
                score[row, TRIPLE, k] = beat
                continue
            halves = (places[1, before + lengths[k, 1]] + places[1, before + lengths[k, 2]]) * np.float32(0.5)
            halves += places[3, before + lengths[k, 5]] + places[3, before + lengths[k, 6]]
            thirds = places[2, before + lengths[k, 3]] + places[2, before + lengths[k, 4]] - triple
            turn = before % ring
            straight = threes = _NEVER
            at_straight = at_threes = k
            for other in range(reach[k, 0], reach[k, 1]):
                step = cost[k, other]
                if score[turn, STRAIGHT, other] + step > straight:
                    straight = score[turn, STRAIGHT, other] + step
                    at_straight = other
                if score[turn, TRIPLE, other] + step > threes:
                    threes = score[turn, TRIPLE, other] + step
                    at_threes = other
            here = beat + prior[k]
            if straight >= threes - regroup:
                score[row, STRAIGHT, k] = straight + halves + here
                back[frame, STRAIGHT, k] = (at_straight - k + _REACH) * 2 + STRAIGHT
            else:
                score[row, STRAIGHT, k] = threes - regroup + halves + here
                back[frame, STRAIGHT, k] = (at_threes - k + _REACH) * 2 + TRIPLE
            if threes >= straight - regroup:
                score[row, TRIPLE, k] = threes + thirds + here
                back[frame, TRIPLE, k] = (at_threes - k + _REACH) * 2 + TRIPLE
            else:
                score[row, TRIPLE, k] = straight - regroup + thirds + here
                back[frame, TRIPLE, k] = (at_straight - k + _REACH) * 2 + STRAIGHT
    return score, back


@numba.njit(cache=True)  # type: ignore[untyped-decorator]  # numba has no types
def _traced(score: np.ndarray, back: np.ndarray, shortest: int) -> tuple[np.ndarray, np.ndarray, float]:
    """Follow the best of the beats after which none fits any more back to the first."""
    frames, intervals = back.shape[0], back.shape[2]
    ring = score.shape[0]
    best, frame, group, k = _NEVER, 0, 0, 0
    for last in range(max(0, frames - ring + 1), frames):
        for kind in range(2):
            for interval in range(intervals):
                if last + interval + shortest >= frames and score[last % ring, kind, interval] > best:
                    best, frame, group, k = score[last % ring, kind, interval], last, kind, interval
    beats, groups = [frame], [group]
    while back[frame, group, k] >= 0:
        code = back[frame, group, k]
        frame -= k + shortest
        group, k = code % 2, k + code // 2 - _REACH
        beats.append(frame)
        groups.append(group)
    return np.array(beats[::-1]), np.array(groups[::-1]), float(best)
