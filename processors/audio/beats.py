"""Tempo and beats from onset strength."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from events.analyses import BeatsTracked
from events.imports import AudioAdded
from processors.audio.signal import FRAME_RATE_HZ, SPECTRUM, Signal
from processors.handler import processor

SLOWEST_BPM = 40.0
FASTEST_BPM = 220.0
USUAL_BPM = 120.0
TIGHTNESS = 100.0
_SPREAD_OCTAVES = 1.0
_TEMPO_STEP = 1.002
_MULTIPLES = {1: 1.3, 2: 1.0, 3: 1.0, 4: 1.0, 8: 1.0}
"""At how many periods onsets should repeat, and what that weighs: the period itself, then bars."""
_LEAST_CONFIDENCE = 0.15
_LEAST_RISE_DB = 3.0
_LEAST_BEATS = 4
_LATE_FRAMES = 0.8
"""By how much an onset's strongest rise comes after it, on average of clicks at all places between frames."""


@dataclass(frozen=True, slots=True)
class Beats:
    """Beat times in seconds, their tempo, and how sure they are, from 0 to 1."""

    tempo_bpm: float | None
    confidence: float
    times_s: np.ndarray


NO_BEATS = Beats(None, 0.0, np.zeros(0))


def accents(onset_strength: np.ndarray, *, frame_rate_hz: float) -> np.ndarray:
    """Return how far onsets rise above their surroundings, at most four times the usual, shape (frames,)."""
    width = max(1, round(0.5 * frame_rate_hz)) | 1
    padded = np.pad(onset_strength.astype(np.float64), width // 2, mode="edge")
    around = np.convolve(padded, np.full(width, 1 / width), mode="valid")
    raised = np.maximum(0, onset_strength - around)
    limited: np.ndarray = np.minimum(raised, 4 * np.sqrt(np.mean(raised**2)))
    return limited


def autocorrelation(values: np.ndarray, *, lags: int) -> np.ndarray:
    """Return the autocorrelation of centred values, 1 at lag 0, shape (lags,); zeros where nothing varies."""
    import scipy.fft

    centred = values - values.mean()
    size = scipy.fft.next_fast_len(2 * len(centred))
    spectrum = scipy.fft.rfft(centred, size)
    products = scipy.fft.irfft(spectrum * spectrum.conj(), size)[: min(lags, len(centred))]
    scaled = products / products[0] if products[0] > 0 else np.zeros_like(products)
    return np.pad(scaled, (0, max(0, lags - len(scaled))))


def tempo_strengths(correlation: np.ndarray, *, frame_rate_hz: float) -> tuple[np.ndarray, np.ndarray]:
    """Return tempi from 40 to 220 bpm and how well the onsets repeat at each, both of shape (tempi,).

    The strength is the weighted mean of the autocorrelation at multiples of the period, 0 where two do not fit.
    """
    count = int(np.log(FASTEST_BPM / SLOWEST_BPM) / np.log(_TEMPO_STEP)) + 1
    tempi = SLOWEST_BPM * _TEMPO_STEP ** np.arange(count)
    lags = 60 * frame_rate_hz / tempi[:, None] * np.array(list(_MULTIPLES))
    weights = np.array(list(_MULTIPLES.values()))
    held = lags < len(correlation) - 1
    values = np.where(held, np.interp(lags, np.arange(len(correlation)), correlation), 0)
    return tempi, np.where(held[:, 1], values @ weights / np.maximum(1, held @ weights), 0)


def estimate_tempo(accented: np.ndarray, *, frame_rate_hz: float) -> tuple[float, float]:
    """Return the tempo in bpm and how well the onsets repeat at it, from 0 to 1.

    Source: Ellis 2007: autocorrelation, preferring tempi near 120 bpm by a log-normal curve.
    """
    longest = int(max(_MULTIPLES) * 60 * frame_rate_hz / SLOWEST_BPM) + 2
    lags = min(longest, len(accented) * 3 // 4)
    shrinking = 1 - np.arange(lags) / len(accented)
    correlation = autocorrelation(accented, lags=lags) / shrinking
    tempi, strengths = tempo_strengths(correlation, frame_rate_hz=frame_rate_hz)
    preference = np.exp(-0.5 * (np.log2(tempi / USUAL_BPM) / _SPREAD_OCTAVES) ** 2)
    best = int(np.argmax(strengths * preference))
    double = int(np.argmin(np.abs(tempi - 2 * tempi[best])))
    if 2 * tempi[best] <= FASTEST_BPM and strengths[double] >= 0.9 * strengths[best]:
        best = double
    return float(tempi[best]), float(np.clip(strengths[best], 0, 1))


def place_beats(accented: np.ndarray, *, frame_rate_hz: float, tempo_bpm: float) -> np.ndarray:
    """Return the frames of beats that fall on accents and keep an even pace, shape (beats,).

    accented: shape (frames,), non-negative. Source: Ellis 2007, dynamic programming.
    """
    period = 60 * frame_rate_hz / tempo_bpm
    reach = np.arange(-round(period), round(period) + 1)
    smooth = np.convolve(accented, np.exp(-0.5 * (reach * 32 / period) ** 2), mode="same")[: len(accented)]
    smooth = smooth / (smooth.std() or 1.0)
    steps = np.arange(-round(2 * period), -max(1, round(period / 2)) + 1)
    costs = -TIGHTNESS * np.log(-steps / period) ** 2
    back = len(steps) + int(-steps[-1]) - 1
    score = np.zeros(len(smooth) + back)
    before = np.full(len(smooth), -1)
    for frame, local in enumerate(smooth.tolist()):
        options = score[frame : frame + len(steps)] + costs
        best = int(options.argmax())
        score[frame + back] = local + options[best]
        before[frame] = frame + steps[best]
    return _traced(score[back:], before, smooth)


def _traced(score: np.ndarray, before: np.ndarray, smooth: np.ndarray) -> np.ndarray:
    peaks = np.flatnonzero((score >= np.append(score[1:], -np.inf)) & (score > np.insert(score[:-1], 0, -np.inf)))
    if not peaks.size:
        return peaks
    usual = np.median(score[peaks])
    frame = int(peaks[score[peaks] >= 0.5 * usual][-1])
    beats = []
    while frame >= 0:
        beats.append(frame)
        frame = int(before[frame])
    found = np.array(beats[::-1])
    strong = np.flatnonzero(smooth[found] >= 0.5 * np.sqrt(np.mean(smooth[found] ** 2)))
    return found[strong[0] : strong[-1] + 1] if strong.size else found[:0]


def steady_tempo(times_s: np.ndarray, tempo_bpm: float) -> float:
    """Return the tempo of the line through the beats, if they keep within 4 % of the first guess; else the guess."""
    slope = float(np.polyfit(np.arange(len(times_s)), times_s, 1)[0])
    return 60 / slope if abs(60 / slope / tempo_bpm - 1) < 0.04 and len(times_s) >= 2 * _LEAST_BEATS else tempo_bpm


def find_beats(onset_strength: np.ndarray, *, frame_rate_hz: float) -> Beats:
    """Find tempo and beats; none where onsets are faint, few or do not repeat.

    onset_strength: mean rise in dB a frame, shape (frames,), non-negative.
    """
    accented = accents(onset_strength, frame_rate_hz=frame_rate_hz)
    if len(accented) < 2 * 60 * frame_rate_hz / FASTEST_BPM or accented.max() < _LEAST_RISE_DB:
        return NO_BEATS
    tempo_bpm, confidence = estimate_tempo(accented, frame_rate_hz=frame_rate_hz)
    if confidence < _LEAST_CONFIDENCE:
        return NO_BEATS
    frames = place_beats(accented, frame_rate_hz=frame_rate_hz, tempo_bpm=tempo_bpm)
    if len(frames) < _LEAST_BEATS:
        return NO_BEATS
    times_s = np.maximum(0, frames - _LATE_FRAMES) / frame_rate_hz
    return Beats(steady_tempo(times_s, tempo_bpm), confidence, times_s)


@processor("1")
def track_beats(event: AudioAdded, signal: Signal) -> BeatsTracked:
    """Track beats and tell their tempo; tempo and beats are empty where none can be heard."""
    found = find_beats(signal.onset_strength, frame_rate_hz=FRAME_RATE_HZ)
    return BeatsTracked(
        asset_id=event.asset_id,
        parameters={**SPECTRUM, "tightness": TIGHTNESS, "usual_bpm": USUAL_BPM},
        tempo_bpm=None if found.tempo_bpm is None else round(found.tempo_bpm, 2),
        confidence=round(found.confidence, 3),
        beats_s=tuple(np.round(found.times_s, 3).tolist()),
    )
