"""The key of a piece and its modulations, from pitch classes and chords together."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby

import numpy as np

from processors.audio.signal import Signal
from processors.harmony.chords import Chords, chords_of
from processors.harmony.keys import DOMINANTS, KEYS, key_costs, keys_of_chords
from processors.harmony.labels import Harmony, harmony
from processors.harmony.pitch_classes import PitchClasses, pitch_classes_of
from processors.harmony.roman import MAJOR, MINOR, Key, kind_of
from processors.harmony.tuning import Tuning

_PROFILES = np.array(
    [
        [0.238, 0.006, 0.111, 0.006, 0.137, 0.094, 0.016, 0.214, 0.009, 0.080, 0.008, 0.081],
        [0.220, 0.006, 0.104, 0.123, 0.019, 0.103, 0.012, 0.214, 0.062, 0.022, 0.061, 0.052],
    ]
)
"""How often the degrees from the tonic occur in major and minor. Source: Albrecht & Shanahan 2013."""
SIGNS = ("profile", "chords", "time", "first", "begins", "last", "closes")
_WEIGHTS = np.array([1.2, 0.25, 0.4, 0.35, 0.15, 0.2, 0.3])
"""What speaks for a key, and how much: its profile's correlation, how usual the chords are in it, how long the piece is
in it, that the first chord is its tonic, that the piece begins in it, that the last chord is its tonic, and that the
piece comes to rest there from a dominant. Within the range that fits the development half and whole chorales
(`benchmarks/harmony/closing.py`) alike."""
_VOICE_SIGNS = ("profile", "first", "last", "last fifth", "last third")
_VOICE_WEIGHTS = np.array([1.0, 0.1, 0.3, 0.1, 0.1])
"""The same for one voice alone: its first and its last note are the tonic, or the last is another tone of its triad."""
_LEAST_WEIGHT = 0.03
_LEAST_TONAL_SHARE = 0.1
_LEAST_CORRELATION = 0.4
_LEAST_CONCENTRATION = 0.1
_FAINT, _MOSTLY = 0.5, 0.65
_END = 8
"""Frames at the beginning and the end by which a tune's first and last note are known: three quarters of a second."""
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
    alone = one_voice(heard)
    signs = voice_signs(heard) if alone else key_signs(heard, chords, local)
    scores = signs @ (_VOICE_WEIGHTS if alone else _WEIGHTS)
    second, best = np.sort(scores)[-2:]
    sure = float(np.clip((best - second) / _SURE, 0, 1) * np.clip(correlations.max(), 0, 1))
    key = KEYS[int(np.argmax(scores))]
    local = (key,) * len(local) if alone else local
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


def one_voice(heard: PitchClasses) -> bool:
    """Whether mostly no second pitch class is half as strong as the strongest."""
    sounding = (heard.tonality > 0) & (heard.treble.sum(axis=1) > 0)
    second = np.sort(heard.treble[sounding], axis=1)[:, -2]
    return bool(sounding.any()) and float(np.mean(second < _FAINT)) > _MOSTLY


def voice_signs(heard: PitchClasses) -> np.ndarray:
    """What a tune without chords says for each key, in the order of `_VOICE_SIGNS`, shape (24, 5)."""
    sounding = np.flatnonzero((heard.tonality > 0) & (heard.treble.sum(axis=1) > 0))
    first, last = (heard.treble[some].mean(axis=0) for some in (sounding[:_END], sounding[-_END:]))
    first, last = first / max(first.sum(), 1e-9), last / max(last.sum(), 1e-9)
    rows = [
        (first[key.tonic], last[key.tonic], last[(key.tonic + 7) % 12], last[(key.tonic + _third(key)) % 12])
        for key in KEYS
    ]
    return np.column_stack([key_correlations(heard.share), np.array(rows)])


def _third(key: Key) -> int:
    return 4 if key.mode == MAJOR else 3


def key_signs(heard: PitchClasses, chords: Chords, local: tuple[Key, ...]) -> np.ndarray:
    """What pitch classes and chords say for each key, in the order of `SIGNS`, shape (24, 7)."""
    named = [(span, harmony(span.label), key) for span, key in zip(chords.spans, local, strict=True)]
    sounding = [(span, chord, key) for span, chord, key in named if chord is not None]
    signs = np.zeros((len(KEYS), len(SIGNS)))
    signs[:, 0] = key_correlations(heard.share)
    if not sounding:
        return signs
    lengths = np.array([span.end_s - span.start_s for span, _, _ in sounding])
    weights = np.clip(np.sqrt(lengths / np.median(lengths)), 0.5, 2)
    signs[:, 1] = -key_costs([chord for _, chord, _ in sounding], weights).sum(axis=0) / len(sounding)
    for (_, _, key), length in zip(sounding, lengths, strict=True):
        signs[KEYS.index(key), 2] += length / lengths.sum()
    (_, first, begins), (_, last, _) = sounding[0], sounding[-1]
    rest = float(np.clip(lengths[-1] / np.median(lengths) - 0.5, 0, 1))
    signs[_tonics(first)[:1], 3] = 1
    signs[KEYS.index(begins), 4] = 1
    signs[_tonics(last), 5] = rest
    before = sounding[-2][1] if len(sounding) > 1 else None
    if before is not None and _leads(before, last):
        for mode in (MAJOR, MINOR):
            signs[KEYS.index(Key(last.root, mode)), 6] = rest
    return signs


def _tonics(chord: Harmony) -> list[int]:
    """The keys whose tonic a chord may be, as indices into KEYS: a major chord ends pieces in minor, too (Picardy)."""
    modes = [MINOR] if 3 in chord.intervals else [MAJOR, MINOR] if 4 in chord.intervals else []
    return [KEYS.index(Key(chord.root, mode)) for mode in modes]


def _leads(before: Harmony, last: Harmony) -> bool:
    """Whether a chord is the dominant of the next."""
    return ((before.root - last.root) % 12, kind_of(before)) in DOMINANTS


def _spans(chords: Chords, local: tuple[Key, ...], key: Key) -> tuple[KeySpan, ...]:
    """The keys one after the other; the piece's own throughout where no chord is heard."""
    if all(span.label == "N" for span in chords.spans):
        return (KeySpan(chords.spans[0].start_s, chords.spans[-1].end_s, key),)
    runs = [list(run) for _, run in groupby(zip(chords.spans, local, strict=True), key=lambda pair: pair[1])]
    return tuple(KeySpan(run[0][0].start_s, run[-1][0].end_s, run[0][1]) for run in runs)
