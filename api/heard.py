"""All that was heard in an asset: its newest findings, with their blobs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from domain.analyses import described, found_in
from domain.errors import NotFound
from domain.ids import ResourceId
from domain.ports import Blobs
from domain.service import Service
from domain.views import NOW, AsOf, Document
from events.envelope import Recorded


@dataclass(frozen=True, slots=True)
class Heard:
    """An asset's document, its newest findings by kind of analysis, and where their blobs lie."""

    document: Document
    found: Mapping[str, Recorded]
    blobs: Blobs

    @classmethod
    def of(cls, service: Service, id: ResourceId, moment: AsOf = NOW) -> Heard:
        """What was heard in an asset by a moment. Raises: NotFound."""
        document = described(service.views, id, moment)
        return cls(document, found_in(service.log, document), service.blobs)

    @property
    def duration_s(self) -> float:
        """How long it is."""
        return float(self.document.get("facts", {}).get("duration_s") or 0.0)

    def data(self, kind: str) -> dict[str, Any]:  # Any: JSON
        """What the event of a finding tells. Raises: NotFound."""
        if kind not in self.found:
            raise NotFound(f"{self.document['name']!r} has no finding {kind!r} (yet)", field="kind")
        return self.found[kind].json

    def arrays(self, kind: str, blob: str, *names: str) -> dict[str, np.ndarray]:
        """The arrays of these names in a blob of a finding, and no others read. Raises: NotFound."""
        with np.load(self.blobs.path(self.data(kind)[blob]["sha256"]), allow_pickle=False) as arrays:
            return {name: arrays[name] for name in names}
