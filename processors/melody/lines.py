"""The likeliest line of pitches, compiled: import it where it is called, since numba takes its time."""

from __future__ import annotations

import numba
import numpy as np


@numba.njit(cache=True)  # type: ignore[untyped-decorator]  # numba has no types
def likeliest(evidence: np.ndarray, slope: float, leap: float) -> np.ndarray:
    """Return the pitch of each frame so that evidence is greatest and changes are few, shape (frames,).

    evidence: shape (frames, pitches), float32. slope: what a change by one pitch costs; leap: what any costs at most.
    Source: Viterbi, with costs that are a truncated line (Felzenszwalb & Huttenlocher 2012).
    """
    frames, pitches = evidence.shape
    came = np.empty((frames, pitches), np.int16)
    score = evidence[0].astype(np.float64)
    source = np.empty(pitches, np.int16)
    for frame in range(1, frames):
        best = 0
        for pitch in range(pitches):
            source[pitch] = pitch
            if score[pitch] > score[best]:
                best = pitch
        least = score[best] - leap
        for pitch in range(1, pitches):
            if score[pitch - 1] - slope > score[pitch]:
                score[pitch] = score[pitch - 1] - slope
                source[pitch] = source[pitch - 1]
        for pitch in range(pitches - 2, -1, -1):
            if score[pitch + 1] - slope > score[pitch]:
                score[pitch] = score[pitch + 1] - slope
                source[pitch] = source[pitch + 1]
        for pitch in range(pitches):
            if least > score[pitch]:
                score[pitch] = least
                source[pitch] = best
            came[frame, pitch] = source[pitch]
            score[pitch] += evidence[frame, pitch]
    line = np.empty(frames, np.int16)
    line[frames - 1] = np.argmax(score)
    for frame in range(frames - 1, 0, -1):
        line[frame - 1] = came[frame, line[frame]]
    return line


