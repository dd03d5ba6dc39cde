"""Which processors a request to reprocess may name."""

from __future__ import annotations

from collections.abc import Sequence

from domain.errors import Malformed
from domain.service import Service


def known_processors(service: Service, names: Sequence[str]) -> tuple[str, ...]:
    """The names, all of processors that there are. Raises: Malformed, naming those."""
    there = service.processors()
    for name in names:
        if name not in there:
            raise Malformed(
                f"there is no processor {name[:100]!r}; there are {', '.join(sorted(there))}", field="processors"
            )
    return tuple(names)
