"""Contents as files for other programs."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from domain.errors import Conflict, Malformed, Unavailable

if TYPE_CHECKING:
    from domain.views import Document
    from infra.base import BaseDisco

SUFFIXES = {
    "audio/flac": ".flac",
    "audio/midi": ".mid",
    "audio/wav": ".wav",
    "audio/x-wav": ".wav",
    "audio/aiff": ".aiff",
    "audio/mpeg": ".mp3",
    "audio/ogg": ".ogg",
    "audio/mp4": ".m4a",
    "application/json": ".json",
    "application/vnd.recordare.musicxml": ".mxl",
    "application/vnd.recordare.musicxml+xml": ".musicxml",
}


def save_content(service: BaseDisco, document: Document, to: str) -> Path:
    """Copy a resource's content to a file, or into a folder under its own name; returns the file.

    Raises: Malformed, for a resource without content; Conflict, where a file is there already; NotFound; Unavailable.
    """
    content = document.get("content")
    if not content:
        raise Malformed(f"{document['name']!r} is a {document['kind']}; only assets and exports have content")
    target = Path(to).expanduser()
    if target.is_dir():
        target /= file_name(document)
    source = service.blobs.path(content["sha256"])
    try:
        with source.open("rb") as blob, target.open("xb") as file:
            shutil.copyfileobj(blob, file)
    except FileExistsError as error:
        raise Conflict(f"{target} is there already; name another file", path=str(target)) from error
    except OSError as error:
        raise Unavailable(f"{target} cannot be written: {error}", path=str(target)) from error
    return target


def file_name(document: Document) -> str:
    """A name for the content: the resource's, without what file systems dislike."""
    name = plain_name(document)
    suffix = SUFFIXES.get(document["content"]["media_type"], "")
    return name if suffix and name.lower().endswith(suffix) else f"{name}{suffix}"


def plain_name(document: Document) -> str:
    """A resource's name without what file systems dislike, or its id."""
    name = "".join(char if char.isalnum() or char in " -_().," else "_" for char in document["name"])[:120].strip()
    return name or str(document["id"])


def write_new(path: Path, content: bytes) -> None:
    """Write a new file. Raises: Conflict, where there is one already; Unavailable."""
    try:
        with path.expanduser().open("xb") as file:
            file.write(content)
    except FileExistsError as error:
        raise Conflict(f"{path} is there already; name another file", path=str(path)) from error
    except OSError as error:
        raise Unavailable(f"{path} cannot be written: {error}", path=str(path)) from error
