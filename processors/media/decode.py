"""Decode audio to samples, in blocks or whole: libsndfile for most formats, the ffmpeg program for MPEG-4."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile

from processors.media import ffmpeg, iff, streams
from processors.media.limits import check_duration, check_shape
from processors.media.samples import HELD_BYTES, Gatherer, Samples
from processors.media.sniff import AAC, AIFF, FLAC, M4A, MP3, OGG, WAV, Format, sniff
from processors.media.source import Source

BLOCK_FRAMES = 1 << 16
_FRAMES_UNKNOWN = 1 << 62
_TOLERANCE = {OGG: (8192, 0.0), MP3: (2304, 0.002), FLAC: (0, 0.0), WAV: (0, 0.0), AIFF: (0, 0.0)}
"""Frames, and share of the promised frames, that may be missing: lossy codecs round to packets."""


class _Sequential(soundfile.SoundFile):  # type: ignore[misc]  # soundfile has no types
    """A file that is only read on: soundfile seeks behind every block otherwise, which streamed FLAC cannot."""

    def seekable(self) -> bool:
        """Never."""
        return False


@dataclass(frozen=True, slots=True)
class AudioStream:
    """Audio on its way out of a decoder.

    frames: what the file promises, None where it does not say; blocks: float32, shape (frames, channels) each.
    Blocks raise Malformed where the sound is damaged or ends early, LimitExceeded where it goes on too long.
    """

    format: Format
    encoding: str
    rate_hz: int
    channels: int
    frames: int | None
    blocks: Iterator[np.ndarray]


@contextmanager
def open_audio(source: Source, format: Format) -> Iterator[AudioStream]:
    """Check the headers and begin to decode; the stream ends with the context.

    Raises: Malformed, LimitExceeded; Unsupported, for MPEG-4 where there is no ffmpeg.
    """
    promised, encoding = _check_headers(source, format)
    if format in (M4A, AAC):
        with ffmpeg.decode(source, demuxer="mov" if format is M4A else "aac") as (rate_hz, channels, raw):
            check_shape(source, rate_hz=rate_hz, channels=channels, frames=None)
            yield AudioStream(format, encoding, rate_hz, channels, None, _counted(source, format, None, rate_hz, raw))
        return
    with _opened(source) as file:
        if promised is None and _knows_length(source, format, file):
            promised = file.frames
        check_shape(source, rate_hz=file.samplerate, channels=file.channels, frames=promised)
        blocks = _counted(source, format, promised, file.samplerate, _read(source, file))
        yield AudioStream(format, file.subtype, file.samplerate, file.channels, promised, blocks)


def decode_audio(
    path: Path,
    *,
    name: str | None = None,
    folder: Path | None = None,
    held_bytes: int = HELD_BYTES,
    tell: Callable[[float], None] | None = None,
) -> Samples:
    """Decode an audio file to its end; what is longer than `held_bytes` goes to a nameless file in `folder`.

    name: what errors call the file, its own name without one. tell: hears the share that is done, where it is known.
    Raises: NotFound, Malformed, LimitExceeded; Unsupported, for MPEG-4 where there is no ffmpeg; Unavailable, where
    the disk has no room.
    """
    source = Source.at(path, name)
    format = sniff(source)
    if format.variant != "audio":
        raise source.malformed(f"is {format.title}, not audio; render it to audio first")
    with open_audio(source, format) as stream:
        gathered = Gatherer(stream.rate_hz, stream.channels, folder=folder, held_bytes=held_bytes)
        if stream.frames is not None:
            gathered.expect(stream.frames)
        done = 0
        for block in stream.blocks:
            kept = block if stream.frames is None else block[: stream.frames - done]
            gathered.add(kept.T)
            done += len(kept)
            if tell is not None and stream.frames:
                tell(done / stream.frames)
        return gathered.samples()


def _check_headers(source: Source, format: Format) -> tuple[int | None, str]:
    """The promised frames and the encoding, as far as the headers tell them."""
    if format is WAV:
        iff.check_wav(source)
    elif format is AIFF:
        iff.check_aiff(source)
    elif format is FLAC:
        return streams.check_flac(source), ""
    elif format is OGG:
        streams.check_ogg(source)
    elif format is M4A:
        return None, streams.check_m4a(source)
    elif format is AAC:
        streams.check_aac(source)
        return None, "AAC"
    return None, ""


def _knows_length(source: Source, format: Format, file: soundfile.SoundFile) -> bool:
    return 0 <= file.frames < _FRAMES_UNKNOWN and (format is not MP3 or streams.counts_its_frames(source))


@contextmanager
def _opened(source: Source) -> Iterator[soundfile.SoundFile]:
    path = str(source.path) if sys.platform == "win32" else os.fsencode(source.path)
    try:
        file = _Sequential(path)
    except (soundfile.LibsndfileError, ValueError) as error:
        raise source.malformed(
            f"cannot be opened as audio ({_reason(error)}); it is damaged or in an encoding that libsndfile lacks"
        ) from error
    with file:
        yield file


def _read(source: Source, file: soundfile.SoundFile) -> Iterator[np.ndarray]:
    at = 0
    while True:
        try:
            block = file.read(BLOCK_FRAMES, dtype="float32", always_2d=True)
        except (soundfile.LibsndfileError, RuntimeError, ValueError) as error:
            raise source.malformed(
                f"is damaged or truncated: decoding stops behind frame {at} ({at / file.samplerate:.3f} s, "
                f"{_reason(error)}); copy or export it again",
                frame=at,
            ) from error
        if not len(block):
            return
        at += len(block)
        yield block


def _counted(
    source: Source, format: Format, promised: int | None, rate_hz: int, blocks: Iterator[np.ndarray]
) -> Iterator[np.ndarray]:
    """Pass blocks on, and see that there are as many frames as promised and not too many."""
    frames = 0
    for block in blocks:
        frames += len(block)
        check_duration(source, frames / rate_hz)
        yield block
    if frames == 0:
        raise source.malformed("has 0 frames: a header and no sound; record or export it again")
    fixed, share = _TOLERANCE.get(format, (0, 0.0))
    if promised is not None and frames < promised - max(fixed, share * promised):
        raise source.truncated(
            f"it promises {promised} frames and gives {frames}, up to {frames / rate_hz:.3f} s",
            promised=promised,
            found=frames,
        )


def _reason(error: Exception) -> str:
    return str(error).strip().removeprefix("Error : ").rstrip(".") or type(error).__name__
