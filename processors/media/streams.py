"""What compressed files promise, read from their own headers and held against what a decoder gives.

Source: RFC 9639 (FLAC); RFC 3533 (Ogg); ISO 11172-3 and the Xing/LAME tag; ISO 14496-12 (boxes), 14496-3 (ADTS).
"""

from __future__ import annotations

import mmap
import struct
from collections.abc import Iterator

from processors.media.limits import check_duration, check_shape
from processors.media.sniff import adts_frame_bytes, id3_size, mp3_frame_bytes
from processors.media.source import Source

_OGG_CODECS = (
    (b"\x01vorbis", None),
    (b"OpusHead", None),
    (b"\x7fFLAC", None),
    (b"Speex   ", "Speex speech"),
    (b"\x80theora", "a Theora film"),
    (b"fishead", "an Ogg Skeleton"),
)
_MP4_CODECS = ((b"mp4a", "AAC"), (b"alac", "ALAC"), (b"ac-3", "AC3"), (b"ec-3", "EAC3"), (b"fLaC", "FLAC"))
_BOX_HEADER = 8
_MAX_BOXES = 500_000


def check_flac(source: Source) -> int | None:
    """Check STREAMINFO; returns the promised frames, None where the encoder did not know.

    Raises: Malformed, LimitExceeded.
    """
    head = source.head(42)
    if len(head) < 42:
        raise source.truncated(f"its first block needs 42 bytes, the file has {len(head)}")
    if head[4] & 0x7F:
        raise source.malformed("does not begin with a STREAMINFO block; export it again")
    packed = int.from_bytes(head[18:26], "big")
    frames = (packed & (1 << 36) - 1) or None
    check_shape(source, rate_hz=packed >> 44, channels=(packed >> 41 & 7) + 1, frames=frames)
    return frames


def check_ogg(source: Source) -> None:
    """Walk the pages: the first names a codec that is read here, and the last is whole.

    Raises: Malformed; Unsupported, for another codec.
    """
    first = source.head(512)
    packet = first[27 + first[26] :] if len(first) > 27 else b""
    for magic, other in _OGG_CODECS:
        if packet.startswith(magic):
            if other:
                raise source.unsupported(f"holds {other}, not Vorbis, Opus or FLAC; convert it to one of these")
            break
    else:
        raise source.malformed("is an Ogg file whose first page names no codec that is known here; export it again")
    at = 0
    with source.path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as view:
        while at < source.size_bytes:
            if view[at : at + 4] != b"OggS"[: source.size_bytes - at]:
                raise source.malformed(f"is damaged: no Ogg page begins at byte {at}; copy it again", position=at)
            lacing = view[at + 27 : at + 27 + view[at + 26]] if at + 27 <= source.size_bytes else b""
            end = at + 27 + len(lacing) + sum(lacing)
            if end > source.size_bytes or len(lacing) < view[at + 26]:
                raise source.truncated(f"its last page, at byte {at}, goes on behind the end", position=at)
            at = end


def counts_its_frames(source: Source) -> bool:
    """Whether an MP3 file begins with a Xing tag that tells its length; without one, a length is an estimate."""
    start = id3_size(source.head(10))
    head = source.head(4096, start)
    at = next((i for i in range(max(0, len(head) - 4)) if mp3_frame_bytes(head[i : i + 4])), None)
    if at is None or head[at + 1] >> 1 & 3 != 1:
        return False
    mpeg1, mono = head[at + 1] >> 3 & 3 == 3, head[at + 3] >> 6 == 3
    tag = at + 4 + ((17 if mono else 32) if mpeg1 else (9 if mono else 17))
    return head[tag : tag + 4] in (b"Xing", b"Info") and len(head) > tag + 8 and bool(head[tag + 7] & 1)


def check_m4a(source: Source) -> str:
    """Walk the top-level boxes: all whole, one moov and one mdat among them; returns the codec of the sound.

    Raises: Malformed; Unsupported, where it is protected against copying.
    """
    seen: dict[bytes, tuple[int, int]] = {}
    for name, at, size in _boxes(source):
        seen.setdefault(name, (at, size))
    if b"moov" not in seen:
        raise source.truncated("it has no moov box, which tells where the sound lies")
    if b"mdat" not in seen and b"moof" not in seen:
        raise source.truncated("it has no mdat box, which holds the sound")
    at, size = seen[b"moov"]
    moov = source.head(min(size, 64 << 20), at)
    if b"soun" not in moov:
        raise source.malformed("is an MPEG-4 file without sound; export its sound track")
    if b"drms" in moov or b"enca" in moov:
        raise source.unsupported("is protected against copying, so it cannot be decoded; import an unprotected copy")
    return next((name for codec, name in _MP4_CODECS if codec in moov), "OTHER")


def _boxes(source: Source) -> Iterator[tuple[bytes, int, int]]:
    """Name, offset and size of every top-level box."""
    at = 0
    with source.path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as view:
        for _ in range(_MAX_BOXES):
            if at == source.size_bytes:
                return
            name, size = _box(source, view[at : at + 16], at)
            yield name, at, size
            at += size
    raise source.limit(f"has more than {_MAX_BOXES} boxes before byte {at}; write it anew", limit=_MAX_BOXES)


def _box(source: Source, header: bytes, at: int) -> tuple[bytes, int]:
    there = source.size_bytes - at
    if there < _BOX_HEADER:
        raise source.truncated(f"the box at byte {at} goes on behind the end", position=at)
    size, name = struct.unpack(">I4s", header[:8])
    if size == 1 and len(header) == 16:
        size = struct.unpack(">Q", header[8:])[0]
    elif size == 0:
        size = there
    if size < _BOX_HEADER:
        raise source.malformed(f"is damaged: the box at byte {at} claims {size} bytes", position=at)
    if size > there:
        raise source.truncated(
            f"its {name.decode('latin-1')!r} box at byte {at} promises {size} bytes, {there} of them are there",
            position=at,
        )
    return name, size


def check_aac(source: Source) -> None:
    """Walk the ADTS frames: every one begins where the one before ended, and the last is whole.

    Raises: Malformed, LimitExceeded.
    """
    at, count = id3_size(source.head(10)), 0
    rate_index = source.head(3, at)[2:3]
    rate_hz = (96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000, 7350)
    with source.path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as view:
        while at < source.size_bytes:
            if view[at : at + 3] == b"TAG" and at + 128 == source.size_bytes:
                break
            length = adts_frame_bytes(view[at : at + 7])
            if not length and source.size_bytes - at >= 7:
                raise source.malformed(f"is damaged: no ADTS frame begins at byte {at}; copy it again", position=at)
            if not length or at + length > source.size_bytes:
                raise source.truncated(f"its last frame, at byte {at}, goes on behind the end", position=at)
            at, count = at + length, count + 1
    if rate_index:
        check_duration(source, count * 1024 / rate_hz[min(rate_index[0] >> 2 & 15, 12)])
