"""From a command to events in the log: read the past, decide, append with what was expected, decide anew if raced."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from functools import reduce

from domain import ids
from domain.commands import Command
from domain.decisions import Decision, decide
from domain.errors import Conflict, DiscoError
from domain.ids import EventId, ProjectId, ResourceId
from domain.ports import Clock, EventLog, Token
from domain.resource import Happened, Resource, evolve
from events.base import Event
from events.envelope import Proposed, Recorded

ATTEMPTS = 5


@dataclass(frozen=True, slots=True)
class Done:
    """What came of a command: the resource it was about, a token for later reads (None if nothing had to change).

    types: those of the events it came to, also where they were written by the same command before.
    """

    resource_id: ResourceId
    job: str
    token: Token | None
    written: int
    types: tuple[str, ...] = ()


def past_of(log: EventLog, subject: ResourceId) -> Resource | None:
    """Fold everything that happened to a resource; None if nothing did."""
    return reduce(_step, log.about(subject), None)


def _step(state: Resource | None, event: Recorded) -> Resource | None:
    return evolve(state, Happened(event.id, event.project, event.sequence, event.data))


def execute(
    log: EventLog,
    clock: Clock,
    command: Command,
    *,
    actor: str,
    job: str | None = None,
    command_id: str | None = None,
) -> Done:
    """Carry out a command. The same `command_id` again writes nothing and answers as the first time.

    job: the correlation that its events and all that follows from them belong to; the command's own by default.
    Raises: NotFound, Malformed, Conflict (after a bounded number of decisions anew), Unavailable.
    """
    command_id = command_id or str(uuid.uuid4())
    job = job or command_id
    if (repeated := _repeated(log, command_id)) is not None:
        return repeated
    for attempt in range(ATTEMPTS):
        past = _Past(log)
        try:
            decision = decide(past, command)
            if not decision.events:
                return _repeated(log, command_id) or Done(decision.about, job, None, 0)
            proposals = _propose(decision, past, clock, actor=actor, job=job, command_id=command_id)
        except DiscoError:
            if (repeated := _repeated(log, command_id)) is not None:
                return repeated  # the same command, sent twice at once: the other one was carried out meanwhile
            raise
        try:
            appended = log.append(proposals, expected=past.heads())
        except Conflict:
            if (repeated := _repeated(log, command_id)) is not None:
                return repeated
            if attempt + 1 == ATTEMPTS:
                raise
        else:
            types = tuple(event.TYPE for event in decision.events)
            return Done(decision.about, job, appended.token, appended.written, types)
    raise AssertionError("unreachable: the last attempt returns or raises")


class _Past(dict[str, Resource | None]):
    """Reads a resource's past when a decision first looks at it."""

    def __init__(self, log: EventLog) -> None:
        super().__init__()
        self._log = log

    def __missing__(self, id: str) -> Resource | None:
        self[id] = past_of(self._log, ResourceId(id))
        return self[id]

    def heads(self) -> dict[ResourceId, int]:
        return {ResourceId(id): state.head if state else 0 for id, state in self.items()}


def _repeated(log: EventLog, command_id: str) -> Done | None:
    first = EventId(ids.derived("command", command_id, 0))
    position = log.places([first]).get(first)
    if position is None:
        return None
    event = log.at([position])[position]
    return Done(event.subject, event.correlation, Token(event.project, event.sequence, position), 0, (event.type,))


def _project(past: _Past, event: Event) -> ProjectId:
    known = next((state.project for state in past.values() if state is not None), None)
    return known or ProjectId(event.subject)


def _propose(decision: Decision, past: _Past, clock: Clock, *, actor: str, job: str, command_id: str) -> list[Proposed]:
    now = clock.now_us()
    project = _project(past, decision.events[0])
    return [
        Proposed(
            id=EventId(ids.derived("command", command_id, index)),
            project=project,
            data=event,
            time_us=now,
            source="/commands",
            actor=actor,
            correlation=job,
        )
        for index, event in enumerate(decision.events)
    ]
