"""Words for what is heard, as a musician would search by."""

from __future__ import annotations

import math
from collections.abc import Iterator

from events.imports import AudioAdded
from events.timbre import HeardTag, TagsHeard
from processors.audio.signal import Signal
from processors.handler import processor
from processors.harmony.key import key_of
from processors.rhythm.beats import beats_of
from processors.rhythm.evidence import evidence_of
from processors.rhythm.groove import groove_of
from processors.rhythm.onsets import onsets_of
from processors.rhythm.tempo import looks_like_loop
from processors.timbre.family import instruments_of
from processors.timbre.measures import timbre_of

Word = tuple[str, float]
_TEMPI = ((60.0, "largo"), (76.0, "adagio"), (108.0, "andante"), (120.0, "moderato"), (168.0, "allegro"))
_FASTEST = "presto"
_METRES = {
    "3/4": ("waltz", "3/4"),
    "4/4": ("4/4",),
    "2/4": ("2/4",),
    "6/8": ("6/8",),
    "9/8": ("9/8",),
    "12/8": ("12/8",),
}
_LEAST = 0.25
"""What is less sure than this is not said."""
_SILENT = 1e-5


def tags_of(signal: Signal) -> list[Word]:
    """Return words with how sure they are, from the analyses that others share; none for silence."""
    if float((signal.levels.powers - signal.levels.means**2).max()) < _SILENT**2:
        return []
    makers = (_of_length, _of_level, _of_tempo, _of_groove, _of_key, _of_timbre, _of_instrument)
    found = [(word, round(min(1.0, sure), 3)) for maker in makers for word, sure in maker(signal)]
    return [(word, sure) for word, sure in found if sure >= _LEAST]


def side(value: float, low: float, high: float, words: tuple[str, str]) -> Iterator[Word]:
    """Give the first word below `low`, the second above `high`, by equal ratios: the surer, the farther beyond."""
    width = math.log(high / low)
    for word, beyond in zip(words, (math.log(low / value), math.log(value / high)), strict=True):
        if beyond >= 0:
            yield word, 0.5 + min(0.5, beyond / width)


def _of_length(signal: Signal) -> Iterator[Word]:
    yield from side(signal.duration_s, 15.0, 300.0, ("short", "long"))
    if looks_like_loop(signal, signal.once(evidence_of)) and signal.once(beats_of).metre is not None:
        yield "loop", signal.once(beats_of).confidence
    elif signal.duration_s < 4 and len(signal.once(onsets_of).times_s) <= 2:
        yield "one-shot", 0.75


def _of_level(signal: Signal) -> Iterator[Word]:
    yield from side(math.sqrt(max(signal.levels.mixed_power, 1e-12)), 0.02, 0.2, ("quiet", "loud"))


def _of_tempo(signal: Signal) -> Iterator[Word]:
    beats = signal.once(beats_of)
    if beats.tempo_bpm is None or beats.metre is None:
        return
    yield next((word for below, word in _TEMPI if beats.tempo_bpm < below), _FASTEST), beats.confidence
    yield f"{beats.tempo_bpm:.0f}bpm", beats.confidence
    for word, _ in side(beats.tempo_bpm, 85.0, 125.0, ("slow", "fast")):
        yield word, beats.confidence
    for word in _METRES.get(beats.metre, ()):
        yield word, beats.metre_confidence


def _of_groove(signal: Signal) -> Iterator[Word]:
    beats, groove, onsets = signal.once(beats_of), signal.once(groove_of), signal.once(onsets_of)
    if beats.swing is not None and beats.swing > 0.56:
        yield "swing", beats.confidence
    if groove.syncopation is not None and groove.syncopation > 0.4:
        yield "syncopated", groove.confidence
    if len(onsets.times_s) > 4:
        for word, sure in side(len(onsets.times_s) / signal.duration_s, 1.2, 5.0, ("sparse", "busy")):
            yield word, sure * onsets.confidence


def _of_key(signal: Signal) -> Iterator[Word]:
    found = signal.once(key_of)
    if found.key is not None:
        yield str(found.key.mode), found.confidence


def _of_timbre(signal: Signal) -> Iterator[Word]:
    found = signal.once(timbre_of)
    if found.brightness_hz:
        yield from side(found.brightness_hz, 1100.0, 2300.0, ("dark", "bright"))
    if found.roughness:
        yield from side(found.roughness, 1.0, 7.0, ("smooth", "rough"))
    if found.warmth_db is not None:
        yield from side(10 ** (found.warmth_db / 10), 0.25, 4.0, ("thin", "warm"))
    if found.attack_ms:
        yield from side(found.attack_ms, 20.0, 90.0, ("percussive", "soft"))


def _of_instrument(signal: Signal) -> Iterator[Word]:
    found = signal.once(instruments_of)
    if found.family is not None:
        yield found.family, found.confidence
        if found.family == "voice":
            yield "sung", found.confidence


@processor("1")
def hear_tags(event: AudioAdded, signal: Signal) -> TagsHeard:
    """Say in words what is heard; nothing of silence."""
    found = signal.once(tags_of)
    return TagsHeard(
        asset_id=event.asset_id,
        parameters={"least_confidence": _LEAST},
        words=" ".join(word for word, _ in found),
        confidence=round(sum(sure for _, sure in found) / len(found), 3) if found else 0.0,
        tags=tuple(HeardTag(word=word, confidence=sure) for word, sure in found),
    )
