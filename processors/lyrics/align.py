"""Where singing is heard, and by how much it comes later than the times of the lines say.

What is heard is how much there is in the band of voices; with a band playing all along, phrases run into each other
and the confidence is low.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from processors.audio.signal import FRAME_RATE_HZ, Signal

_BANDS = slice(8, 88)
"""Of 128 mel bands to 11 kHz, those from some 250 Hz to 4 kHz."""
_PAUSE_S = 0.25
_SHORTEST_S = 0.15
_BELOW_DB = 30.0
_FLOOR_DB = 40.0
_CLEAR_DB = 6.0
_FURTHEST_S = 3.0
_NEAR_S = 0.5
_FEWEST = 4


@dataclass(frozen=True, slots=True)
class Alignment:
    """Phrases as (start, end) in seconds; offset_s is how much later they begin than the lines, None if unknown."""

    phrases_s: tuple[tuple[float, float], ...] = ()
    offset_s: float | None = None
    confidence: float = 0.0

    def phrase_at(self, start_s: float) -> tuple[float, float] | None:
        """The phrase that a line falls in, or that begins within half a second of it."""
        at_s = start_s + (self.offset_s or 0.0)
        near = (phrase for phrase in self.phrases_s if phrase[0] - _NEAR_S <= at_s < phrase[1])
        return min(near, key=lambda phrase: abs(phrase[0] - at_s), default=None)


def vocal_level_db(signal: Signal) -> np.ndarray:
    """The level in the band of voices, within 40 dB of its greatest, shape (frames,)."""
    power = (10 ** (signal.mel_db[:, _BANDS].astype(np.float64) / 10)).mean(axis=1)
    level_db = 10 * np.log10(power + 1e-30)
    return np.asarray(np.maximum(level_db, level_db.max() - _FLOOR_DB))


def find_phrases(level_db: np.ndarray) -> tuple[tuple[float, float], ...]:
    """Return where it is within 30 dB of the greatest level, pauses under a quarter of a second bridged."""
    loud = np.concatenate([[False], level_db > level_db.max() - _BELOW_DB, [False]])
    edges = np.flatnonzero(loud[1:] != loud[:-1]).reshape(-1, 2) / FRAME_RATE_HZ
    joined: list[tuple[float, float]] = []
    for start_s, end_s in edges.tolist():
        if joined and start_s - joined[-1][1] < _PAUSE_S:
            joined[-1] = (joined[-1][0], end_s)
        else:
            joined.append((start_s, end_s))
    return tuple((round(start, 3), round(end, 3)) for start, end in joined if end - start >= _SHORTEST_S)


def align(signal: Signal, starts_s: Sequence[float]) -> Alignment:
    """Find the shift, within 3 s, under which lines begin where the level rises most; four lines are needed."""
    if signal.peak == 0:
        return Alignment()
    level_db = signal.once(vocal_level_db)
    phrases_s = find_phrases(level_db)
    if len(set(starts_s)) < _FEWEST:
        return Alignment(phrases_s)
    return Alignment(phrases_s, *_shift(level_db, np.array(starts_s)))


def _shift(level_db: np.ndarray, starts_s: np.ndarray) -> tuple[float | None, float]:
    """The best shift, and by how far it stands out of all shifts: none where nothing rises."""
    rise = _rise(level_db)
    shifts = np.arange(-round(_FURTHEST_S * FRAME_RATE_HZ), round(_FURTHEST_S * FRAME_RATE_HZ) + 1)
    at = np.rint(starts_s * FRAME_RATE_HZ).astype(int)
    padded = np.pad(rise, len(shifts))
    places = np.clip(at[None, :] + shifts[:, None] + len(shifts), 0, len(padded) - 1)
    scores = padded[places].mean(axis=1)
    best = int(scores.argmax())
    spread = float(scores.std())
    if spread <= 0 or scores[best] <= 0:
        return None, 0.0
    agreed = float((padded[places[best]] > 0.25 * scores[best]).mean())
    stands_out = (float(scores[best]) - float(scores.mean())) / spread
    sure = agreed * min(1.0, float(scores[best]) / _CLEAR_DB) * float(np.clip((stands_out - 2) / 2, 0, 1))
    return (round(float(shifts[best] / FRAME_RATE_HZ), 3), round(sure, 3)) if sure > 0 else (None, 0.0)


def _rise(level_db: np.ndarray) -> np.ndarray:
    """By how many dB more there is in the fifth of a second after a frame than before it, 0 where less."""
    span = round(0.2 * FRAME_RATE_HZ)
    sums = np.concatenate([[0.0], np.cumsum(np.pad(level_db, span, mode="edge"))])
    frames = np.arange(len(level_db))
    after = sums[frames + 2 * span] - sums[frames + span]
    before = sums[frames + span] - sums[frames]
    return np.asarray(np.maximum(0.0, (after - before) / span))
