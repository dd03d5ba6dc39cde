"""What runs in a worker process: every processor that answers one event, over one decode of its asset."""

from __future__ import annotations

import hashlib
import threading
import time
import traceback
from collections.abc import Callable, Sequence
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from domain.errors import DiscoError, LimitExceeded, Unavailable
from domain.ports import Blobs
from domain.values import Blob
from events.base import Event
from events.envelope import decode
from events.imports import AudioAdded
from infra.memory import give_back
from infra.pool import report
from infra.wiring import PROCESSORS
from processors.audio.signal import Signal
from processors.handler import Processor, Report, wants
from processors.lyrics.text import embedded, read_lyrics
from processors.media.decode import decode_audio
from processors.media.probe import Probe, probe

THREADS = 2
"""How many processors answer at a time: most of their time is spent in libraries that let others work meanwhile."""
_WORTH_TELLING = 0.01
_LONG_S = 300.0
"""From this allowance on what an analysis has freed is given back to the system before the next begins."""
_DECODING_SHARE = 0.5

OpenBlobs = Callable[[], Blobs]
"""Opens the blob store in a worker; can be pickled."""
LYRICS = "text/plain;charset=utf-8"
LONG_SOUND_SHARE = 0.5
"""Of the length of a sound, what its analyses may take besides the time that any event's may."""


def allowance_s(event: Event) -> float:
    """The time that an event may take besides the usual, since it is about a sound of some length."""
    return LONG_SOUND_SHARE * event.facts.duration_s if isinstance(event, AudioAdded) else 0.0


@dataclass(frozen=True, slots=True)
class Cause:
    """The event to answer, as it travels to a worker."""

    type: str
    version: int
    raw: bytes
    where: str


@dataclass(frozen=True, slots=True)
class Fault:
    """Why a processor has no answer; `trace` is for the log, not the event.

    final: trying again cannot help. away: a store does not answer now, whatever the processor is.
    """

    code: str
    message: str
    digest: str
    final: bool
    trace: str = ""
    away: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """What one processor made of the event: events, or a fault."""

    processor: str
    duration_ms: int
    events: tuple[Event, ...] = ()
    fault: Fault | None = None


def answer(open_blobs: OpenBlobs, names: Sequence[str], cause: Cause) -> list[Answer]:
    """Let each named processor answer the event; one that fails leaves the others alone."""
    event = decode(cause.type, cause.version, cause.raw, where=cause.where)
    progress = _Progress(len(names))
    given = _Given(event, open_blobs(), progress.of_decoding)
    with ThreadPoolExecutor(min(THREADS, len(names))) as threads:
        return list(threads.map(lambda name: _answer(name, event, given, progress.of(name)), names))


def _answer(name: str, event: Event, given: _Given, tell: Report) -> Answer:
    begun = time.perf_counter()
    tell(0.0)
    try:
        events = _events(PROCESSORS[name], event, given, tell)
    except Exception as error:  # told as a fault, with the digest of its traceback
        return Answer(name, _elapsed_ms(begun), fault=fault_of(error))
    else:
        return Answer(name, _elapsed_ms(begun), events)
    finally:
        tell(1.0)
        if allowance_s(event) > _LONG_S:
            give_back()


class _Progress:
    """The share of a task that is done, from the shares of its processors; told when it has risen by a step."""

    def __init__(self, processors: int) -> None:
        self._processors = processors
        self._shares: dict[str, float] = {}
        self._told = -1.0
        self._lock = threading.Lock()

    def of(self, name: str) -> Report:
        """What hears how far a processor is."""
        return partial(self._tell, name)

    def of_decoding(self, share: float) -> None:
        """Hear how far the decoder is, which counts as a part of the first processor's work."""
        self._tell("", share * _DECODING_SHARE)

    def _tell(self, name: str, share: float) -> None:
        with self._lock:
            self._shares[name] = share
            done = min(1.0, sum(self._shares.values()) / self._processors)
            if done < self._told + _WORTH_TELLING and not done == 1 > self._told:
                return
            self._told = done
        report(done)


