"""The key of a piece and its modulations, from pitch classes and chords together."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby

import numpy as np

from processors.audio.signal import Signal
from processors.harmony.chords import Chords, chords_of
from processors.harmony.keys import KEYS, key_costs, keys_of_chords
from processors.harmony.labels import harmony
from processors.harmony.pitch_classes import PitchClasses, pitch_classes_of
from processors.harmony.roman import MAJOR, MINOR, Key
from processors.harmony.tuning import Tuning

_PROFILES = np.array(
    [
        [0.238, 0.006, 0.111, 0.006, 0.137, 0.094, 0.016, 0.214, 0.009, 0.080, 0.008, 0.081],
        [0.220, 0.006, 0.104, 0.123, 0.019, 0.103, 0.012, 0.214, 0.062, 0.022, 0.061, 0.052],
    ]
)
"""How often the degrees from the tonic occur in major and minor. Source: Albrecht & Shanahan 2013."""
_CHORDS, _TIME = 0.5, 0.3
_FIRST, _BEGINS_IN = 0.4, 0.5
_LAST, _ENDS_IN = 0.2, 0.1
"""What speaks for a key besides its profile, whose correlation counts 1: how usual the chords are in it, how long the
piece is in it, that the first and the last chord are its tonic, and that the piece begins or ends in it."""
_LEAST_WEIGHT = 0.03
_LEAST_TONAL_SHARE = 0.1
_LEAST_CORRELATION = 0.4
_LEAST_CONCENTRATION = 0.1
_SURE = 0.25
"""By how much the best key leads the next where it is beyond doubt."""


@dataclass(frozen=True, slots=True)
class KeySpan:
    """A key from start to end, in seconds."""

    start_s: float
    end_s: float
    key: Key


@dataclass(frozen=True, slots=True)
class Keys:
    """The key of a piece, None where there is none; how sure it is, from 0 to 1; the keys that it goes through."""

    key: Key | None
    confidence: float
    tuning: Tuning
    spans: tuple[KeySpan, ...]
    of_chords: tuple[Key, ...]
    """The key that each chord is in."""


def key_of(signal: Signal) -> Keys:
    """Find the key of a signal and the keys on its way."""
    heard, chords = signal.once(pitch_classes_of), signal.once(chords_of)
    tuning = heard.salience.tuning
    none = Keys(None, 0.0, tuning, (), ())
    if not tells_key(heard):
        return none
    correlations = key_correlations(heard.share)
    if correlations.max() < _LEAST_CORRELATION:
        return none
    local = local_keys(chords)
    scores = correlations + _of_chords(chords, local)
    second, best = np.sort(scores)[-2:]
    sure = float(np.clip((best - second) / _SURE, 0, 1) * np.clip(correlations.max(), 0, 1))
    key = KEYS[int(np.argmax(scores))]
    return Keys(key, sure, tuning, _spans(chords, local, key), local)


def tells_key(heard: PitchClasses) -> bool:
    """Whether at least three pitch classes sound in tune with each other, for a tenth of the time."""
    share = heard.share
    often = float(np.mean(heard.tonality > 0)) if len(heard.tonality) else 0.0
    in_tune = heard.salience.tuning.confidence >= _LEAST_CONCENTRATION
    return in_tune and often >= _LEAST_TONAL_SHARE and int(np.count_nonzero(share > _LEAST_WEIGHT)) >= 3


def key_correlations(pitch_classes: np.ndarray) -> np.ndarray:
    """Return the correlation of 12 weights with every key, shape (24,): majors from C, then minors. Krumhansl 1990."""
    profiles = np.array([np.roll(profile, tonic) for profile in _PROFILES for tonic in range(12)])
    centred = profiles - profiles.mean(axis=1, keepdims=True)
    weights = pitch_classes - pitch_classes.mean()
    scale = np.linalg.norm(centred, axis=1) * np.linalg.norm(weights)
    correlations: np.ndarray = centred @ weights / np.maximum(scale, 1e-12)
    return correlations


def local_keys(chords: Chords) -> tuple[Key, ...]:
    """The key of each chord; where there is none, that of the chord before."""
    durations = np.array([span.end_s - span.start_s for span in chords.spans])
    return tuple(keys_of_chords([harmony(span.label) for span in chords.spans], durations))


def _of_chords(chords: Chords, local: tuple[Key, ...]) -> np.ndarray:
    """What chords say for each key, shape (24,); zeros where there are none."""
    named = [(span, harmony(span.label), key) for span, key in zip(chords.spans, local, strict=True)]
    heard = [(span, chord, key) for span, chord, key in named if chord is not None]
    scores = np.zeros(len(KEYS))
    if not heard:
        return scores
    lengths = np.array([span.end_s - span.start_s for span, _, _ in heard])
    weights = np.clip(np.sqrt(lengths / np.median(lengths)), 0.5, 2)
    scores -= _CHORDS * key_costs([chord for _, chord, _ in heard], weights).sum(axis=0) / len(heard)
    for (_, _, key), length in zip(heard, lengths, strict=True):
        scores[KEYS.index(key)] += _TIME * length / lengths.sum()
    for (_, chord, key), (as_tonic, as_key) in ((heard[0], (_FIRST, _BEGINS_IN)), (heard[-1], (_LAST, _ENDS_IN))):
        third = {3: MINOR, 4: MAJOR}.get(next(iter({3, 4} & chord.intervals), 0))
        if third:
            scores[KEYS.index(Key(chord.root, third))] += as_tonic
        scores[KEYS.index(key)] += as_key
    return scores


def _spans(chords: Chords, local: tuple[Key, ...], key: Key) -> tuple[KeySpan, ...]:
    """The keys one after the other; the piece's own throughout where no chord is heard."""
    if all(span.label == "N" for span in chords.spans):
        return (KeySpan(chords.spans[0].start_s, chords.spans[-1].end_s, key),)
    runs = [list(run) for _, run in groupby(zip(chords.spans, local, strict=True), key=lambda pair: pair[1])]
    return tuple(KeySpan(run[0][0].start_s, run[-1][0].end_s, run[0][1]) for run in runs)
