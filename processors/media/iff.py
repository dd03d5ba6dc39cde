"""Check the chunks of WAV and AIFF against the file's size before a decoder, which would forgive, sees them.

Source: Microsoft/IBM RIFF 1.0; EBU Tech 3306 (RF64) and ITU-R BS.2088 (BW64); Apple AIFF 1.3 and AIFF-C.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from processors.media.limits import check_frames, check_shape
from processors.media.source import Source

STREAMING = (0xFFFFFFFF, 0x7FFFFFFF, 0x7FFFF000, 0xFFFFF000)
"""Sizes that programs write to a pipe, where they cannot come back to say how long it was."""
MAX_CHUNKS = 10_000
MAX_HEADER_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class Chunk:
    """One chunk: the offset of its header, the size it promises, and up to 64 KiB of its body."""

    name: str
    at: int
    size: int
    body: bytes


def chunks(source: Source, *, endian: str, data: str) -> Iterator[Chunk]:
    """Walk the chunks behind the 12-byte header; bodies of `data` chunks stay unread.

    Raises: Malformed, with more than 10 000 chunks.
    """
    at = 12
    with source.path.open("rb") as file:
        for _ in range(MAX_CHUNKS):
            if at + 8 > source.size_bytes:
                return
            chunk = _chunk(file, at, endian=endian, data=data)
            yield chunk
            at += 8 + chunk.size + chunk.size % 2
    raise source.malformed(f"has more than {MAX_CHUNKS} chunks before byte {at}; it is damaged, export it again")


def _chunk(file: BinaryIO, at: int, *, endian: str, data: str) -> Chunk:
    file.seek(at)
    name, size = struct.unpack(endian + "4sI", file.read(8))
    shown = name.decode("latin-1")
    return Chunk(shown, at, size, b"" if shown == data else file.read(min(size, MAX_HEADER_BYTES)))


def _check_outer(source: Source, endian: str) -> None:
    """Hold the size of the chunk around all against the file's; some programs count the header and a padding byte."""
    size = struct.unpack(endian + "I", source.head(4, 4))[0]
    if size not in STREAMING and size > source.size_bytes + 1:
        raise source.truncated(
            f"its header promises {size + 8} bytes, the file has {source.size_bytes}",
            promised=size + 8,
            found=source.size_bytes,
        )


def check_wav(source: Source) -> None:
    """Check a RIFF, RIFX, RF64 or BW64 file: its format, and that its samples are all there.

    Raises: Malformed, LimitExceeded.
    """
    endian = ">" if source.head(4) == b"RIFX" else "<"
    _check_outer(source, endian)
    wide: int | None = None
    block = rate_hz = None
    for chunk in chunks(source, endian=endian, data="data"):
        if chunk.name == "ds64" and len(chunk.body) >= 24:
            wide = struct.unpack("<Q", chunk.body[8:16])[0]
        elif chunk.name == "fmt ":
            block, rate_hz = _wav_format(source, chunk, endian)
        elif chunk.name == "data":
            if block is None or rate_hz is None:
                raise source.malformed("has no fmt chunk before its data chunk at byte " + str(chunk.at))
            size = wide if wide is not None and chunk.size == 0xFFFFFFFF else chunk.size
            _check_samples(source, chunk, size, block=block, rate_hz=rate_hz)
            return
    raise source.truncated(f"no data chunk comes before its end at byte {source.size_bytes}")


def _wav_format(source: Source, chunk: Chunk, endian: str) -> tuple[int | None, int]:
    """Bytes of one frame (0 where the encoding is compressed) and rate."""
    if len(chunk.body) < 16:
        raise source.malformed(f"has a fmt chunk of {chunk.size} bytes at byte {chunk.at}, 16 are needed")
    tag, channels, rate_hz, _, block, bits = struct.unpack(endian + "HHIIHH", chunk.body[:16])
    check_shape(source, rate_hz=rate_hz, channels=channels, frames=None)
    plain = tag in (1, 3, 6, 7, 0xFFFE)
    if plain and (bits < 1 or block < channels):
        raise source.malformed(
            f"says at byte {chunk.at} that {channels} channels of {bits} bits fit into frames of {block} bytes"
        )
    return (block if plain else 0), rate_hz


def _check_samples(source: Source, chunk: Chunk, size: int, *, block: int, rate_hz: int) -> None:
    start, there = chunk.at + 8, source.size_bytes - chunk.at - 8
    if size > there and size not in STREAMING:
        raise source.truncated(
            f"its {chunk.name.strip()} chunk at byte {chunk.at} promises {size} bytes, "
            f"the file ends {there} bytes into it",
            position=start,
            promised=size,
            found=there,
        )
    if block:
        check_frames(source, rate_hz=rate_hz, frames=min(size, there) // block)


def check_aiff(source: Source) -> None:
    """Check an AIFF or AIFF-C file: its format, and that its samples are all there.

    Raises: Malformed, LimitExceeded.
    """
    _check_outer(source, ">")
    frame_bytes = frames = rate_hz = None
    for chunk in chunks(source, endian=">", data="SSND"):
        if chunk.name == "COMM":
            frame_bytes, frames, rate_hz = _aiff_format(source, chunk)
        elif chunk.name == "SSND":
            samples = chunk
            break
    else:
        raise source.truncated(f"no SSND chunk comes before its end at byte {source.size_bytes}")
    if frame_bytes is None or frames is None or rate_hz is None:
        raise source.malformed(f"has no COMM chunk before its SSND chunk at byte {samples.at}; export it again")
    _check_samples(source, samples, samples.size, block=0, rate_hz=rate_hz)
    there = min(samples.size, source.size_bytes - samples.at - 8) - 8
    if frame_bytes and frames * frame_bytes > there:
        raise source.truncated(
            f"it promises {frames} frames of {frame_bytes} bytes, its SSND chunk at byte {samples.at} "
            f"holds {max(0, there)} bytes",
            position=samples.at,
        )
    check_frames(source, rate_hz=rate_hz, frames=frames)


def _aiff_format(source: Source, chunk: Chunk) -> tuple[int, int, int]:
    """Bytes of one frame (0 where the encoding is compressed), frames and rate."""
    if len(chunk.body) < 18:
        raise source.malformed(f"has a COMM chunk of {chunk.size} bytes at byte {chunk.at}, 18 are needed")
    channels, frames, bits = struct.unpack(">hIh", chunk.body[:8])
    rate_hz = _extended(chunk.body[8:18])
    check_shape(source, rate_hz=rate_hz, channels=channels, frames=None)
    plain = source.head(4, 8) == b"AIFF" or chunk.body[18:22] in (b"NONE", b"sowt", b"twos", b"raw ")
    if plain and not 1 <= bits <= 32:
        raise source.malformed(f"says at byte {chunk.at} that samples have {bits} bits; 1 to 32 are possible")
    return (channels * ((bits + 7) // 8) if plain else 0), frames, rate_hz


def _extended(raw: bytes) -> int:
    """An 80-bit IEEE 754 extended number as an integer, 0 for what is negative or no number."""
    exponent, mantissa = int.from_bytes(raw[:2], "big"), int.from_bytes(raw[2:], "big")
    if exponent >= 0x7FFF or not mantissa:
        return 0
    shift = 16383 + 63 - exponent
    return mantissa << min(-shift, 64) if shift < 0 else mantissa >> min(shift, 64)
