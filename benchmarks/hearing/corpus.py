"""Scores of music21's corpus whose key, beats and, for some, harmony are written down."""

from __future__ import annotations

import random
import warnings
from dataclasses import dataclass
from typing import Any, NamedTuple

from benchmarks.hearing.sheet import Played, Sheet, Span, cut
from benchmarks.hearing.tempo import expressive

SCORE_S = 50.0
Stream = Any  # Any: music21 has no types that hold in strict mode


@dataclass(frozen=True, slots=True)
class Work:
    """A score: where it is in the corpus, its key as people know it, its quarter notes a minute, what plays it.

    analysis: the place of its Roman numerals. programs: of General MIDI, the last one for all further parts.
    melody: the part with the tune, where one stands out.
    """

    path: str
    key: str | None
    bpm: float
    programs: tuple[int, ...]
    analysis: str | None = None
    melody: int | None = None
    tags: tuple[str, ...] = ()


def _chorale(number: int, bwv: str, key: str | None, programs: tuple[int, ...]) -> Work:
    analysis = f"bach/choraleAnalyses/riemenschneider{number:03d}.rntxt"
    return Work(f"bach/bwv{bwv}", key, 84, programs, analysis, tags=("chorale",))


def _quartet(path: str, key: str, bpm: float) -> Work:
    return Work(path, key, bpm, (40, 40, 41, 42), tags=("quartet",))


_ORGAN, _PIANO, _CHOIR, _WINDS, _BRASS, _STRINGS = (16,), (0,), (53,), (73, 68, 71, 70), (56, 60, 57, 58), (48,)
"""Of instruments that take a fifth of a second to be heard (GM's choir, its church organ), others stand in: no player
would leave the beat to them, and no listener would hear it where it is written."""
WORKS = (
    _chorale(1, "269", "G major", _PIANO),
    _chorale(2, "347", "A major", _ORGAN),
    _chorale(3, "153.1", None, _WINDS),
    _chorale(4, "86.6", "E major", _BRASS),
    _chorale(6, "281", "F major", _CHOIR),
    _chorale(8, "40.8", "F minor", _STRINGS),
    _chorale(12, "65.2", "A minor", _WINDS),
    _chorale(13, "33.6", "A minor", _PIANO),
    _chorale(19, "351", "G minor", _CHOIR),
    _chorale(20, "302", "D major", _ORGAN),
    Work("monteverdi/madrigal.3.8", None, 80, _CHOIR, "monteverdi/madrigal.3.8.rntxt", tags=("madrigal",)),
    Work("monteverdi/madrigal.5.5", None, 80, _ORGAN, "monteverdi/madrigal.5.5.rntxt", tags=("madrigal",)),
    _quartet("haydn/opus1no1/movement1", "Bb major", 132),
    _quartet("haydn/opus1no1/movement2", "Bb major", 112),
    _quartet("haydn/opus74no1/movement1", "C major", 126),
    _quartet("haydn/opus74no1/movement4", "C major", 132),
    _quartet("mozart/k155/movement1", "D major", 132),
    _quartet("mozart/k458/movement1", "Bb major", 168),
    _quartet("beethoven/opus18no1/movement1", "F major", 138),
    _quartet("beethoven/opus18no1/movement4", "F major", 120),
    _quartet("haydn/opus1no1/movement5", "Bb major", 138),
    Work("joplin/maple_leaf_rag", "Ab major", 88, _PIANO, tags=("piano", "rag")),
    Work("chopin/mazurka06-2.krn", "C# minor", 150, _PIANO, tags=("piano",)),
    Work("johnson_j_r/lift_every_voice", "Ab major", 96, _ORGAN, tags=("song",)),
    Work("liliuokalani/aloha_oe", "G major", 84, (53, 53, 53, 53, 0), tags=("song",)),
)
"""Keys are None where a piece is modal or ends elsewhere than it begins."""


def sheets(seed: int) -> list[Sheet]:
    """Return the first part of every work."""
    return [cut(sheet_of(work, random.Random(f"{seed} {work.path}")), SCORE_S) for work in WORKS]


def sheet_of(work: Work, chance: random.Random) -> Sheet:
    """Return a work as it is written: no repeats, no ornaments, a tempo that in two of three works wanders."""
    score = parsed(work.path)
    parts = list(score.parts)
    programs = tuple(work.programs[min(i, len(work.programs) - 1)] for i in range(len(parts)))
    bars = bar_lines(parts[0])
    end_q = bars[-1].end_q
    drift = chance.choice((0.0, 0.02, 0.04))
    tonic, mode = (work.key or " ").split(" ")
    numerals, keys, chords = harmony(work.analysis, end_q) if work.analysis else ((), (), ())
    return Sheet(
        name="score-" + work.path.replace("/", "-").replace(".", "-"),
        kind="score",
        programs=programs,
        notes=tuple(sorted(note for index, part in enumerate(parts) for note in notes_of(part, index, end_q))),
        tempi=expressive(work.bpm * chance.uniform(0.92, 1.08), end_q, chance, drift=drift),
        end_q=end_q,
        beats_q=tuple(beat for bar in bars for beat in bar.beats_q),
        downbeats_q=tuple(bar.start_q for bar in bars if bar.begins),
        metre=bars[0].metre if len({bar.metre for bar in bars}) == 1 else None,
        key=(tonic, mode) if work.key else None,
        keys=keys,
        chords=chords,
        numerals=numerals,
        melody=work.melody,
        tags=("score", *work.tags, "drift" if drift else "steady"),
    )


def parsed(path: str) -> Stream:
    """Return a score of music21's corpus."""
    from music21 import corpus

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return corpus.parse(path)


