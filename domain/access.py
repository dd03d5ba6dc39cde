"""Who may do what: every field, route and verb declares the permission it needs, from the first day."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol


class Permission(StrEnum):
    """What an actor may be allowed to do with a resource, a project or the whole service."""

    READ = "read"
    WRITE = "write"
    GENERATE = "generate"
    OPERATE = "operate"


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts: the name goes into every event."""

    name: str


class Access(Protocol):
    """Who decides."""

    def check(self, actor: Actor, permission: Permission, resource_id: str | None) -> None:
        """Return if allowed; `resource_id` None asks about the service as a whole. Raises: Forbidden."""


class LocalAccess:
    """The embedded profile has one local user, who may do all."""

    def check(self, actor: Actor, permission: Permission, resource_id: str | None) -> None:
        """Allow."""
