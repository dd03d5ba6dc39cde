"""Read MusicXML safely: as a stream of tags, without entities, external files or unbounded unpacking.

Source: W3C MusicXML 4.0 (score-partwise, score-timewise, compressed .mxl).
"""

from __future__ import annotations

import zipfile
import zlib
from bisect import insort
from dataclasses import dataclass, field
from fractions import Fraction
from xml.parsers import expat  # no entity is ever expanded: any declaration of one is refused

from domain.values import NoteFacts
from processors.media.limits import check_duration
from processors.media.sniff import MXL, Format
from processors.media.source import Source
from processors.media.tags import clean

MAX_ARCHIVE_BYTES = 16 << 20
MAX_XML_BYTES = 64 << 20
MAX_CONTAINER_BYTES = 1 << 20
MAX_DEPTH = 64
MAX_TEXT_CHARS = 10_000
DEFAULT_TEMPO_BPM = 120.0
_TAGS = {"work-title": "title", "movement-title": "movement", "rights": "rights", "software": "software"}
_BEAT_UNITS = {"breve": 8.0, "whole": 4.0, "half": 2.0, "quarter": 1.0, "eighth": 0.5, "16th": 0.25, "32nd": 0.125}


def score_facts(source: Source, format: Format) -> tuple[NoteFacts, dict[str, str]]:
    """Count notes and parts, and tell the tags: title, composer and the like.

    Notes are those that sound anew: no rests, and of tied notes the first. The duration is that of one pass by the
    tempo marks, repeats not taken, at 120 quarters a minute where there is no mark.
    Raises: Malformed, LimitExceeded.
    """
    reader = _Reader(source)
    reader.parse(score_xml(source, format))
    seconds = reader.duration_s()
    check_duration(source, seconds)
    tags = dict(reader.tags)
    if "title" not in tags and "movement" in tags:
        tags["title"] = tags.pop("movement")
    facts = NoteFacts(format=format.name, notes=reader.notes, tracks=len(reader.cursors), duration_s=seconds)
    return facts, clean(tags)


def score_xml(source: Source, format: Format) -> bytes:
    """The score's XML text, unpacked where it is compressed.

    Raises: Malformed, LimitExceeded.
    """
    if format is MXL:
        return _unpacked(source)
    if source.size_bytes > MAX_XML_BYTES:
        raise source.limit(
            f"has {source.size_bytes} bytes, the limit for a score is {MAX_XML_BYTES}; split it", limit=MAX_XML_BYTES
        )
    return source.head(MAX_XML_BYTES)


def _unpacked(source: Source) -> bytes:
    if source.size_bytes > MAX_ARCHIVE_BYTES:
        raise source.limit(
            f"has {source.size_bytes} bytes, the limit for .mxl is {MAX_ARCHIVE_BYTES}; take out its pictures",
            limit=MAX_ARCHIVE_BYTES,
        )
    try:
        with zipfile.ZipFile(source.path) as archive:
            container = _member(source, archive, "META-INF/container.xml", MAX_CONTAINER_BYTES)
            return _member(source, archive, _root_file(source, container), MAX_XML_BYTES)
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, RuntimeError, NotImplementedError) as error:
        raise source.malformed(
            f"cannot be unpacked ({str(error) or type(error).__name__}); it is damaged or truncated, export it again"
        ) from error


def _member(source: Source, archive: zipfile.ZipFile, name: str, limit: int) -> bytes:
    """Unpack one file, and stop at the limit whatever the archive says of its size."""
    try:
        info = archive.getinfo(name)
    except KeyError:
        raise source.malformed(f"is a zip archive without {name!r}, not compressed MusicXML") from None
    with archive.open(info) as file:
        data = file.read(limit + 1)
    if len(data) > limit:
        raise source.limit(f"{name!r} in it unpacks to more than {limit} bytes; no score is that large", limit=limit)
    return data


def _root_file(source: Source, container: bytes) -> str:
    found: list[str] = []

    def start(name: str, attributes: dict[str, str]) -> None:
        media_type = attributes.get("media-type", "application/vnd.recordare.musicxml+xml")
        if _local(name) == "rootfile" and media_type == "application/vnd.recordare.musicxml+xml":
            found.append(attributes.get("full-path", ""))

    parser = _parser(source, "META-INF/container.xml")
    parser.StartElementHandler = start
    _feed(source, parser, container)
    if not found:
        raise source.malformed("names no score in META-INF/container.xml; export it again")
    return found[0]


def _parser(source: Source, where: str) -> expat.XMLParserType:
    parser = expat.ParserCreate()
    parser.buffer_text = True

    def entity(name: str, *_: object) -> None:
        raise source.malformed(
            f"declares the entity {name!r} in its DOCTYPE ({where}, line {parser.CurrentLineNumber}); "
            "scores need none and it may be an attack, so export it without",
            line=parser.CurrentLineNumber,
        )

    parser.EntityDeclHandler = entity
    return parser


def _feed(source: Source, parser: expat.XMLParserType, data: bytes) -> None:
    """Parse in one piece: long tokens fed in pieces would be read over and over."""
    try:
        parser.Parse(data, True)
    except expat.ExpatError as error:
        reason = expat.ErrorString(error.code)
        raise source.malformed(
            f"is damaged or truncated XML: {reason} at line {error.lineno}, column {error.offset}; export it again",
            line=error.lineno,
        ) from error
    except (UnicodeError, LookupError) as error:
        raise source.malformed(f"is in an encoding that cannot be read ({error}); save it as UTF-8") from error


