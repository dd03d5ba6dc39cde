"""Lyrics as they were written down: from a file beside the recording or from its tags, with their line breaks."""

from __future__ import annotations

import re
import struct
import unicodedata
from dataclasses import dataclass
from pathlib import Path

from domain.errors import LimitExceeded, Malformed

MAX_BYTES = 64 * 1024
MAX_LINES = 500
MAX_LINE_CHARS = 1000
SUFFIX = ".lrc"
_KEYS = ("lyrics", "unsyncedlyrics", "uslt")
"""How the names of tags with lyrics begin; ffmpeg writes the last into MP3 files."""
_BREAKS = re.compile(r"\r\n?|[\v\f\x1c-\x1e\x85\u2028\u2029]")


@dataclass(frozen=True, slots=True)
class Word:
    """A word that is timed."""

    text: str
    start_s: float


@dataclass(frozen=True, slots=True)
class Line:
    """A line as written, when it is sung, and its words as far as they are timed; empty between stanzas."""

    text: str
    start_s: float | None = None
    words: tuple[Word, ...] = ()


def beside(path: Path) -> Path | None:
    """The file with lyrics of the same name beside a recording, if there is one; links are not followed."""
    for suffix in (SUFFIX, SUFFIX.upper()):
        found = path.with_suffix(suffix)
        if found != path and found.is_file() and not found.is_symlink():
            return found
    return None


def read_lyrics(path: Path) -> str:
    """Read a file of lyrics. Raises: LimitExceeded, past 64 KiB; Malformed, where it is no text or cannot be read."""
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise Malformed(f"{path.name}: cannot be read ({error.strerror})", file=path.name) from error
    if len(raw) > MAX_BYTES:
        raise LimitExceeded(f"{path.name}: has more than {MAX_BYTES} bytes; lyrics have less", limit=MAX_BYTES)
    text = decoded(raw)
    if text is None:
        raise Malformed(f"{path.name}: is not text; save it as UTF-8", file=path.name)
    return text


def decoded(raw: bytes) -> str | None:
    """The text of a file in UTF-8, UTF-16 with its mark, or Windows-1252; None where it is none of these."""
    marked = raw[:2] in (b"\xff\xfe", b"\xfe\xff")
    encodings = ("utf-16",) if marked else ("utf-8-sig", "cp1252")
    for encoding in encodings:
        try:
            text = raw.decode(encoding)
        except UnicodeDecodeError:
            continue
        return None if _is_binary(text) else plain(text)
    return None


def embedded(path: Path) -> str:
    """The lyrics in the tags of a file (ID3 USLT and SYLT, Vorbis LYRICS, MPEG-4 ©lyr); timed ones first, or none.

    Sound with damaged tags is still sound, so damage here is no error.
    """
    from tinytag import TinyTag
    from tinytag.tinytag import TinyTagException

    try:
        tags = TinyTag.get(path, duration=False).as_dict()
    except (TinyTagException, ValueError, LookupError, TypeError, AttributeError, struct.error, OSError, OverflowError):
        return ""
    found = [value for key, value in tags.items() if key.startswith(_KEYS)]
    texts = [plain(str(text)) for value in found for text in (value if isinstance(value, list | tuple) else [value])]
    kept = [text for text in texts if text.strip() and not _is_binary(text)]
    return min(kept, key=lambda text: not text.lstrip().startswith("["), default="")


def plain(text: str) -> str:
    """The text in composed characters, with one kind of line break and no control characters, at most 64 KiB of it."""
    text = unicodedata.normalize("NFC", _BREAKS.sub("\n", text)).replace("\t", " ")
    kept = "".join(c for c in text if c == "\n" or unicodedata.category(c) not in ("Cc", "Cs"))
    lines = [line.strip()[:MAX_LINE_CHARS] for line in kept.split("\n")[:MAX_LINES]]
    return "\n".join(lines).encode()[:MAX_BYTES].decode(errors="ignore").strip("\ufeff")


def _is_binary(text: str) -> bool:
    return "\0" in text or sum(unicodedata.category(c) == "Cc" and c not in "\r\n\t" for c in text) > len(text) / 100
