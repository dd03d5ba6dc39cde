"""Processors that do next to nothing, in threads: what is left is the log, the views and the runner.

They answer in the shapes of the real ones: findings, blobs, assets made of assets, answers of several events, failures
that are final and failures that come right at the third attempt or never.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from importlib import import_module
from typing import Any

from domain import ids
from domain.errors import Malformed
from domain.ids import ProjectId
from domain.ports import Blobs
from domain.values import AudioFacts
from events.analyses import AudioDescribed, EmbeddingComputed, NotesDescribed, SilenceFound, WaveformDrawn
from events.base import Event
from events.catalogue import EVENT_TYPES
from events.generations import AudioRendered
from events.imports import AudioAdded, NotesAdded
from processors.handler import Processor, consumes, processor
from tests import payloads

_tried: Counter[str] = Counter()


@processor("1")
def weigh(event: AudioAdded, blobs: Blobs) -> AudioDescribed:
    """Say how many bytes there are."""
    found = payloads.findings(event.asset_id)["levels"]
    return AudioDescribed(**{**found.model_dump(), "duration_s": blobs.size(event.content.sha256) / 1000})


@processor("1")
def sketch(event: AudioAdded, blobs: Blobs) -> WaveformDrawn:
    """Store a blob."""
    pyramid = blobs.put(f"sketch of {event.asset_id}".encode(), "application/x-npz")
    return WaveformDrawn(asset_id=event.asset_id, pyramid=pyramid, levels=1, samples_per_bin=256)


@processor("1")
def place(event: AudioAdded) -> EmbeddingComputed:
    """Place it among the others."""
    seed = int(event.content.sha256[:8], 16)
    return EmbeddingComputed(asset_id=event.asset_id, space="s", dimensions=128, vector=payloads.vector(seed))


@processor("1")
def stumble(event: AudioAdded) -> SilenceFound:
    """Refuse an eighth of all content for good; fail at another eighth twice, at another always."""
    kind = int(event.content.sha256[0], 16)
    _tried[event.asset_id] += 1
    if kind < 2:
        raise Malformed("this one never works")
    if kind < 4 or (kind < 6 and _tried[event.asset_id] < 3):
        raise ValueError("not now")
    return payloads.findings(event.asset_id)["silence"]  # type: ignore[return-value]  # it is


@processor("1")
def count(event: NotesAdded) -> NotesDescribed:
    """Count nothing."""
    return payloads.findings(event.asset_id)["notes"]  # type: ignore[return-value]  # it is


@processor("1")
def play(event: NotesAdded, blobs: Blobs) -> list[Event]:
    """Make two assets of one."""
    made: list[Event] = []
    for take in (1, 2):
        content = blobs.put(f"take {take} of {event.asset_id}".encode(), "audio/flac")
        made.append(
            AudioRendered(
                asset_id=ids.asset_id(ProjectId(event.project_id), content.sha256),
                project_id=event.project_id,
                container_id=event.container_id,
                name=f"take {take}",
                content=content,
                facts=AudioFacts(container="flac", encoding="pcm_16", rate_hz=44_100, channels=2, frames=4410),
                source_id=event.asset_id,
                model_version_id=payloads.MODEL,
            )
        )
    return made


CHEAP: tuple[Processor, ...] = (weigh, sketch, place, stumble, count, play)

HOLDERS = ("infra.base", "infra.processing", "infra.reprocessing", "infra.tasks")
HOLDERS_OF = {
    "embedded": ("infra.disco", "infra.runner"),
    "server": ("infra.server.disco", "infra.server.pending", "infra.server.worker"),
}
"""The modules that hold the processors there are, or the pool."""


class ThreadPool:
    """As `WorkerPool`, in threads of this process."""

    def __init__(self, size: int, **_: object) -> None:
        self._threads = ThreadPoolExecutor(size)
        self._lock = threading.Lock()

    def submit(self, function: Callable[..., Any], *args: object, **_: object) -> Future[Any]:
        """See `WorkerPool.submit`."""
        return self._threads.submit(function, *args)

    def warm(self, *modules: str, count: int | None = None) -> None:
        """Nothing to warm."""

    def pids(self) -> list[int]:
        """No processes."""
        return []

    def busy(self) -> int:
        """No processes."""
        return 0

    def close(self, *, kill: bool = False) -> None:
        """See `WorkerPool.close`."""
        self._threads.shutdown(cancel_futures=True)


def install(
    put: Callable[[object, str, object], None] = setattr,
    handlers: tuple[Processor, ...] = CHEAP,
    profile: str = "embedded",
) -> None:
    """Put the cheap processors and the threads in the place of the real ones, in this process; `put` as setattr."""
    processors = {handler.name: handler for handler in handlers}
    consumers = {
        name: tuple(handler.name for handler in handlers if issubclass(kind, consumes(handler)))
        for name, kind in EVENT_TYPES.items()
    }
    for module in map(import_module, (*HOLDERS, *HOLDERS_OF[profile])):
        for name, value in (("PROCESSORS", processors), ("CONSUMERS", consumers), ("WorkerPool", ThreadPool)):
            if hasattr(module, name):
                put(module, name, value)
