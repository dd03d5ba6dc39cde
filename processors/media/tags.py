"""Tags embedded in audio files: title, artist and the like."""

from __future__ import annotations

import struct

from tinytag import TinyTag
from tinytag.tinytag import TinyTagException

from processors.media.source import Source

MAX_TAGS = 64
MAX_KEY_CHARS = 64
MAX_VALUE_CHARS = 1000
_NOT_TAGS = frozenset(
    ("filename", "filesize", "mime_type", "is_lossless", "duration", "channels", "bitrate", "bitdepth", "samplerate")
)


def read_tags(source: Source) -> dict[str, str]:
    """Return the tags by lower-case name, several values joined by "; "; none where they cannot be read.

    Sound with damaged tags is still sound, so damage here is no error.
    """
    try:
        found = TinyTag.get(source.path, duration=False).as_dict()
    except (TinyTagException, ValueError, LookupError, TypeError, AttributeError, struct.error, OSError, OverflowError):
        return {}
    return clean({key: _text(value) for key, value in found.items() if key not in _NOT_TAGS})


def clean(tags: dict[str, str]) -> dict[str, str]:
    """Bound the number and length of tags, and take out what cannot be shown."""
    shown = ((_shown(key, MAX_KEY_CHARS), _shown(value, MAX_VALUE_CHARS)) for key, value in tags.items())
    return dict([(key, value) for key, value in shown if key and value][:MAX_TAGS])


def _text(value: object) -> str:
    return "; ".join(str(item) for item in value) if isinstance(value, list | tuple) else str(value)


def _shown(text: str, limit: int) -> str:
    kept = "".join(c if c.isprintable() else " " for c in text[: 4 * limit])
    return " ".join(kept.split())[:limit]
