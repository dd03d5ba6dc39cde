"""MusicXML scores to notes. Source: MusicXML 4.0, read by music21."""

from __future__ import annotations

import zipfile
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, TypeVar
from xml.etree import ElementTree  # expat stops entity bombs, and `_root` refuses entities

import numpy as np

from domain.errors import LimitExceeded, Malformed, Unsupported
from processors.midi.values import DRUM_CHANNEL, STANDARD_BPM, Metre, Note, Notes, Tempo, make_notes

MAX_XML_BYTES = 32 * 2**20
MAX_NOTES = 500_000
GRACE_QUARTERS = 0.125
MEDIUM_LOUD = 0.55
UNPITCHED = 38
MEDIA_TYPES = (
    "application/vnd.recordare.musicxml",
    "application/vnd.recordare.musicxml+xml",
    "application/xml",
    "text/xml",
)
Element = Any  # Any: music21 has no types that hold in strict mode
Mark = TypeVar("Mark", bound=tuple[Any, ...])  # Any: a place, and what is said there


def read_score(path: Path, media_type: str) -> Notes:
    """Read a MusicXML score, plain or compressed, at sounding pitch: ties merged, repeats played where they add up.

    A part's channel is its number, leaving out that of drums; its program is that of its instrument. Velocity follows
    the part's dynamic marks, mezzo-forte before the first. Grace notes take an eighth of a quarter before the beat.
    Raises: Unsupported, for another media type; Malformed, if it is no score; LimitExceeded, above 32 MiB of XML.
    """
    if media_type not in MEDIA_TYPES:
        raise Unsupported(f"{media_type} is not a score; MusicXML (.musicxml, .xml, .mxl) can be read")
    score = _expanded(_parsed(_xml(path)))
    tempos, metres = _marks(score)
    rows: list[Note] = []
    parts = list(score.parts)
    for index, part in enumerate(parts):
        rows += _part_notes(part, index)
        if len(rows) > MAX_NOTES:
            raise LimitExceeded(f"the score has over {MAX_NOTES} notes", limit=MAX_NOTES)
    table = np.array(rows, dtype=np.float64).reshape(-1, len(Note._fields))
    table[:, :2] = _seconds(table[:, :2], tempos)
    return make_notes(
        table,
        tempos=[Tempo(float(_seconds(at, tempos)), bpm) for at, bpm in tempos],
        metres=[Metre(float(_seconds(at, tempos)), beats, unit) for at, beats, unit in metres],
        format="musicxml",
        tracks=sum(1 for part in parts if part.recurse().notes),
    )


def _xml(path: Path) -> bytes:
    try:
        if not zipfile.is_zipfile(path):
            with path.open("rb") as file:
                return _within(file.read(MAX_XML_BYTES + 1))
        with zipfile.ZipFile(path) as archive, archive.open(_root_file(archive)) as member:
            return _within(member.read(MAX_XML_BYTES + 1))
    except (zipfile.BadZipFile, EOFError, KeyError, RuntimeError, ValueError) as error:
        raise Malformed(f"not a whole compressed score: {error}") from error


def _root_file(archive: zipfile.ZipFile) -> str:
    """The score's name inside an .mxl: the first rootfile of its container, else the first XML at the top."""
    with archive.open("META-INF/container.xml") as member:
        for element in _root(_within(member.read(MAX_XML_BYTES + 1))).iter():
            if element.tag.rpartition("}")[2] == "rootfile":
                return element.get("full-path", "")
    raise Malformed("the compressed score's META-INF/container.xml names no rootfile")


def _within(data: bytes) -> bytes:
    if len(data) > MAX_XML_BYTES:
        raise LimitExceeded(f"the score has over {MAX_XML_BYTES} bytes of XML", limit=MAX_XML_BYTES)
    return data


def _root(data: bytes) -> ElementTree.Element:
    if b"<!ENTITY" in data:
        raise Malformed("the score declares XML entities; export it anew without them")
    try:
        return ElementTree.fromstring(data)  # noqa: S314  # see the import
    except (ElementTree.ParseError, ValueError, LookupError) as error:
        raise Malformed(f"the score is not XML: {error}") from error


def _parsed(data: bytes) -> Element:
    root = _root(data)
    if root.tag != "score-partwise":
        raise Malformed(f"the XML's root is <{root.tag[:80]}>, not <score-partwise>; export it as partwise MusicXML")
    from music21.musicxml.xmlToM21 import MusicXMLImporter  # takes a second, so only where a score is read

    importer = MusicXMLImporter()
    try:
        importer.xmlRootToScore(root, importer.stream)
        return importer.stream.toSoundingPitch(inPlace=False)
    except Exception as error:  # music21 raises whatever its many classes do on a score that contradicts itself
        raise Malformed(f"the score cannot be read: {type(error).__name__}: {error}") from error