class Bar(NamedTuple):
    """A measure as it sounds; begins: whether a bar begins here, rather than a pickup or the rest of one."""

    start_q: float
    end_q: float
    metre: str
    beats_q: tuple[float, ...]
    begins: bool


def bar_lines(part: Stream) -> list[Bar]:
    """Return the measures of a part with their beats; what lacks in a short one lacks at its beginning.

    A short first measure is a pickup: its beats count back from the next bar line. A short measure behind a short one
    that completes it (a repeat within a bar) goes on counting. Other short ones begin a bar.
    """
    bars: list[Bar] = []
    signature = None
    left_q = 0.0
    for measure in part.getElementsByClass("Measure"):
        signature = measure.timeSignature or signature
        whole_q, beat_q = float(signature.barDuration.quarterLength), _beat_q(signature)
        start_q, length_q = float(measure.offset), _sounding_q(measure, whole_q)
        short = length_q < whole_q - 1e-6
        begins = not short or (bool(bars) and abs(left_q - length_q) > 1e-6)
        first_q = 0.0 if begins else whole_q - length_q
        left_q = whole_q - length_q if short and begins else 0.0
        counted = [k * beat_q - first_q for k in range(round(whole_q / beat_q))]
        beats = tuple(start_q + at for at in counted if -1e-6 <= at < length_q - 1e-6)
        bars.append(Bar(start_q, start_q + length_q, signature.ratioString, beats, begins))
    return bars


def _sounding_q(measure: Stream, whole_q: float) -> float:
    return min(whole_q, float(measure.duration.quarterLength)) or whole_q


def _beat_q(signature: Stream) -> float:
    """A dotted quarter in 6/8, 9/8, 12/8; else what the signature names below."""
    if signature.denominator == 8 and signature.numerator in (6, 9, 12):
        return 1.5
    return 4.0 / float(signature.denominator)


def notes_of(part: Stream, index: int, end_q: float) -> list[Played]:
    """Return the notes of a part at sounding pitch, ties merged; grace notes are left out."""
    sounding = part.toSoundingPitch() if part.atSoundingPitch is False else part
    found: list[Played] = []
    last: dict[int, int] = {}
    for element in sounding.flatten().notes:
        onset_q, length_q = float(element.offset), float(element.quarterLength)
        if not length_q or onset_q >= end_q:
            continue
        behind_q = min(end_q, onset_q + length_q)
        for note in element.notes if element.isChord and hasattr(element, "notes") else [element]:
            pitch, goes_on = int(note.pitch.midi), note.tie is not None and note.tie.type in ("continue", "stop")
            before = last.get(pitch)
            if goes_on and before is not None and abs(found[before].end_q - onset_q) < 1e-3:
                found[before] = found[before]._replace(end_q=behind_q)
            else:
                last[pitch] = len(found)
                found.append(Played(onset_q, behind_q, pitch, 84 if element.beatStrength > 0.7 else 74, index))
    return found


def harmony(path: str, end_q: float) -> tuple[tuple[Span, ...], tuple[Span, ...], tuple[Span, ...]]:
    """Return Roman numerals, keys and chords of an analysis, each lasting until the next."""
    analysis = parsed(path)
    numbered = analysis.recurse().getElementsByClass("RomanNumeral")
    found = [(float(rn.getOffsetInHierarchy(analysis)), rn) for rn in numbered]
    found = [(place, rn) for place, rn in found if place < end_q]
    ends = [place for place, _ in found[1:]] + [end_q]
    numerals, keys, chords = [], [], []
    for (start_q, rn), behind_q in zip(found, ends, strict=True):
        if behind_q - start_q < 1e-6:
            continue
        key = key_name(rn.key)
        numerals.append(Span(start_q, behind_q, f"{key}:{rn.figure}"))
        keys.append(Span(start_q, behind_q, key))
        chords.append(Span(start_q, behind_q, harte(rn)))
    return tuple(numerals), merged(keys), merged(chords)


def key_name(key: Stream) -> str:
    """Return a key as "B- minor" is written everywhere else: "Bb minor"."""
    return f"{key.tonic.name.replace('-', 'b')} {key.mode}"


QUALITIES = {
    (0, 4, 7): "maj", (0, 3, 7): "min", (0, 3, 6): "dim", (0, 4, 8): "aug",
    (0, 4, 7, 10): "7", (0, 4, 7, 11): "maj7", (0, 3, 7, 10): "min7", (0, 3, 6, 10): "hdim7", (0, 3, 6, 9): "dim7",
    (0, 3, 7, 11): "minmaj7", (0, 7): "5",
}  # fmt: skip
_DEGREES = {0: "", 3: "/b3", 4: "/3", 6: "/b5", 7: "/5", 8: "/#5", 9: "/bb7", 10: "/b7", 11: "/7"}


def harte(numeral: Stream) -> str:
    """Return a Roman numeral as a chord label by Harte 2005, "X" for what has no such name (mir_eval leaves it out)."""
    root, bass = numeral.root(), numeral.bass()
    intervals = tuple(sorted({(pitch.pitchClass - root.pitchClass) % 12 for pitch in numeral.pitches}))
    quality = QUALITIES.get(intervals)
    if quality is None:
        return "X"
    return f"{root.name.replace('-', 'b')}:{quality}{_DEGREES[(bass.pitchClass - root.pitchClass) % 12]}"


def merged(spans: list[Span]) -> tuple[Span, ...]:
    """Return spans with those of one label that touch made one."""
    found: list[Span] = []
    for span in spans:
        if found and found[-1].label == span.label and abs(found[-1].end_q - span.start_q) < 1e-6:
            found[-1] = found[-1]._replace(end_q=span.end_q)
        else:
            found.append(span)
    return tuple(found)