class _Given:
    """What handlers want, by annotation; the sound is decoded when the first of them wants it, and never again."""

    def __init__(self, event: Event, blobs: Blobs, tell: Report) -> None:
        self._event = event
        self._blobs = blobs
        self._tell = tell
        self._lock = threading.Lock()
        self._signal: Signal | Exception | None = None

    def of(self, kind: Any, tell: Report) -> Any:  # Any: a type, or the alias Report
        """One of them; `tell` is for who wants to report."""
        if kind is Blobs:
            return self._blobs
        return self._decoded() if kind is Signal else tell

    def _decoded(self) -> Signal:
        with self._lock:
            if self._signal is None:
                try:
                    self._signal = self._decode()
                except Exception as error:  # every other handler would meet the same
                    self._signal = error
        if isinstance(self._signal, Exception):
            raise self._signal
        return self._signal

    def _decode(self) -> Signal:
        assert isinstance(self._event, AudioAdded)  # noqa: S101  # only audio has a signal
        path = self._blobs.path(self._event.content.sha256)
        return Signal(decode_audio(path, folder=path.parent, tell=self._tell), folder=path.parent)


def fault_of(error: Exception) -> Fault:
    """Describe an error so that it can be told, and told apart, without its objects."""
    trace = "".join(traceback.format_exception(error))
    digest = hashlib.sha256(trace.encode()).hexdigest()[:16]
    if isinstance(error, DiscoError):
        away = isinstance(error, Unavailable) and "retry_s" in error.details
        return Fault(error.code, error.message, digest, not error.retryable, trace, away)
    if isinstance(error, MemoryError):
        return Fault(LimitExceeded.code, "the worker's memory limit was reached", digest, True, trace)
    return Fault("internal", f"{type(error).__name__}: {error}", digest, False, trace)


def outcome_of(future: Future[list[Answer]]) -> tuple[list[Answer], Fault | None]:
    """The answers, or the fault of the task as a whole. Raises: CancelledError."""
    try:
        return future.result(), None
    except CancelledError:
        raise
    except Exception as error:  # told as a fault
        return [], fault_of(error)


def _events(processor: Processor, event: Event, given: _Given, tell: Report) -> tuple[Event, ...]:
    outcome = processor.handle(event, *(given.of(kind, tell) for kind in wants(processor)))
    return (outcome,) if isinstance(outcome, Event) else tuple(outcome)


def _elapsed_ms(begun: float) -> int:
    return max(1, round((time.perf_counter() - begun) * 1000))


@dataclass(frozen=True, slots=True)
class Taken:
    """A file that was taken in: its content in the blob store, what it is, and the lyrics that came with it.

    refused: what was wrong with the lyrics beside it, which were left.
    """

    content: Blob
    probed: Probe
    lyrics: Blob | None = None
    refused: str = ""


def take_in(open_blobs: OpenBlobs, path: Path, name: str, lyrics: Path | None = None) -> Taken:
    """Copy a file, known as `name`, into the blob store and check all of it; a bad file leaves nothing behind.

    lyrics: a file of them, which comes before those embedded.
    Raises: Malformed, Unsupported, LimitExceeded, NotFound.
    """
    blobs = open_blobs()
    with blobs.staged(path) as staged:
        probed = probe(staged.path, name=name)
        text, refused = _lyrics(staged.path, probed, lyrics)
        content = staged.keep(probed.media_type)
        return Taken(content, probed, blobs.put(text.encode(), LYRICS) if text else None, refused)


def _lyrics(path: Path, probed: Probe, beside: Path | None) -> tuple[str, str]:
    """The lyrics of audio, none of anything else, and what is wrong with those beside it."""
    if probed.variant != "audio":
        return "", ""
    if beside is None:
        return embedded(path), ""
    try:
        return read_lyrics(beside) or embedded(path), ""
    except DiscoError as error:
        return embedded(path), error.message


def look_at(open_blobs: OpenBlobs, sha256: str, file_name: str) -> Taken:
    """Check a blob that was uploaded under a name. Raises: as `take_in`."""
    blobs = open_blobs()
    probed = probe(blobs.path(sha256), name=file_name)
    content = Blob(sha256=sha256, size_bytes=blobs.size(sha256), media_type=probed.media_type)
    text, _ = _lyrics(blobs.path(sha256), probed, None)
    return Taken(content, probed, blobs.put(text.encode(), LYRICS) if text else None)
