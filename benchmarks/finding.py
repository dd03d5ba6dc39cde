"""Finding: what sounds alike, and full text, by GraphQL, each against the bare engine beneath."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from statistics import median

import apsw
import numpy as np
import sqlite_vec

from benchmarks.figures import Bench, Measured
from benchmarks.graphql import Client
from benchmarks.material import Material
from benchmarks.scale import BIG_UNITS
from benchmarks.stores import SEED, Store
from benchmarks.timing import in_turn, percentile

QUERIES = 200
NEAREST = 10
FOUND = 20
SIMILAR = "query ($id: ID!) { similar(id: $id, first: 10) { nodes { score resource { id name } } } }"
SEARCH = "query ($text: String!) { search(text: $text, first: 20) { nodes { score resource { id name } } } }"


def similar(bench: Bench) -> Measured:
    """The ten nearest of all embeddings."""
    store = bench.store(BIG_UNITS)
    matrix, places = _matrix(store)
    asked = random.Random(2).sample(store.renders, min(len(store.renders), bench.scaled(QUERIES, least=30)))
    client = Client(store.disco)

    def ours(id: str) -> set[str]:
        nodes = client.ask(SIMILAR, id=id)["similar"]["nodes"]
        return {node["resource"]["id"] for node in nodes}

    def brute(id: str) -> np.ndarray:
        scores = matrix @ matrix[places[id]]
        best = np.argpartition(scores, -NEAREST - 1)[-NEAREST - 1 :]
        return best[np.argsort(-scores[best])]

    names = {place: id for id, place in places.items()}
    agreed = [len(ours(id) & {names[place] for place in brute(id)}) for id in asked[:20]]
    assert min(agreed) >= NEAREST - 1, f"only {min(agreed)} of {NEAREST} neighbours are those of the brute force"
    taken, theirs = in_turn(ours, brute, asked)
    client.close()
    note = f"{len(matrix):,} × {matrix.shape[1]}, median {1e3 * median(taken):.1f} ms"
    return Measured(1e3 * percentile(taken, 0.95), 1e3 * percentile(theirs, 0.95), note)


def _matrix(store: Store) -> tuple[np.ndarray, dict[str, int]]:
    """Every embedding, shape (assets, dimensions), and the row of each asset."""
    connection = _connection(store, vectors=True)
    table = _table(connection, "similarity")
    rows = connection.execute(f"SELECT o.id, i.embedding FROM {table}_of o JOIN {table}_index i ON i.key = o.key")
    places: dict[str, int] = {}
    vectors: list[np.ndarray] = []
    for id, raw in rows:
        text = id.hex()
        places[f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"] = len(vectors)
        vectors.append(np.frombuffer(raw, dtype="<f4"))
    return np.stack(vectors), places


def search(bench: Bench) -> Measured:
    """Full text over all documents, from rare words to very common ones."""
    store = bench.store(BIG_UNITS)
    asked = _texts(bench.scaled(QUERIES, least=40))
    client = Client(store.disco)
    connection = _connection(store)
    words = f"{_table(connection, 'catalogue')}_words"
    query = f"SELECT rowid, bm25({words}, 10.0, 5.0, 1.0) FROM {words} WHERE {words} MATCH ? ORDER BY 2 LIMIT {FOUND}"

    def ours(text: str) -> object:
        return client.ask(SEARCH, text=text)

    def bare(text: str) -> object:
        return connection.execute(query, (_match(text),)).fetchall()

    for text in asked:
        ours(text)
    taken, theirs = in_turn(ours, bare, asked)
    client.close()
    documents = int(connection.execute(f"SELECT count(*) FROM {_table(connection, 'catalogue')}_rows").get)
    worst = asked[taken.index(max(taken))]
    note = f"{documents:,} documents, slowest {worst!r} {1e3 * max(taken):.0f} ms"
    return Measured(1e3 * percentile(taken, 0.95), 1e3 * percentile(theirs, 0.95), note)


def _texts(count: int) -> list[str]:
    """What people might type: one word, common or rare, two words, or the beginning of one."""
    chance, words = random.Random(3), Material(SEED).words
    makers: Sequence[Callable[[], str]] = (
        lambda: words[chance.randrange(20)],
        lambda: words[chance.randrange(20, 500)],
        lambda: words[chance.randrange(500, len(words))],
        lambda: f"{words[chance.randrange(200)]} {words[chance.randrange(200)]}",
        lambda: words[chance.randrange(len(words))][:3],
    )
    return [makers[turn % len(makers)]() for turn in range(count)]


def _match(text: str) -> str:
    """The words, the last one as a beginning, as the service reads them: in what resources are called now."""
    *whole, last = text.split()
    words = " ".join([*(f'"{word}"' for word in whole), f'"{last}"*'])
    return f"{{name tags words}} : ({words})"


def _connection(store: Store, *, vectors: bool = False) -> apsw.Connection:
    connection = apsw.Connection(str(store.path), flags=apsw.SQLITE_OPEN_READONLY)
    connection.pragma("cache_size", -16_384)
    if vectors:
        connection.enable_load_extension(True)
        connection.load_extension(sqlite_vec.loadable_path())
    return connection


def _table(connection: apsw.Connection, view: str) -> str:
    found = connection.execute("SELECT generation FROM views WHERE name = ? AND state = 'live'", (view,)).get
    return f"{view}_{found}"
