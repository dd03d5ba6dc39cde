"""Processing: what failed, and what is to be tried again."""

from __future__ import annotations

from typing import ClassVar

from domain.values import Uuid
from events.base import Event


class ProcessingFailed(Event):
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


class RetryRequested(Event):
    """Somebody asked to try a dead letter again."""

    TYPE: ClassVar[str] = "disco.processing.retry_requested"
    cause_id: Uuid
    resource_id: Uuid
    failure_id: Uuid
    processor: str
