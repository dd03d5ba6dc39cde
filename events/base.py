"""The base of every event's payload."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from domain.ids import ResourceId
from domain.values import Value

Upcaster = Callable[[dict[str, Any]], dict[str, Any]]  # Any: JSON of a version that has no class any more


class Event(Value):
    """A payload: frozen, with a type name and one version number.

    TYPE is the CloudEvents type; a class without one is a base that groups events and is never written.
    SUBJECT names the field that holds the resource it is about.
    FINDING says that it is about the same resource as its cause; most events are, and the log makes use of it.
    UPCASTERS[n] turns the JSON of version n into that of version n + 1.
    """

    TYPE: ClassVar[str] = ""
    VERSION: ClassVar[int] = 1
    SUBJECT: ClassVar[str] = "resource_id"
    FINDING: ClassVar[bool] = False
    UPCASTERS: ClassVar[Mapping[int, Upcaster]] = {}

    @property
    def subject(self) -> ResourceId:
        """The resource this event is about."""
        return ResourceId(getattr(self, self.SUBJECT))
