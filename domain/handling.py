"""From a command to events in the log: read the past, decide, append with what was expected, decide anew if raced."""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from functools import reduce

from domain import ids
from domain.commands import Command
from domain.decisions import Decision, decide
from domain.errors import Conflict, DiscoError, Malformed
from domain.ids import EventId, ProjectId, ResourceId
from domain.ports import Clock, EventLog, Token
from domain.resource import Happened, Resource, evolve
from events.base import Event
from events.envelope import Proposed, Recorded

ATTEMPTS = 5
SOURCE = "/commands"
LONGEST_ID = 200
DIGEST_DIGITS = 16


@dataclass(frozen=True, slots=True)
class Done:
    """What came of a command: the resource it was about, and a token for later reads.

    token: where nothing had to change, that of the newest event the decision rested on.
    types: those of the events it came to, also where they were written by the same command before.
    """

    resource_id: ResourceId
    job: str
    token: Token
    written: int
    types: tuple[str, ...] = ()


def past_of(log: EventLog, subject: ResourceId) -> Resource | None:
    """Fold everything that happened to a resource; None if nothing did."""
    return _folded(log.about(subject))


def _folded(events: Iterable[Recorded]) -> Resource | None:
    return reduce(_step, events, None)


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
    Raises: NotFound, Malformed, Conflict (after a bounded number of decisions anew; or where the `command_id` was that
    of another command), Unavailable.
    """
    if command_id is not None and not 1 <= len(command_id) <= LONGEST_ID:
        raise Malformed(f"a command's id has 1 to {LONGEST_ID} characters", field="commandId")
    source = SOURCE if command_id is None else f"{SOURCE}#{_digest(command)}"
    command_id = command_id or str(uuid.uuid4())
    job = job or command_id
    if (repeated := _repeated(log, command_id, source)) is not None:
        return repeated
    for attempt in range(ATTEMPTS):
        past = _Past(log)
        try:
            decision = decide(past, command)
            if not decision.events:
                return _repeated(log, command_id, source) or Done(decision.about, job, past.token(), 0)
            proposals = _propose(decision, past, clock, source=source, actor=actor, job=job, command_id=command_id)
        except DiscoError:
            if (repeated := _repeated(log, command_id, source)) is not None:
                return repeated  # the same command, sent twice at once: the other one was carried out meanwhile
            raise
        try:
            appended = log.append(proposals, expected=past.heads())
        except Conflict:
            if (repeated := _repeated(log, command_id, source)) is not None:
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
        self._newest: list[Recorded] = []

    def __missing__(self, id: str) -> Resource | None:
        events = self._log.about(ResourceId(id))
        self._newest += events[-1:]
        self[id] = _folded(events)
        return self[id]

    def token(self) -> Token:
        """The token of the newest event that was looked at, of which a decision always needs one."""
        newest = max(self._newest, key=lambda event: event.position)
        return Token(newest.project, newest.sequence, newest.position)

    def heads(self) -> dict[ResourceId, int]:
        return {ResourceId(id): state.head if state else 0 for id, state in self.items()}


def _digest(command: Command) -> str:
    """What tells a command from any other: its name and all that is wished, but for what a later release may add."""
    wish = command.model_dump(mode="json", exclude=command.FOUND_OUT, exclude_defaults=True)
    text = f"{type(command).__name__} {json.dumps(wish, sort_keys=True)}"
    return hashlib.sha256(text.encode()).hexdigest()[:DIGEST_DIGITS]


def _repeated(log: EventLog, command_id: str, source: str) -> Done | None:
    """What came of the command of this id, None if there was none. Raises: Conflict, where that was another command."""
    event = _first_of(log, command_id)
    if event is None:
        return None
    if event.source not in (source, SOURCE):
        raise _anothers(command_id, event)
    token = Token(event.project, event.sequence, event.position)
    return Done(event.subject, event.correlation, token, 0, (event.type,))


def check_command_id(log: EventLog, command_id: str, *, about: ResourceId) -> None:
    """Return where a command of this id about that resource may come. Raises: Conflict, where it was about another."""
    event = _first_of(log, command_id)
    if event is not None and event.subject != about:
        raise _anothers(command_id, event)


def _first_of(log: EventLog, command_id: str) -> Recorded | None:
    """The first event that a command of this id came to."""
    first = EventId(ids.derived("command", command_id, 0))
    position = log.places([first]).get(first)
    return None if position is None else log.at([position])[position]


def _anothers(command_id: str, event: Recorded) -> Conflict:
    return Conflict(
        f"the command id {command_id!r} is that of another command, which came to {event.type} of {event.subject}"
        f" at position {event.position}; give this one an id of its own",
        id=event.subject,
        type=event.type,
        position=event.position,
    )


def _project(past: _Past, event: Event) -> ProjectId:
    known = next((state.project for state in past.values() if state is not None), None)
    return known or ProjectId(event.subject)


def _propose(
    decision: Decision, past: _Past, clock: Clock, *, source: str, actor: str, job: str, command_id: str
) -> list[Proposed]:
    now = clock.now_us()
    project = _project(past, decision.events[0])
    return [
        Proposed(
            id=EventId(ids.derived("command", command_id, index)),
            project=project,
            data=event,
            time_us=now,
            source=source,
            actor=actor,
            correlation=job,
        )
        for index, event in enumerate(decision.events)
    ]
