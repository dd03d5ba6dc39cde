"""Decode by the ffmpeg program, which is shown one local file and may open nothing else."""

from __future__ import annotations

import shutil
import struct
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, BinaryIO

import numpy as np

from processors.media.limits import MAX_DURATION_S
from processors.media.source import Source

TIMEOUT_S = 900.0
BLOCK_FRAMES = 1 << 16
MAX_HEADER_BYTES = 1 << 20


@contextmanager
def decode(
    source: Source, *, demuxer: str, timeout_s: float = TIMEOUT_S
) -> Iterator[tuple[int, int, Iterator[np.ndarray]]]:
    """Decode the first sound track: rate in Hz, channels, and float32 blocks of shape (frames, channels).

    demuxer: what the file is read as, so that its content cannot choose another one.
    Raises: Unsupported, without the program; Malformed, where it finds the file damaged; LimitExceeded, past the time.
    """
    program = shutil.which("ffmpeg")
    if program is None:
        raise source.unsupported(
            "is MPEG-4 audio, which needs the ffmpeg program; install ffmpeg, or convert the file to WAV or FLAC"
        )
    with tempfile.TemporaryFile() as complaints:
        process = subprocess.Popen(  # noqa: S603  # list of arguments, no shell
            _command(program, source, demuxer), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=complaints
        )
        late = threading.Event()

        def stop() -> None:
            late.set()
            process.kill()

        timer = threading.Timer(timeout_s, stop)
        timer.daemon = True
        timer.start()
        try:
            assert process.stdout is not None  # noqa: S101  # asked for above
            yield from _stream(source, process, process.stdout, complaints, late)
        finally:
            timer.cancel()
            process.kill()
            process.wait()
            if process.stdout is not None:
                process.stdout.close()


def _command(program: str, source: Source, demuxer: str) -> list[str]:
    return [
        program,
        *("-nostdin", "-hide_banner", "-v", "error", "-xerror", "-threads", "1"),
        *("-protocol_whitelist", "file,pipe", "-f", demuxer, "-i", f"file:{source.path.absolute()}"),
        *("-map", "0:a:0", "-map_metadata", "-1", "-t", str(MAX_DURATION_S + 1)),
        *("-c:a", "pcm_f32le", "-f", "wav", "pipe:1"),
    ]


def _stream(
    source: Source,
    process: subprocess.Popen[bytes],
    output: IO[bytes],
    complaints: BinaryIO,
    late: threading.Event,
) -> Iterator[tuple[int, int, Iterator[np.ndarray]]]:
    def check_end() -> None:
        if process.wait() == 0:
            return
        if late.is_set():
            raise source.limit("takes ffmpeg too long to decode; convert it to WAV or FLAC")
        complaints.seek(0)
        said = complaints.read(2000).decode("utf-8", "replace").replace(str(source.path.absolute()), source.name)
        reason = " ".join(said.split())[:300] or f"ffmpeg ended with status {process.returncode}"
        raise source.malformed(f"cannot be decoded to its end ({reason}); copy or export it again")

    header = _wav_header(output)
    if header is None:
        check_end()
        raise source.malformed("holds no sound that ffmpeg can decode; export it again")
    rate_hz, channels = header

    def blocks() -> Iterator[np.ndarray]:
        size = 4 * channels
        while raw := output.read(BLOCK_FRAMES * size):
            yield np.frombuffer(raw[: len(raw) // size * size], dtype="<f4").reshape(-1, channels)
        check_end()

    yield rate_hz, channels, blocks()


def _wav_header(output: IO[bytes]) -> tuple[int, int] | None:
    """Rate and channels of the WAV that ffmpeg writes, read up to its first sample; None if it writes none."""
    if len(output.read(12)) < 12:
        return None
    found = None
    for _ in range(16):
        head = output.read(8)
        if len(head) < 8:
            return None
        name, size = struct.unpack("<4sI", head)
        if name == b"data":
            return found
        body = output.read(min(size + size % 2, MAX_HEADER_BYTES))
        if name == b"fmt " and len(body) >= 16:
            channels, rate_hz = struct.unpack("<HI", body[2:8])
            found = (rate_hz, channels) if channels else None
    return None
