"""Reprocessing: what a request for a project comes to, event by event, told in the log before it is done.

Everything before the request has been taken when the request is: what processors have not answered in their current
version, and are not answering now, is asked for anew. What a processor in an older version gave up on is tried again;
what it gave up on in the current version waits for somebody to retry it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Container, Iterator, Sequence
from dataclasses import dataclass, field

from domain import ids
from domain.errors import Conflict
from domain.ids import EventId, ResourceId
from domain.ports import Clock, EventLog, Selection
from events.base import Event
from events.envelope import Proposed, Recorded, processor_source
from events.processing import (
    ProcessingFailed,
    RepeatRequested,
    ReprocessingPlanned,
    ReprocessingRequested,
    RetryRequested,
)
from infra.wiring import CONSUMERS, PROCESSORS

PAGE = 100
ATTEMPTS = 5
SOURCE = "/reprocessing"
ACTOR = "disco"

Unanswered = Callable[[Recorded, Sequence[str]], Sequence[str]]
"""Those of the processors whose answer to an event, or failure at it, in the current version is not in the log."""
AtHand = Container[tuple[str, str]]
"""The pairs (event, processor) that are being answered now."""


@dataclass(slots=True)
class _Plan:
    """What a stretch of events comes to; `heads` are what that was decided from."""

    events: list[Proposed] = field(default_factory=list)
    heads: dict[ResourceId, int] = field(default_factory=dict)
    causes: int = 0
    answers: int = 0


@dataclass(slots=True)
class _About:
    """What the log tells of one event's processing: what is asked for since the request, and standing failures.

    own: what this very request has asked for, before it was broken off.
    """

    asked: set[str] = field(default_factory=set)
    own: set[str] = field(default_factory=set)
    given_up: set[str] = field(default_factory=set)
    failures: dict[str, str] = field(default_factory=dict)
    head: int = 0


class Planner:
    """Turns requests to reprocess into requests to repeat, and to retry."""

    def __init__(self, log: EventLog, clock: Clock, unanswered: Unanswered) -> None:
        self._log = log
        self._clock = clock
        self._unanswered = unanswered

    def plan(self, request: Recorded, at_hand: AtHand, stop: threading.Event) -> bool:
        """Ask for all that the request comes to; False where `stop` was set before the end.

        What was asked for before, when it was broken off, is not asked for again. Raises: Conflict, Unavailable.
        """
        planned = _id("planned", request.id)
        if self._log.places([planned]):
            return True
        causes = answers = 0
        for page in self._pages(request):
            if stop.is_set():
                return False
            plan = self._append(request, page, at_hand)
            causes, answers = causes + plan.causes, answers + plan.answers
        told = ReprocessingPlanned(project_id=request.project, request_id=request.id, causes=causes, answers=answers)
        self._log.append([self._proposed(request, told, planned)])
        return True

    def _pages(self, request: Recorded) -> Iterator[list[Recorded]]:
        """The events before the request that its processors answer, some at a time."""
        types = tuple(kind for kind in CONSUMERS if _wanted(request, kind))
        selection, after = Selection(types=types, project=request.project), 0
        while types and (page := self._log.read(after, limit=PAGE, upto=request.position, selection=selection)):
            yield page
            after = page[-1].position

    def _append(self, request: Recorded, page: Sequence[Recorded], at_hand: AtHand) -> _Plan:
        """Ask for what a page comes to, anew where something happened to one of its resources meanwhile."""
        for attempt in range(ATTEMPTS):
            plan = self._planned(request, page, at_hand)
            try:
                if plan.events:
                    self._log.append(plan.events, expected=plan.heads)
            except Conflict:
                if attempt + 1 == ATTEMPTS:
                    raise
            else:
                return plan
        raise AssertionError("unreachable: the last attempt returns or raises")

    def _planned(self, request: Recorded, page: Sequence[Recorded], at_hand: AtHand) -> _Plan:
        plan = _Plan()
        for cause in page:
            names = self._unanswered(cause, _wanted(request, cause.type))
            names = [name for name in names if (cause.id, name) not in at_hand]
            if names:
                self._ask(plan, request, cause, names)
        return plan

    def _ask(self, plan: _Plan, request: Recorded, cause: Recorded, names: Sequence[str]) -> None:
        """Add to the plan what is to be asked of one event."""
        about = self._about(request, cause)
        left = [name for name in names if name not in about.given_up and name not in about.asked]
        answers = len(left) + len(about.own)
        plan.causes, plan.answers = plan.causes + bool(answers), plan.answers + answers
        if not left:
            return
        plan.heads[cause.subject] = about.head
        given: dict[str, str] = {"cause_id": cause.id, "resource_id": cause.subject}
        if again := tuple(name for name in left if name not in about.failures):
            repeat = RepeatRequested(**given, processors=again)
            plan.events.append(self._proposed(request, repeat, _id("repeat", request.id, cause.id)))
        for name in left:
            if failure := about.failures.get(name):
                retry = RetryRequested(**given, failure_id=failure, processor=name)
                plan.events.append(self._proposed(request, retry, _id("retry", request.id, failure)))

    def _about(self, request: Recorded, cause: Recorded) -> _About:
        found = _About()
        for event in self._log.about(cause.subject):
            found.head = event.sequence
            asked: tuple[str, ...] = ()
            match event.data if event.type in _TOLD else None:
                case RepeatRequested(cause_id=cause.id, processors=names):
                    asked = names
                case RetryRequested(cause_id=cause.id, failure_id=failure, processor=name):
                    found.failures = {key: id for key, id in found.failures.items() if id != failure}
                    found.given_up.discard(name)
                    asked = (name,)
                case ProcessingFailed(cause_id=cause.id, processor=name):
                    found.failures[name] = event.id
                    if event.source == processor_source(name, _version(name)):
                        found.given_up.add(name)
            if event.position > request.position:
                found.asked.update(asked)
            if event.causation == request.id:
                found.own.update(asked)
        return found

    def _proposed(self, request: Recorded, event: Event, id: EventId) -> Proposed:
        return Proposed(
            id=id,
            project=request.project,
            data=event,
            time_us=self._clock.now_us(),
            source=SOURCE,
            actor=ACTOR,
            correlation=request.correlation,
            causation=request.id,
        )


_TOLD = (ProcessingFailed.TYPE, RetryRequested.TYPE, RepeatRequested.TYPE)


def _id(*parts: object) -> EventId:
    return EventId(ids.derived("reprocessing", *parts))


def _version(name: str) -> str:
    return PROCESSORS[name].version if name in PROCESSORS else "0"


def _wanted(request: Recorded, kind: str) -> list[str]:
    """The processors of a type of event that the request is for."""
    data = request.data
    assert isinstance(data, ReprocessingRequested)  # noqa: S101  # its type says so
    return [name for name in CONSUMERS.get(kind, ()) if not data.processors or name in data.processors]