def _expanded(score: Element) -> Element:
    """The score with its repeats played out, or as written where they do not add up."""
    from music21.bar import Repeat
    from music21.repeat import ExpanderException, RepeatExpression

    if score.recurse().getElementsByClass((Repeat, RepeatExpression)).first() is None:
        return score
    try:
        return score.expandRepeats()
    except ExpanderException:
        return score


def _marks(score: Element) -> tuple[list[tuple[float, float]], list[tuple[float, int, int]]]:
    """Tempos as (quarter, bpm) from 0 on, and metres as (quarter, beats, unit), the last mark at a place counting."""
    from music21.meter import TimeSignature
    from music21.tempo import MetronomeMark

    tempos: dict[float, float] = {0.0: STANDARD_BPM}
    metres: dict[float, tuple[int, int]] = {}
    flat = score.flatten()
    for mark in flat.getElementsByClass(MetronomeMark):
        bpm = mark.getQuarterBPM()
        if bpm:
            tempos[float(mark.offset)] = float(bpm)
    for mark in flat.getElementsByClass(TimeSignature):
        metres[float(mark.offset)] = (int(mark.numerator), int(mark.denominator))
    return (
        _changes(sorted(tempos.items())),
        _changes((at, *metre) for at, metre in sorted(metres.items())),
    )


def _changes(marks: Iterable[Mark]) -> list[Mark]:
    """The marks that say something else than the one before them."""
    kept: list[Mark] = []
    for mark in marks:
        if not kept or kept[-1][1:] != mark[1:]:
            kept.append(mark)
    return kept


def _seconds(quarters: np.ndarray | float, tempos: list[tuple[float, float]]) -> np.ndarray:
    at, bpm = np.array(tempos).T
    starts_s = np.concatenate([[0.0], np.cumsum(np.diff(at) * 60 / bpm[:-1])])
    index = np.searchsorted(at, quarters, side="right") - 1
    return np.asarray(starts_s[index] + (quarters - at[index]) * 60 / bpm[index])


def _part_notes(part: Element, index: int) -> list[Note]:
    """Notes of one part, their times in quarters."""
    flat = part.flatten()
    instrument = flat.getElementsByClass("Instrument").first()
    drums = instrument is not None and "UnpitchedPercussion" in instrument.classes
    program = 0 if drums or instrument is None else int(instrument.midiProgram or 0)
    channel = DRUM_CHANNEL if drums else _channel(index)
    velocity = _dynamics(flat)
    sounding: dict[int, int] = {}
    rows: list[Note] = []
    for start, end, pitch, tie, own in _struck(flat):
        held = sounding.get(pitch)
        if tie in ("stop", "continue") and held is not None and abs(rows[held].end_s - start) < 1e-6:
            rows[held] = rows[held]._replace(end_s=end)
        else:
            sounding[pitch] = len(rows)
            rows.append(Note(start, end, pitch, own or velocity(start), channel, program, drums))
    return rows


def _channel(index: int) -> int:
    within = index % 15
    return within + (within >= DRUM_CHANNEL)


def _dynamics(flat: Element) -> Any:  # Any: a function of a place
    marks = [(float(mark.offset), float(mark.volumeScalar)) for mark in flat.getElementsByClass("Dynamic")]
    at, loud = np.array([(-1.0, MEDIUM_LOUD), *marks]).T

    def velocity(start: float) -> int:
        return int(np.clip(round(30 + 90 * loud[np.searchsorted(at, start, side="right") - 1]), 1, 127))

    return velocity


def _struck(flat: Element) -> Iterator[tuple[float, float, int, str, int]]:
    """Each note head as (start, end, pitch, kind of tie, velocity or 0), in quarters."""
    graces: dict[float, list[Element]] = defaultdict(list)
    for sound in flat.notes:
        if sound.duration.isGrace:
            graces[float(sound.offset)].append(sound)
    for sound in flat.notes:
        if "ChordSymbol" in sound.classes:
            continue
        start, length = float(sound.offset), float(sound.quarterLength)
        run = graces.get(start, []) if sound.duration.isGrace else []
        if run:
            place = next(index for index, grace in enumerate(run) if grace is sound)
            start, length = max(0.0, start - GRACE_QUARTERS * (len(run) - place)), GRACE_QUARTERS
        for head in sound.notes if sound.isChord else (sound,):
            tie = head.tie or sound.tie
            own = head.volume.velocity
            yield start, start + length, _pitch(head), tie.type if tie else "", int(own) if own else 0


def _pitch(head: Element) -> int:
    if hasattr(head, "pitch"):
        return int(np.clip(head.pitch.midi, 0, 127))
    instrument = head.storedInstrument
    mapped = getattr(instrument, "percMapPitch", None)
    return int(mapped) if mapped is not None else UNPITCHED
