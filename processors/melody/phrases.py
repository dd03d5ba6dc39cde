"""Notes of one line of pitch: where each begins and ends, how it is reached, its vibrato."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

RATE_HZ = 100
"""Frames a second of the lines that come here."""
_SPLIT_SEMITONES = 0.8
_SMOOTH = 5
_SHORTEST_S = 0.06
_PARTED_S = 0.05
_DIP_DB = 3.0
_DIP_REACH_S = 0.06
_JOINED_S = 0.12
_GLIDE_S = 0.04
_WAY_S, _WAY_SEMITONES = 0.2, 1.2
_VIBRATO_LEAST_S = 0.35
_VIBRATO_HZ = (3.5, 9.0)
_VIBRATO_LEAST_CENTS = 8.0
_VIBRATO_PURE = 0.5
_EDGE_S = 0.05


@dataclass(frozen=True, slots=True)
class Vibrato:
    """How often a second the pitch swings, by how many cents to either side, and how regularly, 0 to 1."""

    rate_hz: float
    extent_cents: float
    regularity: float


@dataclass(frozen=True, slots=True)
class Sung:
    """A note: seconds, its pitch as MIDI counts with fractions, how probable it is, and its vibrato if it has one.

    reached: how from the note before: "leap", "glide", or "breath" where there is a rest between.
    """

    start_s: float
    end_s: float
    pitch: float
    confidence: float
    reached: str
    vibrato: Vibrato | None


def notes_of(hz: np.ndarray, voicing: np.ndarray, level_db: np.ndarray) -> list[Sung]:
    """Cut a line into notes: where it pauses, where its pitch leaves the note's, where its level dips and comes back.

    hz, voicing (0 to 1) and level_db: 100 a second, shape (frames,) each.
    """
    voiced = (voicing >= 0.5) & (hz > 0)
    pitch = np.where(voiced, 69 + 12 * np.log2(np.maximum(hz, 1.0) / 440), np.nan)
    found: list[Sung] = []
    for first, behind in _runs(voiced, pitch):
        for start, end in _held(pitch, first, behind, level_db):
            if end - start >= _SHORTEST_S * RATE_HZ:
                found.append(_note(pitch, voicing, start, end, found[-1] if found else None))
    return found


def _runs(voiced: np.ndarray, pitch: np.ndarray) -> list[tuple[int, int]]:
    """Stretches that sound; a gap below 50 ms within one pitch parts nothing."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], voiced.astype(np.int8), [0]])))
    runs = [(int(a), int(b)) for a, b in edges.reshape(-1, 2)]
    joined: list[tuple[int, int]] = []
    for first, behind in runs:
        if joined and first - joined[-1][1] < _PARTED_S * RATE_HZ:
            before = np.nanmedian(pitch[joined[-1][0] : joined[-1][1]][-9:])
            if abs(before - np.nanmedian(pitch[first:behind][:9])) < 0.5:
                joined[-1] = (joined[-1][0], behind)
                continue
        joined.append((first, behind))
    return joined


def _held(pitch: np.ndarray, first: int, behind: int, level_db: np.ndarray) -> list[tuple[int, int]]:
    """Cut one stretch where its pitch, swings evened out, leaves the mean so far for good, and where its level dips."""
    line = pitch[first:behind]
    known = ~np.isnan(line)
    line = np.interp(np.arange(len(line)), np.flatnonzero(known), line[known])
    smooth = _median(line, 2 * _SMOOTH + 1)
    cuts, start, centre = [0], 0, smooth[0]
    for at in range(1, len(smooth)):
        ahead = smooth[at : at + _SMOOTH]
        if len(ahead) == _SMOOTH and np.all(np.abs(ahead - centre) > _SPLIT_SEMITONES):
            cuts.append(at)
            start, centre = at, float(np.median(ahead))
        else:
            centre = float(np.median(smooth[max(start, at - 2 * RATE_HZ) : at + 1])) if at % 4 == 0 else centre
    cuts = sorted({*cuts, *_dips(level_db[first:behind])})
    merged = [0]
    for cut in cuts[1:]:
        if cut - merged[-1] >= _SHORTEST_S * RATE_HZ:
            merged.append(cut)
    spans = list(pairwise([*merged, behind - first]))
    return [(first + a, first + b) for a, b in _without_ways(line, spans)]


