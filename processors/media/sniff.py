"""Tell a file's format by its content; its suffix is only held against it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import PurePath

from processors.media.source import Source

HEAD_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class Format:
    """A kind of file that can be imported; variant is audio, midi or score."""

    name: str
    title: str
    variant: str
    media_type: str
    suffixes: tuple[str, ...]


WAV = Format("wav", "a WAV file", "audio", "audio/wav", (".wav", ".wave", ".bwf", ".rf64"))
AIFF = Format("aiff", "an AIFF file", "audio", "audio/aiff", (".aiff", ".aif", ".aifc"))
FLAC = Format("flac", "a FLAC file", "audio", "audio/flac", (".flac",))
OGG = Format("ogg", "an Ogg file", "audio", "audio/ogg", (".ogg", ".oga", ".opus"))
MP3 = Format("mp3", "an MP3 file", "audio", "audio/mpeg", (".mp3",))
M4A = Format("m4a", "an MPEG-4 file", "audio", "audio/mp4", (".m4a", ".mp4", ".m4b"))
AAC = Format("aac", "an AAC (ADTS) file", "audio", "audio/aac", (".aac",))
MIDI = Format("midi", "a MIDI file", "midi", "audio/midi", (".mid", ".midi", ".smf", ".kar", ".rmi"))
MUSICXML = Format(
    "musicxml", "a MusicXML file", "score", "application/vnd.recordare.musicxml+xml", (".musicxml", ".xml")
)
MXL = Format("mxl", "a compressed MusicXML file", "score", "application/vnd.recordare.musicxml", (".mxl",))

FORMATS = (WAV, AIFF, FLAC, OGG, MP3, M4A, AAC, MIDI, MUSICXML, MXL)
SUFFIXES = frozenset(suffix for format in FORMATS for suffix in format.suffixes)
"""What an import of a folder looks at, in lower case with the dot."""

_OTHER_MUSIC = (
    (re.compile(rb"caff"), "a Core Audio (CAF) file"),
    (re.compile(rb"\.snd"), "an AU file"),
    (re.compile(rb"wvpk"), "a WavPack file"),
    (re.compile(rb"MAC "), "a Monkey's Audio file"),
    (re.compile(rb"0&\xb2u\x8ef\xcf\x11"), "a Windows Media file"),
    (re.compile(rb"riff\x2e\x91\xcf\x11"), "a Wave64 file"),
    (re.compile(rb"DSD |FRM8"), "a DSD file"),
    (re.compile(rb"#!AMR"), "an AMR file"),
    (re.compile(rb"\x1aE\xdf\xa3"), "a Matroska or WebM file"),
    (re.compile(rb"RIFF.{4}AVI ", re.S), "an AVI film"),
    (re.compile(rb".{4}ftypqt  ", re.S), "a QuickTime film"),
)
_NO_MUSIC = (
    (re.compile(rb"PK(\x03\x04|\x05\x06|\x07\x08)"), "a zip archive"),
    (re.compile(rb"\x1f\x8b"), "a gzip archive"),
    (re.compile(rb"BZh[1-9]"), "a bzip2 archive"),
    (re.compile(rb"\xfd7zXZ\0"), "an xz archive"),
    (re.compile(rb"7z\xbc\xaf\x27\x1c"), "a 7-Zip archive"),
    (re.compile(rb"Rar!\x1a\x07"), "a RAR archive"),
    (re.compile(rb".{257}ustar", re.S), "a tar archive"),
    (re.compile(rb"%PDF-"), "a PDF document"),
    (re.compile(rb"\x89PNG\r\n"), "a PNG image"),
    (re.compile(rb"\xff\xd8\xff"), "a JPEG image"),
    (re.compile(rb"GIF8[79]a"), "a GIF image"),
    (re.compile(rb"RIFF.{4}WEBP", re.S), "a WebP image"),
    (re.compile(rb".{4}ftyp(heic|heix|mif1|avif)", re.S), "a HEIF or AVIF image"),
    (re.compile(rb"\x7fELF|MZ|\xcf\xfa\xed\xfe"), "a program"),
    (re.compile(rb"SQLite format 3\0"), "an SQLite database"),
    (re.compile(rb"\s*<(!doctype html|html)", re.I), "a web page"),
    (re.compile(rb"#!"), "a script"),
)
_XML = re.compile(rb"\s*<(\?xml|!--|!DOCTYPE|[A-Za-z])")
_ROOT = re.compile(r"<([A-Za-z_][\w.:-]*)")


def sniff(source: Source) -> Format:
    """Tell the format by content.

    Raises: Malformed, where it is nothing that can be imported, or its suffix claims another format than it has;
    Unsupported, where it is music in a format that is not read.
    """
    head = source.head(HEAD_BYTES)
    format = _by_magic(source, head)
    if format is None:
        raise _unknown(source, head)
    suffix = PurePath(source.name).suffix.lower()
    if suffix in SUFFIXES and suffix not in format.suffixes:
        raise source.malformed(
            f"is named {suffix} but holds {format.title}; rename it to {format.suffixes[0]}", found=format.name
        )
    return format


def _by_magic(source: Source, head: bytes) -> Format | None:
    form = head[8:12]
    if head[:4] in (b"RIFF", b"RIFX", b"RF64", b"BW64") and form in (b"WAVE", b"RMID"):
        return WAV if form == b"WAVE" else MIDI
    if head[:4] == b"FORM" and form in (b"AIFF", b"AIFC"):
        return AIFF
    if head[:4] == b"fLaC":
        return FLAC
    if head[:4] == b"OggS":
        return OGG
    if head[:4] == b"MThd":
        return MIDI
    if head[4:8] == b"ftyp" and not _first(_OTHER_MUSIC, head) and not _first(_NO_MUSIC, head):
        return M4A
    if head[:3] == b"ID3":
        return _behind_id3(source, head)
    if head[:2] == b"PK":
        return MXL if _is_mxl(source, head) else None
    return _by_frames(head) or _musicxml(source, head)


def _behind_id3(source: Source, head: bytes) -> Format:
    end = id3_size(head)
    if end >= source.size_bytes:
        raise source.truncated(f"its ID3 tag promises {end} bytes, the file ends after {source.size_bytes}")
    behind = source.head(HEAD_BYTES, end)
    if behind[:4] == b"fLaC":
        raise source.malformed("is a FLAC file behind an ID3 tag, which FLAC does not allow; export it again")
    return _by_frames(behind, sure=False) or MP3


def id3_size(head: bytes) -> int:
    """Bytes of the ID3v2 tag at the start, 0 without one. Source: ID3v2.4.0 structure, 3.1."""
    if head[:3] != b"ID3" or len(head) < 10:
        return 0
    size = 0
    for byte in head[6:10]:
        size = size << 7 | byte & 0x7F
    return size + (20 if head[5] & 0x10 else 10)


def _by_frames(head: bytes, *, sure: bool = True) -> Format | None:
    """MP3 or ADTS by two frames in a row; one is enough where a tag came before."""
    for format, length_of in ((MP3, mp3_frame_bytes), (AAC, adts_frame_bytes)):
        length = length_of(head[:7])
        if length and (not sure or length_of(head[length : length + 7])):
            return format
    return None


_MP3_KBPS = {
    (True, 1): (0, 32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    (True, 2): (0, 32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (True, 3): (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (False, 1): (0, 32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (False, 2): (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}


def mp3_frame_bytes(header: bytes) -> int:
    """Length of the MPEG audio frame that starts here, 0 if none does. Source: ISO 11172-3, 2.4.1.3."""
    if len(header) < 4 or header[0] != 0xFF or header[1] & 0xE0 != 0xE0:
        return 0
    version, layer = header[1] >> 3 & 3, 4 - (header[1] >> 1 & 3)
    bitrate, rate, padding = header[2] >> 4, header[2] >> 2 & 3, header[2] >> 1 & 1
    if version == 1 or layer == 4 or bitrate in (0, 15) or rate == 3:
        return 0
    rate_hz = (44100, 48000, 32000)[rate] // {3: 1, 2: 2, 0: 4}[version]
    kbps = _MP3_KBPS[version == 3, layer if version == 3 else min(layer, 2)][bitrate]
    if layer == 1:
        return (12 * kbps * 1000 // rate_hz + padding) * 4
    return (72 if layer == 3 and version != 3 else 144) * kbps * 1000 // rate_hz + padding


def adts_frame_bytes(header: bytes) -> int:
    """Length of the ADTS frame that starts here, 0 if none does. Source: ISO 14496-3, 1.A.2."""
    if len(header) < 7 or header[0] != 0xFF or header[1] & 0xF6 != 0xF0 or header[2] >> 2 & 15 > 12:
        return 0
    length = (header[3] & 3) << 11 | header[4] << 3 | header[5] >> 5
    return length if length > 7 else 0


def _is_mxl(source: Source, head: bytes) -> bool:
    return b"META-INF/container.xml" in head or b"META-INF/container.xml" in source.head(
        HEAD_BYTES, max(0, source.size_bytes - HEAD_BYTES)
    )


def _musicxml(source: Source, head: bytes) -> Format | None:
    text = _as_text(head)
    if not _XML.match(text.encode()):
        return None
    root = _root(text)
    if root in ("score-partwise", "score-timewise"):
        return MUSICXML
    if root.lower() == "html":
        return None
    raise source.malformed(
        f"is XML with the root <{root[:80]}>, not a MusicXML score; export it as MusicXML (score-partwise)"
    )


def _as_text(head: bytes) -> str:
    if head[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return head.decode("utf-16", "replace").lstrip("\ufeff")
    return head.removeprefix(b"\xef\xbb\xbf").decode("utf-8", "replace")


def _root(text: str) -> str:
    """The name of the root element: the first tag behind comments, the XML declaration and the DOCTYPE."""
    bare = re.sub(r"<!--.*?-->|<\?.*?\?>", "", text[:16384], flags=re.S)  # bounded: unclosed comments cost the square
    found = _ROOT.search(bare)
    return found.group(1) if found else "?"


def _first(table: tuple[tuple[re.Pattern[bytes], str], ...], head: bytes) -> str | None:
    return next((title for pattern, title in table if pattern.match(head)), None)


def _unknown(source: Source, head: bytes) -> Exception:
    if music := _first(_OTHER_MUSIC, head):
        return source.unsupported(f"is {music}, which is not read here; convert it to WAV or FLAC")
    if other := _first(_NO_MUSIC, head):
        return source.malformed(f"is {other}, not music; unpack or convert it and import what comes out")
    return source.malformed(
        "is nothing that can be imported (its first bytes belong to no known format); "
        "WAV, AIFF, FLAC, Ogg, MP3, M4A, AAC, MIDI and MusicXML can be"
    )
