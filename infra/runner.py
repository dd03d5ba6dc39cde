"""The embedded runner: one thread folds events into the views, one hands them to the workers and records the answers.

Only the process that holds the lease runs; another one takes over within a second when the holder ends.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import CancelledError, Future
from dataclasses import dataclass

import structlog

from domain import ids
from domain.errors import DiscoError, NotFound
from domain.ids import EventId
from domain.ports import Clock, EventLog, Progress
from events.base import Event
from events.envelope import Proposed, Recorded, processor_source
from events.processing import ProcessingFailed, RetryRequested
from infra.embedded.checkpoints import Checkpoints
from infra.embedded.lease import Lease
from infra.embedded.views import SqliteViews
from infra.pool import WorkerPool
from infra.tasks import Answer, Cause, Fault, OpenBlobs, answer, fault_of
from infra.wiring import CONSUMERS, PROCESSORS

ATTEMPTS = 3
BACKOFF_S = (0.2, 1.0)
PAGE = 500
LEASE_POLL_S = 0.25
WAIT_S = 1.0
CHECKPOINT_S = 0.5
ACTOR = "disco"

log_ = structlog.get_logger("runner")


@dataclass(eq=False, slots=True)
class _Work:
    """One event and the processors to answer it; `trigger` is what asked for it, the event itself or a retry."""

    event: Recorded
    trigger: Recorded
    processors: tuple[str, ...]
    attempt: int = 1
    not_before: float = 0.0


class Runner:
    """Processes and projects in the background."""

    def __init__(
        self,
        log: EventLog,
        views: SqliteViews,
        pool: WorkerPool,
        clock: Clock,
        checkpoints: Checkpoints,
        lease: Lease,
        *,
        open_blobs: OpenBlobs,
        in_flight: int,
        timeout_s: float,
        report: Callable[[Progress], None],
    ) -> None:
        self._log = log
        self._views = views
        self._pool = pool
        self._clock = clock
        self._checkpoints = checkpoints
        self._lease = lease
        self._open_blobs = open_blobs
        self._most = in_flight
        self._timeout_s = timeout_s
        self._report = report
        self._stop = threading.Event()
        self._open: dict[int, int] = {}  # trigger position -> pieces of work still to be answered
        self._waiting: list[_Work] = []
        self._running = 0
        self._changed = threading.Condition()
        self._threads = [
            threading.Thread(target=self._guarded(self._project), name="projections", daemon=True),
            threading.Thread(target=self._guarded(self._process), name="processors", daemon=True),
        ]

    def start(self) -> None:
        """Begin; returns at once."""
        for thread in self._threads:
            thread.start()

    def ask_to_stop(self) -> None:
        """Have it end after the page or the answers at hand; returns at once."""
        self._stop.set()
        with self._changed:
            self._changed.notify_all()

    def stop(self) -> None:
        """End after the page or the answers at hand; what is not done is done after the next start."""
        self.ask_to_stop()
        for thread in self._threads:
            if thread.is_alive() and thread is not threading.current_thread():
                thread.join()
        self._lease.release()

    @property
    def leads(self) -> bool:
        """Whether this process holds the lease."""
        return self._lease.held

    def _guarded(self, run: Callable[[], None]) -> Callable[[], None]:
        """Run while the lease is held; an error is logged and the work goes on from what is recorded."""

        def guarded() -> None:
            pause = BACKOFF_S[0]
            while not self._stop.is_set():
                if not self._lease_held():
                    self._stop.wait(LEASE_POLL_S)
                    continue
                try:
                    run()
                except Exception as error:  # what fails here is tried again from the last checkpoint
                    code = error.code if isinstance(error, DiscoError) else "internal"
                    log_.error("runner_failed", what=run.__name__.strip("_"), code=code, error=str(error))
                    self._stop.wait(pause)
                    pause = min(pause * 2, 30.0)

        return guarded

    def _lease_held(self) -> bool:
        with self._changed:
            return self._lease.acquire()

    # Projecting

    def _project(self) -> None:
        position = self._views.catch_up(stop=self._stop)
        while not self._stop.is_set():
            self._views.sweep()
            head = self._log.wait(position, WAIT_S)
            if head > position or self._views.unfinished():
                position = self._views.catch_up(stop=self._stop)

    # Processing

    def _process(self) -> None:
        self._drain()
        with self._changed:
            self._open.clear()
            self._waiting.clear()
        positions = self._checkpoints.read(tuple(PROCESSORS))
        read = min(positions.values())
        saved, saved_at = read, time.monotonic()
        while not self._stop.is_set():
            page = self._log.read(read, limit=PAGE)
            for event in page:
                for work in self._works(event, positions):
                    self._admit(work)
                read = event.position
                if self._stop.is_set():
                    break
            done = self._watermark(read)
            if done > saved and (not page or time.monotonic() - saved_at > CHECKPOINT_S):
                self._checkpoints.write(dict.fromkeys(PROCESSORS, done))
                saved, saved_at = done, time.monotonic()
            if not page:
                self._rest(read, busy=done > saved or bool(self._open))
        self._drain()
        self._checkpoints.write(dict.fromkeys(PROCESSORS, self._watermark(read)))

    def _rest(self, read: int, *, busy: bool) -> None:
        """Wait for the next event; while work is under way, look every few milliseconds whether it is done."""
        if self._waiting:
            self._submit_due()
        self._log.wait(read, 0.02 if busy else WAIT_S)

    def _works(self, event: Recorded, positions: dict[str, int]) -> list[_Work]:
        """What is still to be done about an event."""
        if event.type == RetryRequested.TYPE:
            return self._retry_works(event)
        wanted = [name for name in CONSUMERS.get(event.type, ()) if positions[name] < event.position]
        todo = self._unanswered(event, wanted)
        return [_Work(event, event, todo)] if todo else []

    def _retry_works(self, event: Recorded) -> list[_Work]:
        data = event.data
        assert isinstance(data, RetryRequested)  # noqa: S101  # its type says so
        cause = self._find(EventId(data.cause_id), event)
        if cause is None or data.processor not in PROCESSORS:
            why = "the event it failed on is not in the log" if cause is None else "there is no such processor any more"
            self._refuse_retry(event, data, why)
            return []
        answer, failure = _output_id(cause, data.processor, 0), _failure_id(event, data.processor)
        if self._log.places([answer]) or self._log.places([answer, failure], subject=event.subject):
            return []
        return [_Work(cause, event, (data.processor,))]

    def _refuse_retry(self, event: Recorded, data: RetryRequested, why: str) -> None:
        failed = ProcessingFailed(
            cause_id=data.cause_id,
            resource_id=data.resource_id,
            processor=data.processor,
            attempts=0,
            code=NotFound.code,
            message=f"{data.processor} cannot be tried again: {why}",
            traceback_digest="",
        )
        work = _Work(event, event, (data.processor,))
        self._log.append(
            [self._proposal(work, failed, _failure_id(event, data.processor), data.processor, event.id, None)]
        )

    def _find(self, id: EventId, near: Recorded) -> Recorded | None:
        places = self._log.places([id]) or self._log.places([id], subject=near.subject)
        return self._log.at([places[id]])[places[id]] if id in places else None

    def _unanswered(self, event: Recorded, processors: Sequence[str]) -> tuple[str, ...]:
        """Those processors whose answer, or failure, to this very event is not in the log."""
        if not processors:
            return ()
        answers = {_output_id(event, name, 0): name for name in processors}
        failures = {_failure_id(event, name): name for name in processors}
        found = self._log.places(list(answers)) | self._log.places([*answers, *failures], subject=event.subject)
        done = {(answers | failures)[id] for id in found}
        return tuple(name for name in processors if name not in done)

    def _admit(self, work: _Work) -> None:
        """Hand work to the pool, waiting while enough is under way."""
        with self._changed:
            while self._running >= self._most and not self._stop.is_set():
                self._changed.wait(0.1)
                self._submit_due_locked()
            self._open[work.trigger.position] = self._open.get(work.trigger.position, 0) + 1
            self._submit(work)

    def _submit_due(self) -> None:
        with self._changed:
            self._submit_due_locked()

    def _submit_due_locked(self) -> None:
        now = time.monotonic()
        due = [work for work in self._waiting if work.not_before <= now]
        self._waiting = [work for work in self._waiting if work.not_before > now]
        for work in due:
            self._submit(work)

    def _submit(self, work: _Work) -> None:
        event = work.event
        cause = Cause(event.type, event.version, event.raw, f"position {event.position}")
        future = self._pool.submit(
            answer,
            self._open_blobs,
            work.processors,
            cause,
            timeout_s=self._timeout_s,
            on_progress=lambda share: self._tell(work, share, 0),
        )
        self._running += 1
        future.add_done_callback(lambda done: self._answered(work, done))

    def _tell(self, work: _Work, share: object, failed: int) -> None:
        done = round(1000 * share) if isinstance(share, int | float) else 0
        step = ", ".join(work.processors)
        self._report(Progress(work.trigger.correlation, work.event.subject, step, done, 1000, failed))

    def _answered(self, work: _Work, future: Future[list[Answer]]) -> None:
        """Record what came back; called in a thread of the pool."""
        again: list[_Work] = []
        try:
            answers, fault = _outcome(future)
            if fault is not None:
                again = self._after_task_fault(work, fault)
            for item in answers:
                if item.fault is not None:
                    again += self._after_fault(work, (item.processor,), item.fault)
            self._record(work, [item for item in answers if item.fault is None])
        except CancelledError:
            return
        except Exception as error:  # the answer could not be written
            log_.error("answer_not_recorded", position=work.trigger.position, error=str(error))
            again = self._after_refusal(work, error)
        finally:
            with self._changed:
                self._running -= 1
                self._waiting += again
                self._settle(work, len(again))
                self._changed.notify_all()

    def _settle(self, work: _Work, again: int) -> None:
        position = work.trigger.position
        left = self._open.get(position, 1) - 1 + again
        if left > 0:
            self._open[position] = left
        else:
            self._open.pop(position, None)

    def _after_task_fault(self, work: _Work, fault: Fault) -> list[_Work]:
        """A task that failed as a whole says nothing about which processor is to blame: let each try on its own."""
        if len(work.processors) == 1:
            return self._after_fault(work, work.processors, fault)
        return [_Work(work.event, work.trigger, (name,), work.attempt) for name in work.processors]

    def _after_refusal(self, work: _Work, error: Exception) -> list[_Work]:
        """Do the work again until the log can be written; give up on an answer that the log will never take."""
        if isinstance(error, DiscoError) and not error.retryable:
            try:
                return self._after_task_fault(work, fault_of(error))
            except Exception as another:  # not even the failure can be written now
                log_.error("failure_not_recorded", position=work.trigger.position, error=str(another))
        return [self._later(work, (name,), work.attempt) for name in work.processors]

    def _after_fault(self, work: _Work, processors: tuple[str, ...], fault: Fault) -> list[_Work]:
        """Try again later, each processor on its own, or give up on what will not come right."""
        if not fault.final and work.attempt < ATTEMPTS:
            return [self._later(work, (name,), work.attempt + 1) for name in processors]
        for name in processors:
            self._give_up(work, name, fault)
        return []

    def _later(self, work: _Work, processors: tuple[str, ...], attempt: int) -> _Work:
        pause = BACKOFF_S[min(attempt, len(BACKOFF_S)) - 1]
        return _Work(work.event, work.trigger, processors, attempt, time.monotonic() + pause)

    def _give_up(self, work: _Work, name: str, fault: Fault) -> None:
        place = work.trigger.position
        log_.warning("gave_up", processor=name, position=place, code=fault.code, digest=fault.digest, trace=fault.trace)
        failed = ProcessingFailed(
            cause_id=work.event.id,
            resource_id=work.event.subject,
            processor=name,
            attempts=work.attempt,
            code=fault.code,
            message=fault.message,
            traceback_digest=fault.digest,
        )
        proposal = self._proposal(work, failed, _failure_id(work.trigger, name), name, work.trigger.id, None)
        self._log.append([proposal])
        self._tell(work, 1, 1)

    def _record(self, work: _Work, answers: Sequence[Answer]) -> None:
        proposals = [
            self._proposal(
                work,
                event,
                _output_id(work.event, item.processor, index),
                item.processor,
                work.event.id,
                item.duration_ms if index == 0 else None,
                index,
            )
            for item in answers
            for index, event in enumerate(item.events)
        ]
        if proposals:
            self._log.append(proposals)
            self._tell(work, 1, 0)

    def _proposal(
        self,
        work: _Work,
        event: Event,
        id: EventId,
        name: str,
        causation: EventId,
        duration_ms: int | None,
        index: int = 0,
    ) -> Proposed:
        return Proposed(
            id=id,
            project=work.event.project,
            data=event,
            time_us=self._clock.now_us(),
            source=processor_source(name, _version(name), index),
            actor=ACTOR,
            correlation=work.trigger.correlation,
            causation=causation,
            duration_ms=duration_ms,
        )

    def _watermark(self, read: int) -> int:
        """The position up to which everything is answered."""
        with self._changed:
            return min(self._open, default=read + 1) - 1

    def _drain(self) -> None:
        """Wait for the answers under way; what waits for another attempt is left to the next start."""
        with self._changed:
            while self._running:
                self._changed.wait(0.1)


def _output_id(event: Recorded, name: str, index: int) -> EventId:
    return ids.output_id(event.id, name, _version(name), index)


def _failure_id(trigger: Recorded, name: str) -> EventId:
    return EventId(ids.derived("failed", trigger.id, name, _version(name)))


def _version(name: str) -> str:
    return PROCESSORS[name].version if name in PROCESSORS else "0"


def _outcome(future: Future[list[Answer]]) -> tuple[list[Answer], Fault | None]:
    """The answers, or the fault of the task as a whole."""
    try:
        return future.result(), None
    except CancelledError:
        raise
    except Exception as error:  # told as a fault
        return [], fault_of(error)
