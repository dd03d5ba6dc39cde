"""Ids as they lie in rows: 16 bytes, which halves the indexes."""

from __future__ import annotations

from functools import lru_cache

from domain.errors import Malformed
from domain.ids import ResourceId


def new_key(id: str) -> bytes:
    """The id as 16 bytes, for one that is not likely to come again.

    Raises: Malformed, if it is not UUID text.
    """
    try:
        key = bytes.fromhex(id.replace("-", ""))
    except (ValueError, AttributeError):
        key = b""
    if len(key) != 16:
        raise Malformed(f"{id!r} is not an id", field="id")
    return key


key_of = lru_cache(8192)(new_key)
"""The id as 16 bytes, remembered: most rows name the same project and subject as the row before."""


def new_id(key: bytes) -> ResourceId:
    """The id that lies in these 16 bytes, for one that is not likely to come again."""
    text = key.hex()
    return ResourceId(f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}")


id_of = lru_cache(8192)(new_id)
"""The id that lies in these 16 bytes, remembered as `key_of` does."""
