"""Answering events: the processors that want one are run by the workers, and what comes of it is recorded.

A task that fails is tried again after a pause, then given up as ProcessingFailed; for a store that is away it waits.
Ids of answers follow from their cause: an event that is taken twice, by two processes at once even, is answered once.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import CancelledError, Future
from dataclasses import dataclass, field, replace

import structlog

from domain import ids
from domain.errors import DiscoError, NotFound
from domain.ids import EventId
from domain.ports import Clock, EventLog, Progress
from domain.tracing import Spans
from events.base import Event
from events.envelope import Proposed, Recorded, processor_source
from events.processing import ProcessingFailed, RepeatRequested, ReprocessingRequested, RetryRequested
from infra.forecast import Forecast
from infra.pool import WorkerPool
from infra.reprocessing import Planner
from infra.tasks import Answer, Cause, Fault, OpenBlobs, allowance_s, answer, fault_of, outcome_of
from infra.tracing import OFF, tell_answered
from infra.wiring import CONSUMERS, PROCESSORS

ATTEMPTS = 3
BACKOFF_S = (0.2, 1.0)
AWAY_S = (1.0, 2.0, 5.0)  # of work that waits for a store; the last of them again and again
ACTOR = "disco"

log_ = structlog.get_logger("processing")


@dataclass(eq=False, slots=True)
class _Task:
    """All that one event asks for: pieces of work still to be answered, and a future that tells when they are."""

    left: int
    halts: int
    began_us: int
    done: Future[None] = field(default_factory=Future)


@dataclass(eq=False, slots=True)
class _Work:
    """One event and the processors to answer it; `trigger` is what asked for it, the event itself or a retry."""

    event: Recorded
    trigger: Recorded
    processors: tuple[str, ...]
    task: _Task
    attempt: int = 1
    pause_s: float = 0.0
    waits: int = 0  # how often in a row it was put off because a store is away


class Processing:
    """Answers events in the workers, several at once."""

    def __init__(
        self,
        log: EventLog,
        pool: WorkerPool,
        clock: Clock,
        *,
        open_blobs: OpenBlobs,
        in_flight: int,
        timeout_s: float,
        report: Callable[[Progress], None],
        forecast: Forecast,
        spans: Spans = OFF,
    ) -> None:
        self._spans = spans
        self._log = log
        self._pool = pool
        self._clock = clock
        self._open_blobs = open_blobs
        self._most = in_flight
        self._timeout_s = timeout_s
        self._report = report
        self._forecast = forecast
        self._running = 0
        self._halts = 0
        self._at_hand: set[tuple[str, str]] = set()
        self._waiting: dict[_Work, threading.Timer] = {}
        self._changed = threading.Condition()
        self._planner = Planner(log, clock, self._unanswered)

    def take(self, event: Recorded, wanted: Sequence[str], stop: threading.Event) -> Future[None] | None:
        """Begin what is still to be done about an event by these processors; None where nothing is.

        wanted: those that the event is `asked` of and that have not come past it.
        Waits while enough is under way or waits for a store. The future is done when every answer, or failure, is in
        the log; it is cancelled where the work was broken off, or `stop` was set before it began.
        """
        if event.type == ReprocessingRequested.TYPE:
            return None if self._planner.plan(event, self._at_hand, stop) else _broken_off()
        todo = self._todo(event, wanted)
        if todo is None:
            return None
        cause, processors = todo
        with self._changed:
            while self._at_work() >= self._most and not stop.is_set():
                self._changed.wait(0.1)
            if stop.is_set():
                return _broken_off()
            task = _Task(1, self._halts, self._spans.now_us())
            pieces = {(str(cause.id), name) for name in processors}
            self._at_hand |= pieces
            task.done.add_done_callback(lambda _: self._at_hand.difference_update(pieces))
            self._submit(_Work(cause, event, processors, task))
        return task.done

    def halt(self) -> None:
        """Wait for the answers under way; what waits for another attempt is broken off."""
        with self._changed:
            self._halts += 1
            for work, timer in self._waiting.items():
                timer.cancel()
                work.task.done.cancel()
            self._waiting.clear()
            while self._running:
                self._changed.wait(0.1)

    def _at_work(self) -> int:
        return self._running + len({work.task for work in self._waiting if work.waits})

    # What is to be done

    def _todo(self, event: Recorded, wanted: Sequence[str]) -> tuple[Recorded, tuple[str, ...]] | None:
        """The event to answer, and by which processors."""
        if event.type == RetryRequested.TYPE:
            return self._retried(event) if wanted else None
        if event.type == RepeatRequested.TYPE:
            return self._repeated(event, wanted)
        todo = self._unanswered(event, wanted)
        return (event, todo) if todo else None

    def _retried(self, event: Recorded) -> tuple[Recorded, tuple[str, ...]] | None:
        data = event.data
        assert isinstance(data, RetryRequested)  # noqa: S101  # its type says so
        cause = self._find(EventId(data.cause_id), event)
        if cause is None or data.processor not in PROCESSORS:
            why = "the event it failed on is not in the log" if cause is None else "there is no such processor any more"
            self._refuse_retry(event, data, why)
            return None
        answer, failure = _output_id(cause, data.processor, 0), _failure_id(event, data.processor)
        if self._log.places([answer]) or self._log.places([answer, failure], subject=event.subject):
            return None
        return cause, (data.processor,)

    def _repeated(self, event: Recorded, wanted: Sequence[str]) -> tuple[Recorded, tuple[str, ...]] | None:
        data = event.data
        assert isinstance(data, RepeatRequested)  # noqa: S101  # its type says so
        cause = self._find(EventId(data.cause_id), event)
        if cause is None:
            return None
        todo = self._unanswered(cause, [name for name in wanted if name in PROCESSORS], trigger=event)
        return (cause, todo) if todo else None

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
        id, name = _failure_id(event, data.processor), data.processor
        self._append([self._proposal(event, event, failed, id, name, event.id, None)], event, self._spans.now_us(), 0)

    def _find(self, id: EventId, near: Recorded) -> Recorded | None:
        places = self._log.places([id]) or self._log.places([id], subject=near.subject)
        return self._log.at([places[id]])[places[id]] if id in places else None

    def _unanswered(
        self, event: Recorded, processors: Sequence[str], *, trigger: Recorded | None = None
    ) -> tuple[str, ...]:
        """Those processors whose answer to this very event, or failure when `trigger` asked for it, is not in the log.

        trigger: the event itself by default.
        """
        if not processors:
            return ()
        answers = {_output_id(event, name, 0): name for name in processors}
        failures = {_failure_id(trigger or event, name): name for name in processors}
        found = self._log.places(list(answers)) | self._log.places([*answers, *failures], subject=event.subject)
        done = {(answers | failures)[id] for id in found}
        return tuple(name for name in processors if name not in done)

    # Doing it

    def _submit(self, work: _Work) -> None:
        """Hand work to the pool."""
        event = work.event
        cause = Cause(event.type, event.version, event.raw, f"position {event.position}")
        future = self._pool.submit(
            answer,
            self._open_blobs,
            work.processors,
            cause,
            timeout_s=self._timeout_s + allowance_s(event.data),
            on_progress=lambda share: self._tell(work, share, 0),
        )
        self._running += 1
        future.add_done_callback(lambda done: self._answered(work, done))

    def _tell(self, work: _Work, share: object, failed: int) -> None:
        part = share if isinstance(share, int | float) else 0.0
        job, pieces, step = work.trigger.correlation, len(work.processors), ", ".join(work.processors)
        try:
            eta_s = self._forecast.eta_s(job, work, part * pieces)
            done = round(1000 * part)
            self._report(Progress(job, work.event.subject, step, done, 1000, failed, eta_s, pieces))
        except Exception as error:  # what is told of the work must not stop it
            log_.error("progress_not_told", job=job, error=repr(error))

    def _answered(self, work: _Work, future: Future[list[Answer]]) -> None:
        """Record what came back; called in a thread of the pool."""
        again: list[_Work] = []
        try:
            answers, fault = outcome_of(future)
            if fault is not None:
                again = self._after_task_fault(work, fault)
            again += self._until_back(work, [item.processor for item in answers if item.fault and item.fault.away])
            for item in answers:
                if item.fault is not None and not item.fault.away:
                    again += self._after_fault(work, (item.processor,), item.fault)
            self._record(work, [item for item in answers if item.fault is None])
        except CancelledError:
            work.task.done.cancel()
        except Exception as error:  # the answer could not be written
            log_.error("answer_not_recorded", position=work.trigger.position, error=str(error))
            again = self._after_refusal(work, error)
        finally:
            left = sum(len(other.processors) for other in again)
            self._forecast.ended(work.trigger.correlation, work, len(work.processors) - left)
            self._settle(work.task, again)

    def _settle(self, task: _Task, again: Sequence[_Work]) -> None:
        """One piece of work has ended, and these come of it."""
        with self._changed:
            self._running -= 1
            task.left += len(again) - 1
            finished = task.left == 0
            for work in again:
                self._wait(work)
            self._changed.notify_all()
        if finished and not task.done.cancelled():
            task.done.set_result(None)

    def _wait(self, work: _Work) -> None:
        """Begin work after its pause; what was broken off meanwhile is left."""
        if work.task.halts != self._halts:
            work.task.done.cancel()
            return
        timer = self._waiting[work] = threading.Timer(work.pause_s, self._resubmit, (work,))
        timer.daemon = True
        timer.start()

    def _resubmit(self, work: _Work) -> None:
        with self._changed:
            if self._waiting.pop(work, None) is not None:
                self._submit(work)

    def _after_task_fault(self, work: _Work, fault: Fault) -> list[_Work]:
        """A task that failed as a whole says nothing about which processor is to blame: let each try on its own."""
        if fault.away:
            return self._until_back(work, work.processors)
        if len(work.processors) == 1:
            return self._after_fault(work, work.processors, fault)
        return [_Work(work.event, work.trigger, (name,), work.task, work.attempt) for name in work.processors]

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

    def _until_back(self, work: _Work, processors: Sequence[str]) -> list[_Work]:
        """Do the work again, as often as it takes, when a store may be back; its processors stay together."""
        if processors and not work.waits:
            log_.warning("waits_for_store", processors=processors, position=work.trigger.position)
        later = replace(work, processors=tuple(processors), pause_s=AWAY_S[: work.waits + 1][-1], waits=work.waits + 1)
        return [later] if processors else []

    def _later(self, work: _Work, processors: tuple[str, ...], attempt: int) -> _Work:
        pause_s = BACKOFF_S[min(attempt, len(BACKOFF_S)) - 1]
        return _Work(work.event, work.trigger, processors, work.task, attempt, pause_s)

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
        proposal = self._proposal(
            work.event, work.trigger, failed, _failure_id(work.trigger, name), name, work.trigger.id, None
        )
        self._append([proposal], work.trigger, work.task.began_us, work.attempt)
        self._tell(work, 1, 1)

    def _record(self, work: _Work, answers: Sequence[Answer]) -> None:
        proposals = [
            self._proposal(
                work.event,
                work.trigger,
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
            self._append(proposals, work.trigger, work.task.began_us, work.attempt)
            self._tell(work, 1, 0)

    def _append(self, answers: Sequence[Proposed], trigger: Recorded, began_us: int, attempts: int) -> None:
        if self._log.append(answers).written and self._spans.on:
            tell_answered(self._spans, answers, trigger, began_us=began_us, attempts=attempts)

    def _proposal(
        self,
        cause: Recorded,
        trigger: Recorded,
        event: Event,
        id: EventId,
        name: str,
        causation: EventId,
        duration_ms: int | None,
        index: int = 0,
    ) -> Proposed:
        return Proposed(
            id=id,
            project=cause.project,
            data=event,
            time_us=self._clock.now_us(),
            source=processor_source(name, _version(name), index),
            actor=ACTOR,
            correlation=trigger.correlation,
            causation=causation,
            duration_ms=duration_ms,
        )


def asked(event: Recorded) -> tuple[str, ...]:
    """The processors that are asked to answer: those that consume the event, or those that a request names."""
    match event.data if event.type in (RetryRequested.TYPE, RepeatRequested.TYPE) else None:
        case RetryRequested(processor=name):
            return (name,)
        case RepeatRequested(processors=names):
            return names
        case _:
            return CONSUMERS.get(event.type, ())


def _broken_off() -> Future[None]:
    future: Future[None] = Future()
    future.cancel()
    return future


def _output_id(event: Recorded, name: str, index: int) -> EventId:
    return ids.output_id(event.id, name, _version(name), index)


def _failure_id(trigger: Recorded, name: str) -> EventId:
    return EventId(ids.derived("failed", trigger.id, name, _version(name)))


def _version(name: str) -> str:
    return PROCESSORS[name].version if name in PROCESSORS else "0"
