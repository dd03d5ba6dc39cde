"""Look at a whole file: what it is, whether it can be read to its end, and what its tags say."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from domain.values import AudioFacts, NoteFacts
from processors.media.decode import open_audio
from processors.media.midi import note_facts
from processors.media.score import score_facts
from processors.media.sniff import MUSICXML, MXL, Format, sniff
from processors.media.source import Source
from processors.media.tags import read_tags


@dataclass(frozen=True, slots=True)
class Probe:
    """A file that was read to its end: variant is audio (with AudioFacts), midi or score (with NoteFacts)."""

    variant: str
    media_type: str
    facts: AudioFacts | NoteFacts
    tags: dict[str, str]


def probe(path: Path, *, name: str | None = None) -> Probe:
    """Check a whole file, in bounded memory.

    `name` is what people know the file by, where `path` is a copy of it; its suffix is held against the content.
    Raises: NotFound, Forbidden, Malformed, LimitExceeded, Unsupported, each naming the file, the place and what to do.
    """
    source = Source.at(path, name)
    format = sniff(source)
    if format.variant == "audio":
        return Probe("audio", format.media_type, _audio_facts(source, format), read_tags(source))
    if format in (MUSICXML, MXL):
        facts, tags = score_facts(source, format)
        return Probe("score", format.media_type, facts, tags)
    return Probe("midi", format.media_type, note_facts(source), {})


def _audio_facts(source: Source, format: Format) -> AudioFacts:
    with open_audio(source, format) as stream:
        frames = 0
        for block in stream.blocks:
            _check_finite(source, block, frames, stream.rate_hz)
            frames += len(block)
        return AudioFacts(
            container=format.name,
            encoding=stream.encoding,
            rate_hz=stream.rate_hz,
            channels=stream.channels,
            frames=frames,
        )


def _check_finite(source: Source, block: np.ndarray, first: int, rate_hz: int) -> None:
    """Refuse a block, shape (frames, channels), that holds what is no number. Raises: Malformed."""
    if np.isfinite(np.dot(block.ravel(), block.ravel())):  # not so where a sample is not, and cheap
        return
    bad = np.argwhere(~np.isfinite(block))
    if not len(bad):
        return
    frame, channel = int(bad[0][0]), int(bad[0][1])
    kind = "NaN (not a number)" if np.isnan(block[frame, channel]) else "an infinite value"
    raise source.malformed(
        f"holds {kind} at frame {first + frame} ({(first + frame) / rate_hz:.3f} s), channel {channel + 1}; "
        "export it again from its source",
        frame=first + frame,
        channel=channel + 1,
    )
