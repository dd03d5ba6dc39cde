"""Full text in FTS5: what of a document is indexed, and how words are asked for."""

from __future__ import annotations

import re

from domain.views import Document
from infra.embedded.rows import key_of
from projections.catalogue import words

TEXTS = ("name", "tags", "words", "project", "former")
NOW_TEXTS = "{name tags words}"
ALL_TEXTS = "{name tags words former}"
WEIGHTS = "bm25(10.0, 5.0, 1.0, 0.0, 0.0)"
PAST_WEIGHTS = "bm25(10.0, 5.0, 1.0, 0.0, 5.0)"
ANYTHING = "anything"
"""Stands by the project of a document that may have been found by any word; no project's digits spell it."""

Words = tuple[str, str, str, str, str]
"""What a resource is searched by, one text a column; `former` is for questions about the past alone."""


def index(name: str, options: str = "") -> str:
    """The statement that makes an index."""
    more = f", {options}" if options else ""
    return (
        f'CREATE VIRTUAL TABLE {name} USING fts5({", ".join(TEXTS)}, tokenize="unicode61 remove_diacritics 2"{more});'
    )


def words_of(document: Document) -> Words:
    """The full text of a resource, and what it was once found by; once archived, all of it is."""
    texts, project, former = words(document), key_of(document["project"]).hex(), ""
    if "former" in document:
        kept = document["former"]
        former, project = (" ".join(kept), project) if kept is not None else ("", f"{project} {ANYTHING}")
    if document["archived"]:
        return "", "", "", project, " ".join((*texts, former))
    return *texts, project, former


def match(text: str) -> str:
    """All the words, the last one as the beginning of a word; everything else in the text is taken as a space."""
    return _all(re.findall(r"\w+", text))


def once_matched(text: str) -> str:
    """What matches every document that `match` matches now, or has matched at some time, and others."""
    # Words that FTS5 takes apart are asked for one by one: what stood side by side may stand in several texts by now.
    words = _all(re.findall(r"[^\W_]+", text))
    return f"({ALL_TEXTS} : ({words}) OR project : {ANYTHING})" if words else f"project : {ANYTHING}"


def _all(words: list[str]) -> str:
    return " ".join([f'"{word}"' for word in words[:-1]] + [f'"{word}"*' for word in words[-1:]])


def within(wanted: str, project: str | None) -> str:
    """The same, only in a project."""
    return f'{wanted} AND project : "{key_of(project).hex()}"' if project else wanted