@numba.njit(cache=True)  # type: ignore[untyped-decorator]  # numba has no types
def measured(
    magnitudes: np.ndarray, hz: np.ndarray, bin_hz: float, lowest_hz: float, highest_hz: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return each frame's pitch by the peaks at its harmonics, in Hz, and how much of the power these explain, 0 to 1.

    magnitudes: shape (frames, bins), under a Hann window; hz: about where the pitch is, shape (frames,). What noise
    would explain by chance is taken off the share. Between lowest and highest.
    """
    frames = magnitudes.shape[0]
    exact, shares = hz.astype(np.float64).copy(), np.zeros(frames)
    first, last = int(lowest_hz / bin_hz), min(int(highest_hz / bin_hz), magnitudes.shape[1] - 2)
    for frame in range(frames):
        row = magnitudes[frame]
        total = 0.0
        for at in range(first, last + 1):
            total += row[at] * row[at]
        if total <= 0:
            continue
        held, covered, weights, places, done = 0.0, 0, 0.0, 0.0, first - 1
        order = 1
        while order * hz[frame] < highest_hz:
            middle = order * hz[frame] / bin_hz
            reach = max(2.0, 0.025 * middle)
            low, high = max(done + 1, int(middle - reach + 0.5)), min(last, int(middle + reach + 0.5))
            top = low
            for at in range(low, high + 1):
                held += row[at] * row[at]
                covered += 1
                if row[at] > row[top]:
                    top = at
            done = max(done, high)
            if order <= 5 and low < top < high + 1 and 0 < top < last:
                a, b, c = np.log(row[top - 1] + 1e-12), np.log(row[top] + 1e-12), np.log(row[top + 1] + 1e-12)
                bend = a - 2 * b + c
                if bend < 0 and b >= a and b >= c:
                    place = (top + 0.5 * (a - c) / bend) * bin_hz / order
                    if abs(place / hz[frame] - 1) < 0.03:
                        weight = row[top] * order
                        weights += weight
                        places += weight * place
            order += 1
        if weights > 0:
            exact[frame] = places / weights
        by_chance = min(0.95, covered / (last - first + 1))
        shares[frame] = max(0.0, (held / total - by_chance) / (1 - by_chance))
    return exact, shares


@numba.njit(cache=True)  # type: ignore[untyped-decorator]  # numba has no types
def proposed(
    fit: np.ndarray, rows: np.ndarray, level_db: np.ndarray, below: int, steps: int, most: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return pitches that may be the tune's, and what is told of each; shapes (n, 2), frame and pitch, and (n, 26).

    fit: shape (frames, pitches); rows: the spectra on their axis, on which the lowest pitch is at `below`, `steps` an
    octave; level_db: shape (frames,). The best `most` of each frame are proposed.
    """
    frames = len(fit)
    places = np.empty((frames * most, 2), np.int32)
    told = np.zeros((frames * most, 26), np.float32)
    best = np.empty(most, np.int64)
    count = 0
    for frame in range(frames):
        held = _best(fit[frame], best)
        total = 0.0
        for rank in range(held):
            total += fit[frame, best[rank]]
        for rank in range(held):
            places[count, 0], places[count, 1] = frame, best[rank]
            row = told[count]
            _beside(row, fit[frame], best[:held], rank, total)
            _spectrum(row, rows[frame], best[rank], below, steps)
            _around(row, fit, frame, best[rank], steps)
            row[23] = level_db[frame]
            row[24] = level_db[frame] - level_db[max(0, frame - 3)]
            count += 1
    return places[:count], told[:count]


@numba.njit(cache=True)  # type: ignore[untyped-decorator]  # numba has no types
def _best(fit: np.ndarray, best: np.ndarray) -> int:
    """Write the highest peaks of a frame's fit in order and return how many there are."""
    held = 0
    for pitch in range(2, len(fit) - 2):
        here = fit[pitch]
        if here <= 0.05 or here < fit[pitch - 1] or here <= fit[pitch + 1]:
            continue
        if held < len(best):
            best[held] = pitch
            held += 1
        elif here > fit[best[held - 1]]:
            best[held - 1] = pitch
        else:
            continue
        at = held - 1
        while at > 0 and fit[best[at]] > fit[best[at - 1]]:
            best[at], best[at - 1] = best[at - 1], best[at]
            at -= 1
    return held


@numba.njit(cache=True)  # type: ignore[untyped-decorator]  # numba has no types
def _beside(row: np.ndarray, fit: np.ndarray, best: np.ndarray, rank: int, total: float) -> None:
    """Tell of a pitch how it is beside the others of its frame."""
    pitch = best[rank]
    here = fit[pitch]
    row[0], row[1], row[2], row[3] = here, here / fit[best[0]], rank, pitch
    row[4] = here / total
    higher, lower = 0.0, 0.0
    for other in best:
        if other > pitch + 3:
            higher = max(higher, fit[other])
        elif other < pitch - 3:
            lower = max(lower, fit[other])
    row[21], row[22], row[25] = higher / here, lower / here, len(best)


@numba.njit(cache=True)  # type: ignore[untyped-decorator]  # numba has no types
def _spectrum(row: np.ndarray, spectrum: np.ndarray, pitch: int, below: int, steps: int) -> None:
    """Tell of a pitch how strong its harmonics are, and what lies an octave below and between the first two."""
    for order in range(1, 7):
        middle = below + pitch + int(np.log2(order) * steps + 0.5)
        for step in range(-2, 3):
            row[4 + order] = max(row[4 + order], spectrum[middle + step])
    for step in range(-2, 3):
        if pitch + step >= 0:
            row[11] = max(row[11], spectrum[below + pitch - steps + step])
        row[12] = max(row[12], spectrum[below + pitch + int(0.585 * steps) + step])


@numba.njit(cache=True)  # type: ignore[untyped-decorator]  # numba has no types
def _around(row: np.ndarray, fit: np.ndarray, frame: int, pitch: int, steps: int) -> None:
    """Tell how well octaves and twelfths fit, and the pitch itself in the frames before and after."""
    frames, pitches = fit.shape
    twelfth = int(1.585 * steps + 0.5)
    for slot, away in ((13, -steps), (14, steps), (15, -twelfth), (16, twelfth)):
        for step in range(-1, 2):
            place = pitch + away + step
            if 0 <= place < pitches:
                row[slot] = max(row[slot], fit[frame, place])
    for slot, first in ((17, -7), (18, -3), (19, 1), (20, 4)):
        for other in range(frame + first, frame + first + 3):
            top = 0.0
            if 0 <= other < frames:
                for step in range(-1, 2):
                    top = max(top, fit[other, pitch + step])
            row[slot] += top / 3
