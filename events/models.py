"""Models: versions of what analyses and generations are made by."""

from __future__ import annotations

from typing import ClassVar

from domain.values import Metadata, Name, Uuid
from events.base import Event


class ModelVersionRegistered(Event):
    """A version of a model or algorithm is known; `card` says what it is, by whom, from what."""

    TYPE: ClassVar[str] = "disco.model.version_registered"
    SUBJECT: ClassVar[str] = "model_version_id"
    model_version_id: Uuid
    name: Name
    version: Name
    card: Metadata = {}
