"""Full text in PostgreSQL: words are cut and folded by SQLite's tokenizer, so that both profiles find the same.

PostgreSQL's own parsers cut names, numbers and dashes otherwise, and `unaccent` may be missing; here it only keeps the
words, their places and weights, and finds them.
"""

from __future__ import annotations

import re
import threading

import apsw

from infra.embedded.words import ANYTHING, Words
from infra.keys import key_of

WEIGHTS = [0.0, 0.1, 0.5, 1.0]
"""Of what it was once found by, of other words, of tags, of the name: as PostgreSQL orders them."""
PAST_WEIGHTS = [0.5, 0.1, 0.5, 1.0]
BY_LENGTH = 1
"""A match counts for less in a longer text."""
LONGEST_WORD = 500
MOST_WORDS = 16_000
"""PostgreSQL tells no places beyond 16,383, and a text of over a megabyte stops it."""
NOW_ONLY = ":ABC"

_local = threading.local()


def tokens(text: str) -> list[str]:
    """The words of a text: letters and digits, in small letters, without diacritics."""
    found: apsw.FTS5Tokenizer | None = getattr(_local, "tokenizer", None)
    if found is None:
        _local.connection = apsw.Connection(":memory:")
        found = _local.tokenizer = _local.connection.fts5_tokenizer("unicode61", ["remove_diacritics", "2"])
    words = found(text.encode(), apsw.FTS5_TOKENIZE_DOCUMENT, None, include_offsets=False, include_colocated=False)
    return [str(word)[:LONGEST_WORD] for word in words]


def vector(words: Words) -> str:
    """The tsvector of a resource's texts, its project among the words as `in:…`, which no word of a text is."""
    *texts, project, former = words
    parts = [f"'in:{word}'" for word in project.split()]
    place = 0
    for text, weight in zip((*texts, former), "ABCD", strict=True):
        for word in tokens(text):
            place += 1
            if place > MOST_WORDS:
                break
            parts.append(f"'{word}':{place}{weight}")
        place += 1  # words of two texts do not stand side by side
    return " ".join(parts)


def query(text: str, project: str | None) -> str:
    """The tsquery for all the words, the last one as the beginning of a word; empty where there are none.

    What the tokenizer cuts in several words must stand side by side.
    """
    asked = re.findall(r"\w+", text)
    phrases = [[f"'{word}'{NOW_ONLY}" for word in tokens(each)] for each in asked]
    if phrases and phrases[-1]:
        phrases[-1][-1] += "*"
    return _within(" & ".join(f"({' <-> '.join(phrase)})" for phrase in phrases if phrase), project)


def once_query(text: str, project: str | None) -> str:
    """The tsquery for every resource that `query` finds now, or would have found at some time, and others.

    What stood side by side may stand in several texts by now, so words are asked for one by one.
    """
    *asked, last = re.findall(r"[^\W_]+", text) or [""]
    found = [f"'{word}'" for each in asked for word in tokens(each)] + [f"'{word}':*" for word in tokens(last)]
    wanted = f"({' & '.join(found)}) | 'in:{ANYTHING}'" if found else f"'in:{ANYTHING}'"
    return _within(f"({wanted})", project)


def _within(wanted: str, project: str | None) -> str:
    return f"{wanted} & 'in:{key_of(project).hex()}'" if wanted and project else wanted
