"""The rows of views as every profile tells them: what digests are made of, and what a comparison names."""

from __future__ import annotations

from collections.abc import Sequence

import orjson

from domain.views import Document

Row = tuple[str, str]
"""Key and content; a view's rows come in order of key."""


def document_row(name: str, document: Document) -> Row:
    """A document."""
    return f"document {name}", orjson.dumps(document, option=orjson.OPT_SORT_KEYS).decode()


def resource_row(key: bytes, document: Document, words: object) -> Row:
    """A resource's document and the texts that it is searched by."""
    name, content = document_row(key.hex(), document)
    return name, f"{content} {words}"


def point_row(name_and_place: str, time_us: int, subject: str, value: float) -> Row:
    """A measurement; `name_and_place` is its name, its project's digits and its position: NAME PROJECT@POSITION."""
    return f"point {name_and_place}", repr([time_us, subject, value])


def node_row(id_and_since: str, told: Sequence[object]) -> Row:
    """A version of a node: what it is and how long it holds, under its id's digits and its position: ID@POSITION."""
    return f"node {id_and_since}", repr(list(told))


def edge_row(ends_and_since: str, until: Sequence[object]) -> Row:
    """How long an edge holds, under its ends' digits, relation's code and position: UP > DOWN CODE@POSITION."""
    return f"edge {ends_and_since}", repr(list(until))


def vector_row(id: str, told: Sequence[object]) -> Row:
    """An embedding: project, space, since when and until when, its digits; one of the past under ID@POSITION."""
    return f"vector {id}", repr(list(told))


def archived_row(id_and_since: str, told: Sequence[object]) -> Row:
    """A time in which a resource was archived."""
    return f"archived {id_and_since}", repr(list(told))
