"""Processing: what failed, what is to be tried again, and what is to be answered anew."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from domain.values import Uuid
from events.base import Event


class OfProcessing(Event):
    """Base: something about the work on a resource, which itself stays as it is."""


class ProcessingFailed(OfProcessing):
    """A processor gave up on an event: a dead letter until somebody asks to try it again."""

    TYPE: ClassVar[str] = "disco.processing.failed"
    FINDING: ClassVar[bool] = True
    cause_id: Uuid
    resource_id: Uuid
    processor: str
    attempts: int
    code: str
    message: str
    traceback_digest: str


class RetryRequested(OfProcessing):
    """Somebody asked to try a dead letter again."""

    TYPE: ClassVar[str] = "disco.processing.retry_requested"
    cause_id: Uuid
    resource_id: Uuid
    failure_id: Uuid
    processor: str


class ReprocessingRequested(OfProcessing):
    """Somebody asked that what a project holds be answered by the current versions of these processors; none: of all.

    What that comes to is found out afterwards and told by `RepeatRequested` and `RetryRequested`, then by
    `ReprocessingPlanned`.
    """

    TYPE: ClassVar[str] = "disco.reprocessing.requested"
    SUBJECT: ClassVar[str] = "project_id"
    project_id: Uuid
    processors: tuple[str, ...] = ()


class RepeatRequested(OfProcessing):
    """An event is to be answered again, by processors that have answered it in another version only."""

    TYPE: ClassVar[str] = "disco.processing.repeat_requested"
    cause_id: Uuid
    resource_id: Uuid
    processors: tuple[str, ...]


class ReprocessingPlanned(OfProcessing):
    """It was found out what a request to reprocess comes to: so many answers to so many events, all asked for."""

    TYPE: ClassVar[str] = "disco.reprocessing.planned"
    SUBJECT: ClassVar[str] = "project_id"
    project_id: Uuid
    request_id: Uuid
    causes: Annotated[int, Field(ge=0)]
    answers: Annotated[int, Field(ge=0)]
