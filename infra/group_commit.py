"""Appends of many threads committed together: one transaction, one flush to disk, each request atomic on its own."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from domain.errors import Conflict, DiscoError, Malformed, Unavailable
from domain.ids import EventId, ProjectId, ResourceId
from domain.ports import Appended
from domain.tracing import Spans
from events.envelope import Proposed
from infra.event_rows import Ready, Row, ready, row_of
from infra.tracing import OFF, tell_appended

GROUP_EVENTS = 20_000
GATHER_S = 0.0005


class Clash(Exception):
    """An id of the group is in the log already; nothing of it was written."""


def _taken() -> threading.Lock:
    lock = threading.Lock()
    lock.acquire()
    return lock


@dataclass(eq=False, slots=True)
class Request:
    """One append on its way."""

    project: ProjectId
    events: list[Ready]
    expected: Mapping[ResourceId, int]
    turn: threading.Lock = field(default_factory=_taken)
    answer: Appended | None = None
    error: BaseException | None = None
    abandoned: bool = False


Write = Callable[[Sequence[Request], bool], Sequence[Appended | DiscoError]]
"""Writes a group in one transaction and answers each request; raises Clash where an id was there already.

The flag asks to look first which events are there, to answer those instead of writing them again.
"""


class GroupCommit:
    """Whoever stands first in the queue commits for those behind, then wakes the next.

    write: see `Write`; forget: called where a transaction came to nothing; spans: told of every event written.
    """

    def __init__(self, write: Write, forget: Callable[[], None], spans: Spans = OFF) -> None:
        self._spans = spans
        self._write = write
        self._forget = forget
        self._queue: deque[Request] = deque()
        self._queue_lock = threading.Lock()
        self._last_group = 1

    def append(self, events: Sequence[Proposed], expected: Mapping[ResourceId, int] | None) -> Appended:
        """See `EventLog.append`."""
        if not events:
            raise Malformed("an append needs at least one event", field="events")
        if any(event.project != events[0].project for event in events):
            raise Malformed("the events of one append belong to one project", field="project")
        began_us = self._spans.now_us()
        request = Request(events[0].project, [ready(event) for event in events], expected or {})
        with self._queue_lock:
            self._queue.append(request)
            leads = self._queue[0] is request
        if not leads:
            self._follow(request)
        if request.answer is None and request.error is None:
            self._lead()
        if request.error is not None:
            raise request.error
        assert request.answer is not None  # noqa: S101  # a group's leader answers every request in it
        if self._spans.on and request.answer.written:
            tell_appended(self._spans, events, request.answer.positions, began_us)
        return request.answer

    def _follow(self, request: Request) -> None:
        """Wait until a leader has committed the request, or its turn to lead has come."""
        try:
            request.turn.acquire()
        except BaseException:  # interrupted: whoever stands behind must not wait for a thread that is gone
            with self._queue_lock:
                request.abandoned = True
                leads = bool(self._queue) and self._queue[0] is request
            if leads:
                self._lead()
            raise

    def _lead(self) -> None:
        self._let_gather()
        with self._queue_lock:
            group = self._group()
        self._last_group = len(group)
        self._commit(group)
        with self._queue_lock:
            for _ in group:
                self._queue.popleft()
            while self._queue and self._queue[0].abandoned:
                self._queue.popleft()
            following = self._queue[0] if self._queue else None
        for request in (*group, following):
            if request is not None:
                request.turn.release()

    def _let_gather(self) -> None:
        """Give the writers that the last commit has woken a moment to come back: a lone writer never waits."""
        end = time.perf_counter() + GATHER_S
        while len(self._queue) < self._last_group and time.perf_counter() < end:
            time.sleep(GATHER_S / 10)

    def _group(self) -> list[Request]:
        group: list[Request] = []
        size = 0
        for request in self._queue:
            size += len(request.events)
            if group and size > GROUP_EVENTS:
                break
            group.append(request)
        return group

    def _commit(self, group: list[Request]) -> None:
        try:
            self._answer(group, probe=False)
        except Clash:
            self._forget()
            self._retry(group)
        except BaseException as error:  # told to every caller in the group, none of whose events was written
            self._fail(group, error)

    def _retry(self, group: list[Request]) -> None:
        try:
            self._answer(group, probe=True)
        except Clash as error:
            self._forget()
            if len(group) > 1:
                for request in group:
                    self._retry([request])
                return
            group[0].error = Malformed("an event's id is in use for an event about something else", field="id")
            group[0].error.__cause__ = error
        except BaseException as error:  # as in _commit
            self._fail(group, error)

    def _answer(self, group: list[Request], *, probe: bool) -> None:
        for request, answer in zip(group, self._write(group, probe), strict=True):
            if isinstance(answer, Appended):
                request.answer = answer
            else:
                request.error = answer

    def _fail(self, group: list[Request], error: BaseException) -> None:
        self._forget()
        for request in group:
            request.error = _told(error, own=request is group[0])


def _told(error: BaseException, *, own: bool) -> BaseException:
    """The error as a writer hears of it: that its leader was interrupted is not its own interruption."""
    return error if own or isinstance(error, Exception) else Unavailable("the write was interrupted; try again")


Places = dict[EventId, tuple[int, int]]
"""Id -> position and sequence."""


@dataclass(slots=True)
class Next:
    """The next position in the log, and the next sequence of each project that is written to."""

    position: int
    sequences: dict[ProjectId, int]

    def place(self, request: Request, known: Places | None, rows: list[Row]) -> Appended:
        """Give the events that are not known their places, and add their rows; None: taken to be new, and different."""
        position, sequence = self.position, self.sequences[request.project]
        events = request.events
        if known is None:
            count = len(events)
            rows += [row_of(position + at, sequence + at, event) for at, event in enumerate(events)]
            self.position, self.sequences[request.project] = position + count, sequence + count
            positions, sequences = range(position, position + count), range(sequence, sequence + count)
            return Appended(request.project, tuple(positions), tuple(sequences), count)
        first = position
        for event in events:
            if event[0] not in known:
                rows.append(row_of(position, sequence, event))
                known[event[0]] = (position, sequence)
                position += 1
                sequence += 1
        self.position, self.sequences[request.project] = position, sequence
        places = [known[event[0]] for event in events]
        return Appended(request.project, tuple(p for p, _ in places), tuple(s for _, s in places), position - first)


def check_expected(request: Request, known: Places, heads: Callable[[ResourceId], int]) -> None:
    """Raise Conflict where the request's grounds have changed; one whose events are all known rests on nothing."""
    if all(event[0] in known for event in request.events):
        return
    for subject, version in request.expected.items():
        current = heads(subject)
        if current != version:
            message = f"{subject} is at {current}, the decision was made at {version}; decide anew"
            raise Conflict(message, current=current, id=subject)


def check_project(id: EventId, project: bytes, found: bytes) -> None:
    """Raise Malformed for an id that is in use in another project."""
    if project != found:
        raise Malformed(f"the id {id} is in use for an event of another project", id=id)