def _without_ways(line: np.ndarray, spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Share what is but the way from one note to the next, short and never steady, between the two."""
    kept = [
        not (0 < place < len(spans) - 1 and b - a < _WAY_S * RATE_HZ and float(np.ptp(line[a:b])) > _WAY_SEMITONES)
        for place, (a, b) in enumerate(spans)
    ]
    borders = [0]
    for place in range(1, len(spans)):
        if kept[place]:
            before = place - 1
            borders.append(spans[place][0] if kept[before] else (spans[before][0] + spans[before][1]) // 2)
    return list(pairwise([*borders, spans[-1][1]]))


def _dips(level_db: np.ndarray) -> list[int]:
    """Where the level lies 3 dB or more below what comes up to 60 ms before and after: a note struck again."""
    import scipy.ndimage

    reach = round(_DIP_REACH_S * RATE_HZ)
    if len(level_db) < 4 * reach:
        return []
    lowest = scipy.ndimage.minimum_filter1d(level_db, 2 * reach + 1) == level_db
    before = scipy.ndimage.maximum_filter1d(level_db, reach + 1, origin=(reach + 1) // 2 - (reach + 1) % 2)
    after = scipy.ndimage.maximum_filter1d(level_db, reach + 1, origin=-((reach + 1) // 2) + 0)
    struck = lowest & (after - level_db >= _DIP_DB) & (before - level_db >= _DIP_DB / 6)
    inner = np.flatnonzero(struck)
    return [int(at) for at in inner if reach <= at < len(level_db) - reach]


def _median(line: np.ndarray, width: int) -> np.ndarray:
    import scipy.ndimage

    return np.asarray(scipy.ndimage.median_filter(line, size=width, mode="nearest"))


def _note(pitch: np.ndarray, voicing: np.ndarray, start: int, end: int, before: Sung | None) -> Sung:
    line = pitch[start:end]
    gap_s = start / RATE_HZ - before.end_s if before else np.inf
    reached = "breath" if gap_s > _JOINED_S else "leap"
    centre = float(np.nanmedian(line))
    if before and reached == "leap" and abs(before.pitch - centre) > 0.5:
        reached = "glide" if _way_s(pitch, start, before.pitch, centre) >= _GLIDE_S else "leap"
    return Sung(start / RATE_HZ, end / RATE_HZ, centre, float(voicing[start:end].mean()), reached, vibrato_of(line))


def _way_s(pitch: np.ndarray, at: int, low: float, high: float) -> float:
    """For how long the pitch is between two notes, a sixth of the way off either, around where one ends."""
    around = pitch[max(0, at - 15) : at + 15]
    share = (around - low) / (high - low)
    return float(np.count_nonzero((share > 1 / 6) & (share < 5 / 6))) / RATE_HZ


def vibrato_of(pitch: np.ndarray) -> Vibrato | None:
    """Tell the vibrato of a note from its pitch in semitones, 100 a second; None where it has none.

    The strongest swing from 3.5 to 9 Hz, once what is slower is taken off, that has half of all the swings' power.
    """
    edge = round(_EDGE_S * RATE_HZ)
    line = pitch[edge:-edge]
    line = 100 * line[~np.isnan(line)]
    if len(line) < _VIBRATO_LEAST_S * RATE_HZ:
        return None
    at = np.arange(len(line))
    rest = line - np.polyval(np.polyfit(at, line, 2), at)
    window = np.hanning(len(line) + 2)[1:-1]
    size = max(2048, 4 << len(line).bit_length())  # padded, so that the peak is not between two bins
    power = np.abs(np.fft.rfft(rest * window, size)) ** 2
    hz = np.arange(len(power)) * RATE_HZ / size
    inside = np.flatnonzero((hz >= _VIBRATO_HZ[0]) & (hz <= _VIBRATO_HZ[1]))
    top = int(inside[power[inside].argmax()])
    lobe = 2.2 * RATE_HZ / len(line)
    pure = float(power[np.abs(hz - hz[top]) <= lobe].sum() / max(power[hz > 1.0].sum(), 1e-9))
    extent = 2 * float(np.sqrt(power[top])) / window.sum()
    if pure < _VIBRATO_PURE or extent < _VIBRATO_LEAST_CENTS or top in (inside[0], inside[-1]):
        return None
    return Vibrato(float(hz[top]), extent, min(1.0, pure))
