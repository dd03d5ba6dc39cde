"""What runs in a worker process: every processor that answers one event, over one decode of its asset."""

from __future__ import annotations

import hashlib
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from domain.errors import DiscoError, LimitExceeded
from domain.ports import Blobs
from domain.values import Blob
from events.base import Event
from events.envelope import decode
from events.imports import AudioAdded
from infra.pool import report
from infra.wiring import PROCESSORS
from processors.audio.signal import Signal
from processors.handler import Processor, Report, wants
from processors.media.decode import decode_audio
from processors.media.probe import Probe, probe

OpenBlobs = Callable[[], Blobs]
"""Opens the blob store in a worker; can be pickled."""


@dataclass(frozen=True, slots=True)
class Cause:
    """The event to answer, as it travels to a worker."""

    type: str
    version: int
    raw: bytes
    where: str


@dataclass(frozen=True, slots=True)
class Fault:
    """Why a processor has no answer; `final` where trying again cannot help; `trace` is for the log, not the event."""

    code: str
    message: str
    digest: str
    final: bool
    trace: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """What one processor made of the event: events, or a fault."""

    processor: str
    duration_ms: int
    events: tuple[Event, ...] = ()
    fault: Fault | None = None


def answer(open_blobs: OpenBlobs, names: Sequence[str], cause: Cause) -> list[Answer]:
    """Let each named processor answer the event; one that fails leaves the others alone."""
    blobs = open_blobs()
    event = decode(cause.type, cause.version, cause.raw, where=cause.where)
    given: dict[type, Any] = {Blobs: blobs}  # Any: by annotation
    answers: list[Answer] = []
    for done, name in enumerate(names):
        begun = time.perf_counter()
        tell = partial(_tell, done, len(names))
        tell(0.0)
        try:
            events = _events(PROCESSORS[name], event, given, tell)
        except Exception as error:  # told as a fault, with the digest of its traceback
            answers.append(Answer(name, _elapsed_ms(begun), fault=fault_of(error)))
        else:
            answers.append(Answer(name, _elapsed_ms(begun), events))
    return answers


def _tell(done: int, total: int, share: float) -> None:
    report((done + share) / total)


def fault_of(error: Exception) -> Fault:
    """Describe an error so that it can be told, and told apart, without its objects."""
    trace = "".join(traceback.format_exception(error))
    digest = hashlib.sha256(trace.encode()).hexdigest()[:16]
    if isinstance(error, DiscoError):
        return Fault(error.code, error.message, digest, not error.retryable, trace)
    if isinstance(error, MemoryError):
        return Fault(LimitExceeded.code, "the worker's memory limit was reached", digest, True, trace)
    return Fault("internal", f"{type(error).__name__}: {error}", digest, False, trace)


def _events(processor: Processor, event: Event, given: dict[type, Any], tell: Report) -> tuple[Event, ...]:
    wanted = wants(processor)
    if Signal in wanted and Signal not in given:
        assert isinstance(event, AudioAdded)  # noqa: S101  # only audio has a signal
        given[Signal] = Signal(*decode_audio(given[Blobs].path(event.content.sha256)))
    outcome = processor.handle(event, *(tell if kind == Report else given[kind] for kind in wanted))
    return (outcome,) if isinstance(outcome, Event) else tuple(outcome)


def _elapsed_ms(begun: float) -> int:
    return max(1, round((time.perf_counter() - begun) * 1000))


@dataclass(frozen=True, slots=True)
class Taken:
    """A file that was taken in: its content in the blob store, and what it is."""

    content: Blob
    probed: Probe


def take_in(open_blobs: OpenBlobs, path: Path, name: str) -> Taken:
    """Copy a file, known as `name`, into the blob store and check all of it; a bad file leaves nothing behind.

    Raises: Malformed, Unsupported, LimitExceeded, NotFound.
    """
    blobs = open_blobs()
    with blobs.staged(path) as staged:
        probed = probe(staged.path, name=name)
        return Taken(staged.keep(probed.media_type), probed)


def look_at(open_blobs: OpenBlobs, sha256: str, file_name: str) -> Taken:
    """Check a blob that was uploaded under a name. Raises: as `take_in`."""
    blobs = open_blobs()
    probed = probe(blobs.path(sha256), name=file_name)
    return Taken(Blob(sha256=sha256, size_bytes=blobs.size(sha256), media_type=probed.media_type), probed)