def _local(name: str) -> str:
    return name.rpartition(":")[2]


@dataclass(slots=True)
class _Cursor:
    """Where a part is, in quarter notes."""

    divisions: Fraction = Fraction(1)
    at: Fraction = Fraction(0)
    bar_end: Fraction = Fraction(0)


@dataclass(slots=True)
class _Note:
    duration: str = ""
    flags: set[str] = field(default_factory=set)


class _Reader:
    """Counts notes, parts and time as the tags go by."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.notes = 0
        self.cursors: dict[str, _Cursor] = {}
        self.tags: dict[str, str] = {}
        self._cursor = _Cursor()
        self._tempi: list[tuple[Fraction, int, float]] = []
        self._path: list[str] = []
        self._text: list[str] = []
        self._creator = ""
        self._note = _Note()
        self._beat_unit = 1.0
        self._parser = _parser(source, "score")

    def parse(self, data: bytes) -> None:
        """Read a whole score. Raises: Malformed, LimitExceeded."""
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._characters
        _feed(self.source, self._parser, data)

    def duration_s(self) -> float:
        """The end of the longest part, by the tempo marks of all parts."""
        end = max((max(c.at, c.bar_end) for c in self.cursors.values()), default=Fraction(0))
        seconds, last, tempo = 0.0, Fraction(0), DEFAULT_TEMPO_BPM
        for at, _, bpm in self._tempi:
            seconds += float(min(at, end) - min(last, end)) * 60 / tempo
            last, tempo = at, bpm
        return seconds + float(max(end - last, Fraction(0))) * 60 / tempo

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        name = _local(name)
        self._path.append(name)
        self._text.clear()
        if len(self._path) == 1 and name not in ("score-partwise", "score-timewise"):
            raise self.source.malformed(f"has the root <{name[:80]}>, not a MusicXML score; export it as MusicXML")
        if len(self._path) > MAX_DEPTH:
            raise self.source.malformed(
                f"nests tags deeper than {MAX_DEPTH} at line {self._parser.CurrentLineNumber}; no score does"
            )
        if name == "part":
            self._cursor = self.cursors.setdefault(attributes.get("id", ""), _Cursor())
        elif name == "note":
            self._note = _Note()
        elif name == "creator":
            self._creator = attributes.get("type", "creator")
        elif name == "sound" and "tempo" in attributes:
            self._tempo(attributes["tempo"])
        elif name == "beat-unit-dot":
            self._beat_unit *= 1.5
        elif name in ("rest", "chord", "grace", "cue"):
            self._note.flags.add(name)
        elif name == "tie" and attributes.get("type") == "stop":
            self._note.flags.add("tied")

    def _characters(self, text: str) -> None:
        if len(self._text) < MAX_TEXT_CHARS:
            self._text.append(text[:MAX_TEXT_CHARS])

    def _end(self, name: str) -> None:
        name = self._path.pop()
        parent = self._path[-1] if self._path else ""
        text = "".join(self._text)[:MAX_TEXT_CHARS].strip()
        self._text.clear()
        if name == "note":
            self._end_note()
        elif name == "duration":
            self._end_duration(parent, text)
        elif name == "divisions":
            self._cursor.divisions = self._number(text, name) or Fraction(1)
        elif name == "measure" or (name == "part" and parent == "measure"):
            self._cursor.at = max(self._cursor.at, self._cursor.bar_end)
        elif name == "beat-unit":
            self._beat_unit = _BEAT_UNITS.get(text, 1.0)
        elif name == "per-minute" and text.replace(".", "", 1).isdecimal():
            self._tempo(text, self._beat_unit)
        elif name in _TAGS and text:
            self.tags.setdefault(_TAGS[name], text)
        elif name == "creator" and text:
            self.tags[self._creator] = "; ".join(filter(None, (self.tags.get(self._creator), text)))[:MAX_TEXT_CHARS]

    def _end_duration(self, parent: str, text: str) -> None:
        if parent == "note":
            self._note.duration = text
        elif parent == "forward":
            self._move(self._number(text, "duration"))
        elif parent == "backup":
            self._move(-self._number(text, "duration"))

    def _end_note(self) -> None:
        note = self._note
        if not note.flags & {"rest", "tied", "cue"}:
            self.notes += 1
        if note.duration and not note.flags & {"chord", "grace"}:
            self._move(self._number(note.duration, "duration"))

    def _move(self, duration: Fraction) -> None:
        cursor = self._cursor
        cursor.at = max(Fraction(0), cursor.at + duration / cursor.divisions)
        cursor.bar_end = max(cursor.bar_end, cursor.at)

    def _tempo(self, text: str, beat_unit: float = 1.0) -> None:
        bpm = float(self._number(text, "tempo")) * beat_unit
        if bpm > 0:
            insort(self._tempi, (self._cursor.at, len(self._tempi), bpm))

    def _number(self, text: str, what: str) -> Fraction:
        """A decimal number that is not negative."""
        try:
            if len(text) > 20:
                raise ValueError
            number = Fraction(text)
        except (ValueError, ZeroDivisionError):
            number = Fraction(-1)
        if number < 0 or number > 10**9 or "e" in text.lower():
            raise self.source.malformed(
                f"has {text[:40]!r} for {what} at line {self._parser.CurrentLineNumber}; a number is needed"
            )
        return number
