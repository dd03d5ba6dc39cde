"""Ids as people type them: whole, or as much of the beginning as is needed; projects also by name."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

from domain.errors import Conflict, Malformed, NotFound
from domain.ids import ResourceId

if TYPE_CHECKING:
    from api.cli.shell import Shell
    from infra.base import BaseDisco

SHORTEST = 4
MOST_NAMED = 10
_WHOLE = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def short(id: str) -> str:
    """The beginning of an id, as much as is nearly always enough."""
    return id[:8]


def whole(text: str) -> ResourceId | None:
    """The text as an id, if it is a whole one."""
    lowered = text.strip().lower()
    return ResourceId(lowered) if _WHOLE.fullmatch(lowered) else None


def resource(shell: Shell, service: BaseDisco, text: str) -> ResourceId:
    """The resource that an id, or the beginning of one, stands for; the verb's permission on it is checked.

    Raises: Malformed; NotFound; Conflict, where several begin so; Forbidden.
    """
    found = whole(text) or _one(text, service.views.documents.find(_digits(text)), service)
    shell.allowed(service, found)
    return found


def _digits(text: str) -> str:
    digits = text.strip().lower().replace("-", "")
    if not re.fullmatch(rf"[0-9a-f]{{{SHORTEST},32}}", digits):
        raise Malformed(
            f"{text!r} is not an id: give the whole of it or at least {SHORTEST} of its first hex digits; "
            "disco projects and disco search TEXT tell ids",
            field="id",
        )
    return digits


def _one(text: str, found: list[str], service: BaseDisco) -> ResourceId:
    if not found:
        raise NotFound(
            f"no resource has an id that begins with {text!r}; disco search TEXT finds by name, "
            "and an analysis that nobody has changed wants its whole id (disco lineage --json tells it)",
            id=text,
        )
    if len(found) > 1:
        names = service.views.documents.many(found)
        listed = ", ".join(f"{id} ({names[id]['kind']} {names[id]['name']!r})" for id in found if id in names)
        raise Conflict(f"{text!r} is the beginning of {len(found)} ids: {listed}; give more of it", ids=found)
    return ResourceId(found[0])


def project(shell: Shell, service: BaseDisco, text: str) -> ResourceId:
    """The project of this name, id or beginning of an id. Raises: NotFound, Malformed, Conflict, Forbidden."""
    from domain.views import Filter, Kind

    if (exact := whole(text)) is None:
        named, _ = service.views.documents.page(Filter(kinds=(Kind.PROJECT,), name=text), first=MOST_NAMED)
        same = [document["id"] for _, document in named]
        if not same and re.fullmatch(rf"[0-9a-fA-F-]{{{SHORTEST},}}", text):
            same = service.views.documents.find(_digits(text))
        if not same:
            raise NotFound(f"there is no project {text!r}; disco projects lists them", project=text)
        exact = _one(text, same, service)
    shell.allowed(service, exact)
    return exact


def starting(prefix: str, candidates: Iterable[str], what: str) -> str:
    """The one of the candidates that begins with this text. Raises: NotFound, Conflict."""
    found = [candidate for candidate in candidates if candidate.startswith(prefix.strip().lower())]
    if not found:
        raise NotFound(f"there is no {what} {prefix}", id=prefix)
    if len(found) > 1:
        raise Conflict(f"{prefix!r} is the beginning of {len(found)} ids: {', '.join(found[:10])}", ids=found[:10])
    return found[0]
