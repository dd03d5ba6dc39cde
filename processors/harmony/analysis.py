"""All that is said of harmony: handlers, and the one function that others hear it by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from domain.values import ChordLine
from events import harmony as said
from events.imports import AudioAdded
from processors.audio.signal import Signal
from processors.handler import processor
from processors.harmony.cadences import Cadence, find_cadences
from processors.harmony.chords import Chords, Span, chords_of
from processors.harmony.context import digits, fits
from processors.harmony.key import Keys, KeySpan, key_of
from processors.harmony.labels import PITCH_CLASSES, harmony
from processors.harmony.pulse import pulse_of
from processors.harmony.roman import Key, Numeral, numerals
from processors.harmony.salience import HOP, N_FFT

PARAMETERS = {"n_fft": N_FFT, "hop": HOP, "profiles": "albrecht-shanahan"}


@dataclass(frozen=True, slots=True)
class Analysed:
    """Harmony from start to end: a numeral, what fits and the key for each chord, the keys, the cadences."""

    chords: tuple[Span, ...]
    numerals: tuple[Numeral | None, ...]
    fits: tuple[tuple[int, ...], ...]
    of_chords: tuple[Key, ...]
    keys: tuple[KeySpan, ...]
    cadences: tuple[Cadence, ...]
    confidence: float


def harmony_of(signal: Signal) -> Analysed:
    """Analyse the harmony of a signal; empty where no chord is heard or no key is told."""
    chords, keys, pulse = signal.once(chords_of), signal.once(key_of), signal.once(pulse_of)
    return analysed(chords, keys, downbeats_s=pulse.downbeats_s)


def analysed(chords: Chords, keys: Keys, *, downbeats_s: Sequence[float] = ()) -> Analysed:
    """Say what chords are in their keys, whatever chords and keys were heard or read in."""
    if keys.key is None or all(span.label == "N" for span in chords.spans):
        return Analysed((), (), (), (), (), (), 0.0)
    heard = [harmony(span.label) for span in chords.spans]
    found = numerals(heard, keys.of_chords)
    spans_s = [(span.start_s, span.end_s) for span in chords.spans]
    return Analysed(
        chords=chords.spans,
        numerals=tuple(found),
        fits=tuple(fits(chord, key) for chord, key in zip(heard, keys.of_chords, strict=True)),
        of_chords=keys.of_chords,
        keys=keys.spans,
        cadences=tuple(find_cadences(found, spans_s, downbeats_s=downbeats_s)),
        confidence=(chords.confidence * keys.confidence) ** 0.5,
    )


@processor("3")
def estimate_key(event: AudioAdded, signal: Signal) -> said.KeyEstimated:
    """Estimate key, mode, tuning, and the keys on the way."""
    found = signal.once(key_of)
    return said.KeyEstimated(
        asset_id=event.asset_id,
        parameters=PARAMETERS,
        tonic=PITCH_CLASSES[found.key.tonic] if found.key else None,
        mode=found.key.mode if found.key else None,
        confidence=round(found.confidence, 3),
        tuning_cents=round(found.tuning.cents, 1) if found.key else None,
        spans=_key_spans(found.spans),
    )


@processor("3")
def estimate_chords(event: AudioAdded, signal: Signal) -> said.ChordsEstimated:
    """Estimate chords from the first to the last sample."""
    found = signal.once(chords_of)
    return said.ChordsEstimated(
        asset_id=event.asset_id,
        parameters=PARAMETERS,
        confidence=round(found.confidence, 3),
        line=ChordLine(boundaries_s=_boundaries(found.spans), labels=tuple(span.label for span in found.spans)),
        confidences=tuple(round(span.confidence, 2) for span in found.spans),
    )


@processor("2")
def analyse_harmony(event: AudioAdded, signal: Signal) -> said.HarmonyAnalysed:
    """Tell numerals, functions, cadences and what fits to each chord."""
    found = signal.once(harmony_of)
    return said.HarmonyAnalysed(
        asset_id=event.asset_id,
        parameters=PARAMETERS,
        confidence=round(found.confidence, 3),
        boundaries_s=_boundaries(found.chords),
        numerals=tuple(one.figure if one else "" for one in found.numerals),
        functions=tuple(one.function if one else "" for one in found.numerals),
        fits=tuple(digits(weights) for weights in found.fits),
        keys=_key_spans(found.keys),
        cadences=tuple(_cadence(one) for one in found.cadences),
        cadence_count=len(found.cadences),
        modulations=max(0, len(list(groupby(found.keys, key=lambda span: span.key))) - 1),
    )


def _boundaries(spans: Sequence[Span]) -> tuple[float, ...]:
    """Borders of spans that meet, in milliseconds but for the last, which is the end of the sound."""
    return (*(round(span.start_s, 3) for span in spans), *(round(span.end_s, 6) for span in spans[-1:]))


def _key_spans(spans: Sequence[KeySpan]) -> tuple[said.KeySpan, ...]:
    return tuple(_key_span(span, span.key) for span in spans)


def _key_span(span: KeySpan, key: Key) -> said.KeySpan:
    start_s, end_s = round(span.start_s, 3), round(span.end_s, 3)
    return said.KeySpan(start_s=start_s, end_s=end_s, tonic=PITCH_CLASSES[key.tonic], mode=key.mode)


def _cadence(found: Cadence) -> said.Cadence:
    return said.Cadence(
        at_s=round(found.at_s, 3), chord=found.chord, kind=found.kind, confidence=round(found.confidence, 3)
    )
