"""Samples of a sound wherever they are kept: in memory while they are few, else in a file that has no name."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Protocol

import numpy as np

from domain.errors import Unavailable

BLOCK_FRAMES = 1 << 16
HELD_BYTES = 128 << 20
"""Up to here samples are kept in memory: six minutes of stereo at 44.1 kHz."""
_SPARE_BYTES = 256 << 20
"""What is left on the disk for everybody else."""
_ITEM_BYTES = 4


class Samples(Protocol):
    """Float32 samples of full scale 1; `blocks` gives them in order, shape (channels, n) each, never to be written to.

    A block has `BLOCK_FRAMES`, the last one fewer.
    """

    rate_hz: int
    channels: int
    frames: int

    def blocks(self) -> Iterator[np.ndarray]:
        """All samples, block by block."""

    def whole(self) -> np.ndarray:
        """All samples at once, shape (channels, frames)."""


class Held:
    """Samples in memory, shape (channels, frames)."""

    def __init__(self, samples: np.ndarray, rate_hz: int, *, block_frames: int = BLOCK_FRAMES) -> None:
        self._samples = samples
        self._block = block_frames
        self.rate_hz = rate_hz
        self.channels, self.frames = samples.shape

    def blocks(self) -> Iterator[np.ndarray]:
        """See `Samples.blocks`."""
        for start in range(0, self.frames, self._block):
            yield self._samples[:, start : start + self._block]

    def whole(self) -> np.ndarray:
        """See `Samples.whole`."""
        return self._samples


class Scratch:
    """Samples in a file: block after block, in each of them channel after channel.

    They are read, not mapped: pages of a mapped file count as memory that this process holds.
    """

    def __init__(self, file: BinaryIO, rate_hz: int, channels: int, frames: int, *, block_frames: int) -> None:
        self._file = file
        self._block = block_frames
        self.rate_hz, self.channels, self.frames = rate_hz, channels, frames

    def blocks(self) -> Iterator[np.ndarray]:
        """See `Samples.blocks`; several readers do not disturb each other."""
        for start in range(0, self.frames, self._block):
            length = min(self._block, self.frames - start)
            raw = _read(self._file.fileno(), self.channels * length * _ITEM_BYTES, self.channels * start * _ITEM_BYTES)
            yield np.frombuffer(raw, np.float32).reshape(self.channels, length)

    def whole(self) -> np.ndarray:
        """See `Samples.whole`."""
        samples = np.empty((self.channels, self.frames), np.float32)
        at = 0
        for block in self.blocks():
            samples[:, at : at + block.shape[1]] = block
            at += block.shape[1]
        return samples


def _read(descriptor: int, size: int, offset: int) -> bytes:
    parts = []
    while size and (part := os.pread(descriptor, size, offset)):
        parts.append(part)
        size, offset = size - len(part), offset + len(part)
    return parts[0] if len(parts) == 1 else b"".join(parts)


class Gatherer:
    """Takes blocks of any size as they come and makes Samples of them.

    folder: where the file goes, on a disk rather than in memory; it has no name there, so that nothing is left of it
    however this process ends. held_bytes: from how much on there is one.
    """

    def __init__(
        self,
        rate_hz: int,
        channels: int,
        *,
        folder: Path | None = None,
        held_bytes: int = HELD_BYTES,
        block_frames: int = BLOCK_FRAMES,
    ) -> None:
        self._rate_hz = rate_hz
        self._channels = channels
        self._folder = folder
        self._most = held_bytes
        self._block = block_frames
        self._waiting: list[np.ndarray] = []
        self._frames = 0
        self._rest = np.empty((channels, 0), np.float32)
        self._file: BinaryIO | None = None

    def expect(self, frames: int) -> None:
        """Look whether so many frames will find room. Raises: Unavailable, where the disk has not enough."""
        needed = frames * self._channels * _ITEM_BYTES
        if needed > self._most:
            self._check_space(needed)

    def add(self, block: np.ndarray) -> None:
        """Take a block of shape (channels, n). Raises: Unavailable, where the disk is full."""
        self._frames += block.shape[1]
        if self._file is None:
            self._waiting.append(np.array(block, np.float32))
            if self._frames * self._channels * _ITEM_BYTES > self._most:
                self._spill()
        else:
            self._write(block)

    def samples(self) -> Samples:
        """What was taken, once all of it was."""
        if self._file is None:
            whole = np.concatenate(self._waiting, axis=1) if self._waiting else self._rest
            return Held(whole, self._rate_hz, block_frames=self._block)
        if self._rest.size:
            self._put(self._rest)
        return Scratch(self._file, self._rate_hz, self._channels, self._frames, block_frames=self._block)

    def _spill(self) -> None:
        self._check_space(self._most)
        self._file = tempfile.TemporaryFile(dir=self._folder, buffering=0)  # noqa: SIM115  # closed with its reader
        for block in self._waiting:
            self._write(block)
        self._waiting.clear()

    def _write(self, block: np.ndarray) -> None:
        """Write whole blocks, and keep what is left over for the next."""
        pending = np.concatenate([self._rest, block], axis=1)
        whole = pending.shape[1] // self._block * self._block
        for start in range(0, whole, self._block):
            self._put(pending[:, start : start + self._block])
        self._rest = pending[:, whole:].astype(np.float32)

    def _put(self, block: np.ndarray) -> None:
        assert self._file is not None  # noqa: S101  # only called behind _spill
        left = memoryview(np.ascontiguousarray(block, np.float32).tobytes())
        try:
            while left:
                left = left[self._file.write(left) :]
        except OSError as error:
            raise Unavailable(f"decoded sound finds no room on disk ({error.strerror}); free some space") from error

    def _check_space(self, needed: int) -> None:
        there = shutil.disk_usage(self._folder or tempfile.gettempdir()).free
        if there < needed + _SPARE_BYTES:
            raise Unavailable(
                f"decoding takes {needed >> 20} MiB on disk and {there >> 20} MiB are free; free some space",
                needed=needed,
                free=there,
            )
