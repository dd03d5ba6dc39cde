"""What goes through the pipes between the pool and its children: pickles behind their length.

Both ends are ours and the pipes have no name, so nobody else can write to them.
"""

from __future__ import annotations

import pickle
import struct
import traceback
from dataclasses import dataclass
from typing import Any, BinaryIO

from domain.errors import DiscoError

_LENGTH = struct.Struct("<Q")


@dataclass(frozen=True, slots=True)
class Start:
    """The first message to a child: what to import before the first task."""

    modules: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Ready:
    """The child is up and has imported what it was told to."""


@dataclass(frozen=True, slots=True)
class Progressed:
    """What a task reported."""

    value: object


@dataclass(frozen=True, slots=True)
class Done:
    """What a task returned."""

    value: Any  # Any: whatever the task's function returns


@dataclass(frozen=True, slots=True)
class Failed:
    """What a task raised: the exception where it can travel, its traceback as text, and whether memory ran out."""

    error: BaseException
    trace: str
    out_of_memory: bool = False


class RemoteTraceback(Exception):
    """The traceback of an exception from a child, as the cause of that exception."""

    def __init__(self, trace: str) -> None:
        super().__init__(trace)
        self.trace = trace

    def __str__(self) -> str:
        return f"\n{self.trace}"


def dump(message: object) -> bytes:
    """Pickle a message."""
    return pickle.dumps(message, protocol=pickle.HIGHEST_PROTOCOL)


def write(pipe: BinaryIO, data: bytes) -> None:
    """Send a pickled message. Raises: OSError, where the other end is gone."""
    pipe.write(_LENGTH.pack(len(data)))
    pipe.write(data)
    pipe.flush()


def read_bytes(pipe: BinaryIO) -> bytes:
    """Receive a pickled message. Raises: EOFError, where the other end is gone."""
    (size,) = _LENGTH.unpack(_exactly(pipe, _LENGTH.size))
    return _exactly(pipe, size)


def read(pipe: BinaryIO) -> Any:  # Any: one of the messages above, or a task
    """Receive a message. Raises: EOFError, where the other end is gone."""
    return pickle.loads(read_bytes(pipe))  # noqa: S301  # from our own process, see the module


def failed(error: BaseException) -> bytes:
    """Pickle an exception, or what can be said of it where it cannot be pickled."""
    trace = "".join(traceback.format_exception(error))
    out_of_memory = isinstance(error, MemoryError)
    for candidate in (error, _without_details(error), RuntimeError(f"{type(error).__name__}: {error}")):
        try:
            data = dump(Failed(candidate, trace, out_of_memory))
            pickle.loads(data)  # noqa: S301  # our own; some exceptions can be pickled and not read back
        except Exception:  # noqa: S112  # whatever their own code raises: the next candidate says the same in words
            continue
        return data
    return dump(Failed(RuntimeError(type(error).__name__), trace, out_of_memory))


def _without_details(error: BaseException) -> BaseException:
    """A DiscoError keeps its class and code even where its details cannot travel."""
    if isinstance(error, DiscoError):
        return type(error)(error.message, **{key: repr(value) for key, value in error.details.items()})
    return RuntimeError(f"{type(error).__name__}: {error}")


def _exactly(pipe: BinaryIO, size: int) -> bytes:
    data = pipe.read(size)
    if len(data) < size:
        raise EOFError
    return data
