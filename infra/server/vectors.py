"""The embeddings: vectors in Milvus, each under the position of its event; which of them holds when, in PostgreSQL.

A row in Milvus never changes, so a page that is written twice, or late, changes nothing. What a newer embedding takes
the place of, and what is archived, is told in PostgreSQL in the transaction of the checkpoint, and sieved from what
Milvus finds nearest. Where too much is sieved out, more is asked for: no hit is lost.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import compress
from typing import Any, NamedTuple

import numpy as np

from domain.errors import LimitExceeded, NotFound, Unavailable
from domain.ids import ResourceId
from domain.values import unpack_bytes
from domain.views import NOW, AsOf, At, Hit
from infra import content, directions
from infra.embedded.graph_rows import EVER
from infra.keys import key_of
from infra.server import generations
from infra.server.asking import Clause, together, uuid_of
from infra.server.generations import Live, make, pages, schema_of
from infra.server.milvus import KEY, MOST_FOUND, Field, Milvus
from infra.server.postgres import Pg, identifier, set_local
from projections import similarity

MOST = 4096
PAGE = 1_000
FEW = 1_000
WIDER = 4
SLOTS = 64
DIGITS = "upper(replace({}::text, '-', ''))"
FIELDS = (Field("project", 36), Field("space"), Field("time_us"))

# The time of Milvus's newest write, for readers to wait for: in slots, so that writers seldom wait for each other.
TABLES = """
CREATE TABLE IF NOT EXISTS {s}.embeddings (
    position bigint PRIMARY KEY, id uuid NOT NULL, project uuid NOT NULL, time_us bigint NOT NULL,
    until bigint NOT NULL, until_us bigint NOT NULL, space bytea NOT NULL);
CREATE TABLE IF NOT EXISTS {s}.archived (
    id uuid NOT NULL, position bigint NOT NULL, time_us bigint NOT NULL, until bigint NOT NULL,
    until_us bigint NOT NULL, PRIMARY KEY (id, position));
CREATE TABLE IF NOT EXISTS {s}.written (slot smallint PRIMARY KEY, at bigint NOT NULL)
"""
INDEXES = f"""
CREATE INDEX IF NOT EXISTS embeddings_by_id ON {{s}}.embeddings (id);
CREATE UNIQUE INDEX IF NOT EXISTS newest ON {{s}}.embeddings (id) WHERE until = {EVER}
"""
COLUMNS = "position, id, project, time_us, until, until_us, space"
HELD_UNTIL = f"""
UPDATE {{s}}.embeddings e SET until = n.until, until_us = n.until_us
FROM (SELECT position, lead(position, 1, {EVER}) OVER w AS until, lead(time_us, 1, {EVER}) OVER w AS until_us
      FROM {{s}}.embeddings WINDOW w AS (PARTITION BY id ORDER BY position)) n
WHERE e.position = n.position AND e.until <> n.until"""

INSERT = f"""
INSERT INTO {{s}}.embeddings ({COLUMNS})
SELECT * FROM unnest(%s::bigint[], %s::uuid[], %s::uuid[], %s::bigint[], %s::bigint[], %s::bigint[], %s::bytea[])
ON CONFLICT DO NOTHING"""
ENDED = f"""
UPDATE {{s}}.embeddings e SET until = n.position, until_us = n.time_us
FROM unnest(%s::bigint[], %s::uuid[], %s::bigint[]) n (position, id, time_us)
WHERE e.id = n.id AND e.until = {EVER} AND e.position < n.position"""
WRITTEN = """
INSERT INTO {s}.written VALUES (pg_backend_pid() %% %s, %s)
ON CONFLICT (slot) DO UPDATE SET at = greatest({s}.written.at, excluded.at)"""
ARCHIVED = f"""
INSERT INTO {{s}}.archived SELECT %(id)s, %(position)s, %(time_us)s, {EVER}, {EVER}
WHERE NOT EXISTS (
    SELECT 1 FROM {{s}}.archived WHERE id = %(id)s AND position <= %(position)s AND until > %(position)s)"""
RESTORED = f"""
UPDATE {{s}}.archived SET until = %(position)s, until_us = %(time_us)s
WHERE id = %(id)s AND until = {EVER} AND position < %(position)s"""

# A row of a binary COPY: how many fields, then each with its length before it. Source: PostgreSQL, COPY, file formats.
_ROW = struct.Struct(">hiqi16si16siqiqiqi")
_BEGIN = b"PGCOPY\n\xff\r\n\0" + bytes(8)
_END = b"\xff\xff"


class Given(NamedTuple):
    """One embedding."""

    id: str
    project: str
    space: bytes
    raw: bytes
    at: At


class MilvusVectorRows:
    """`VectorRows` for one page: what is archived is written at once, embeddings by `flush`, to both stores at once."""

    def __init__(self, milvus: Milvus, connection: Pg, schema: str, *, fresh: bool, begun: set[str]) -> None:
        self._milvus = milvus
        self._begun = begun
        self._connection = connection
        self._collection = schema
        self._schema = identifier(schema)
        self._fresh = fresh
        self._given: dict[int, Given] = {}

    def vector(self, id: str, *, project: str, space: str, packed: str, at: At) -> None:
        """See `VectorRows.vector`."""
        self._given[at.position] = Given(id, project, space.encode(), unpack_bytes(packed), at)

    def archive(self, id: str, archived: bool, at: At) -> None:
        """See `VectorRows.archive`."""
        values = {"id": id, "position": at.position, "time_us": at.time_us}
        self._connection.execute((ARCHIVED if archived else RESTORED).format(s=self._schema), values)

    def flush(self) -> None:
        """Write what was gathered."""
        given = list(self._given.values())
        given = list(compress(given, directions.pointing([one.raw for one in given])))
        self._given.clear()
        if not given:
            return
        columns: dict[str, list[int] | list[str]] = {
            KEY: [one.at.position for one in given],
            "project": [one.project for one in given],
            "space": [number_of(one.space) for one in given],
            "time_us": [one.at.time_us for one in given],
        }
        fresh = self._fresh and self._has_begun()
        with ThreadPoolExecutor(1, "milvus") as beside:
            vectors = [one.raw for one in given]
            writing = beside.submit(self._milvus.write, self._collection, columns, vectors, fresh=fresh)
            (self._copy if self._fresh else self._insert)(given)
            self._connection.execute(WRITTEN.format(s=self._schema), (SLOTS, writing.result()))

    def _has_begun(self) -> bool:
        """Whether a page of this generation was committed; of the first, nothing tells if it was tried before."""
        if self._collection not in self._begun and _written(self._connection, self._schema):
            self._begun.add(self._collection)
        return self._collection in self._begun

    def _insert(self, given: list[Given]) -> None:
        """Tell in PostgreSQL what holds until when."""
        newest: dict[str, Given] = {}
        rows: list[list[Any]] = []  # Any: what psycopg can bind
        for one in sorted(given, key=lambda one: -one.at.position):
            until = newest[one.id].at if one.id in newest else (EVER, EVER)
            rows.append([one.at.position, one.id, one.project, one.at.time_us, *until, one.space])
            newest[one.id] = one
        firsts = [[one.at.position, id, one.at.time_us] for id, one in newest.items()]
        execute = self._connection.execute
        execute(ENDED.format(s=self._schema), list(map(list, zip(*firsts, strict=True))))
        execute(INSERT.format(s=self._schema), list(map(list, zip(*rows, strict=True))))

    def _copy(self, given: list[Given]) -> None:
        """The same where a generation is built anew: until when each holds is told at the end, of all at once."""
        packed = b"".join(
            _ROW.pack(
                7, 8, one.at.position, 16, key_of(one.id), 16, key_of(one.project), 8, one.at.time_us, 8, EVER, 8, EVER,
                len(one.space),
            ) + one.space
            for one in given
        )  # fmt: skip
        query = f"COPY {self._schema}.embeddings ({COLUMNS}) FROM STDIN (FORMAT BINARY)"
        with self._connection.cursor() as cursor, cursor.copy(query) as copy:
            copy.write(_BEGIN + packed + _END)


@dataclass(frozen=True, slots=True)
class VectorStore:
    """Where the embeddings lie: a schema and a collection of the same name for each generation."""

    milvus: Milvus
    prefix: str
    name: str = similarity.NAME
    version: int = similarity.VERSION
    begun: set[str] = field(default_factory=set, compare=False)

    def create(self, connection: Pg, generation: int) -> None:
        """Make the collection and the tables of a generation; what is there stays."""
        schema = self._schema(generation)
        (there,) = connection.execute("SELECT to_regclass(%s)", (f"{identifier(schema)}.embeddings",)).fetchone() or (
            0,
        )
        if there is None:
            self.begun.discard(schema)
            self.milvus.drop(schema)  # what another life of this prefix left under the name is none of its rows
        self.milvus.create(schema, FIELDS, directions.DIMENSIONS)
        make(connection, schema, TABLES)

    def rows(self, connection: Pg, generation: int, *, fresh: bool) -> MilvusVectorRows:
        """What the projection writes to, in the transaction of the page."""
        return MilvusVectorRows(self.milvus, connection, self._schema(generation), fresh=fresh, begun=self.begun)

    def finish(self, connection: Pg, generation: int) -> None:
        """Tell what holds until when, have vectors packed, and name the collection for whoever looks into Milvus."""
        schema = self._schema(generation)
        set_local(connection, "statement_timeout", 0)
        connection.execute(HELD_UNTIL.format(s=identifier(schema)))
        connection.execute(INDEXES.format(s=identifier(schema)))
        connection.execute(f"ANALYZE {identifier(schema)}.embeddings")
        if connection.execute(f"SELECT 1 FROM {identifier(schema)}.embeddings OFFSET {FEW} LIMIT 1").fetchone():
            self.milvus.seal(schema)  # which takes seconds, and makes no few rows faster to find
        self.milvus.name(f"{self.prefix}_{self.name}", schema)

    def drop(self, connection: Pg, generation: int) -> None:
        """Take a generation away."""
        self.begun.discard(self._schema(generation))
        generations.drop(connection, self._schema(generation))
        self.milvus.drop(self._schema(generation))

    def content(self, connection: Pg, generation: int) -> Iterator[content.Row]:
        """Every row as (key, content), in order of key. A vector that Milvus has lost is told as an empty one."""
        schema = self._schema(generation)
        table = identifier(schema)
        query = f"""SELECT ({DIGITS.format("id")} || '@' || position) COLLATE "C" AS key, time_us, until, until_us
                    FROM {table}.archived ORDER BY key"""
        for page in pages(connection, query, PAGE):
            for key, *rest in page:
                yield content.archived_row(key, rest)
        since = _written(connection, table)
        place = f"CASE until WHEN {EVER} THEN '' ELSE '@' || position END"
        query = f"""SELECT ({DIGITS.format("id")} || {place}) COLLATE "C" AS key, position, {DIGITS.format("project")},
                           space, time_us, until, until_us FROM {table}.embeddings ORDER BY key"""
        for page in pages(connection, query, PAGE):
            raw = self.milvus.vectors(schema, [row[1] for row in page], since=since)
            for key, position, project, space, time_us, until, until_us in page:
                held = (None, None) if until == EVER else (until, until_us)
                digits = raw.get(position, b"").hex().upper()
                yield content.vector_row(key, [project, space.decode(), position, time_us, *held, digits])

    def _schema(self, generation: int) -> str:
        return schema_of(self.prefix, self.name, generation)


class MilvusVectors:
    """`Vectors` over the live generation."""

    def __init__(self, milvus: Milvus, live: Live) -> None:
        self._milvus = milvus
        self._live = live

    def similar(
        self, id: str, *, first: int = 10, project: str | None = None, archived: bool = False, as_of: AsOf = NOW
    ) -> list[Hit]:
        """See `Vectors.similar`."""

        def ask(connection: Pg, schema: str) -> list[Hit]:
            near = _Near(self._milvus, connection, schema, archived=archived, as_of=as_of)
            own = near.own(uuid_of(id))
            return near.nearest(own[1], own[0], first + 1, project)

        hits = self._live.ask(ask, snapshot=True)
        return [hit for hit in hits if hit.id != id][:first]

    def nearest(
        self,
        vector: bytes,
        *,
        space: str,
        first: int = 10,
        project: str | None = None,
        archived: bool = False,
        as_of: AsOf = NOW,
    ) -> list[Hit]:
        """See `Vectors.nearest`."""

        def ask(connection: Pg, schema: str) -> list[Hit]:
            near = _Near(self._milvus, connection, schema, archived=archived, as_of=as_of)
            return near.nearest(directions.asked(vector), space.encode(), first, project)

        return self._live.ask(ask, snapshot=True)


class _Near:
    """What is near as of a moment, in one generation and one snapshot of what holds."""

    def __init__(self, milvus: Milvus, connection: Pg, schema: str, *, archived: bool, as_of: AsOf) -> None:
        self._milvus = milvus
        self._connection = connection
        self._schema = schema
        self._collection = schema.strip('"')
        self._archived = archived
        self._as_of = as_of
        self._since = _written(connection, schema)

    def own(self, id: str) -> tuple[bytes, bytes]:
        """The space and the embedding of a resource. Raises: NotFound."""
        holds, values = _held("e", self._as_of)
        query = f"SELECT e.space, e.position FROM {self._schema}.embeddings e WHERE e.id = %s AND {holds}"
        row = self._connection.execute(f"{query} ORDER BY e.position DESC LIMIT 1", [id, *values]).fetchone()
        if row is None:
            raise NotFound(f"{id} has no embedding yet; wait for its analysis", id=id)
        space, position = row
        raw = self._milvus.vectors(self._collection, [position], since=self._since).get(position)
        if raw is None:
            message = f"{self._milvus.where} has lost the embedding of {id}; run: disco replay --view {similarity.NAME}"
            raise Unavailable(message)
        return space, raw

    def nearest(self, vector: bytes, space: bytes, first: int, project: str | None) -> list[Hit]:
        """The nearest of a space, the nearest first."""
        if first > MOST:
            raise LimitExceeded(f"at most {MOST} neighbours can be asked for, not {first}", limit=MOST)
        query, limit, seen = np.frombuffer(vector, dtype="<f4"), first, set[int]()
        hits: dict[str, Hit] = {}
        while True:
            where = self._where(space, project, seen if limit > MOST_FOUND else ())
            limit = min(limit, MOST_FOUND)
            found = self._milvus.near(self._collection, query, limit=limit, where=where, since=self._since)
            scores = {position: score for position, score in found if position not in seen}
            seen |= scores.keys()
            for id, position in self._holding(list(scores), space, project):
                hit = Hit(ResourceId(id), scores[position])
                hits[id] = max(hits.get(id, hit), hit, key=lambda hit: hit.score)
            if len(hits) >= first or not scores or len(found) < limit:
                return sorted(hits.values(), key=lambda hit: (-hit.score, hit.id))[:first]
            limit *= WIDER

    def _where(self, space: bytes, project: str | None, without: Collection[int]) -> str:
        """What Milvus is asked for: what is of the space and the project, and began by the moment."""
        clauses = [f"space == {number_of(space)}"]
        if project:
            clauses.append(f'project == "{uuid_of(project)}"')
        if self._as_of.position is not None:
            clauses.append(f"{KEY} <= {min(self._as_of.position, EVER)}")
        elif self._as_of.time_us is not None:
            clauses.append(f"time_us <= {min(self._as_of.time_us, EVER)}")
        if without:
            clauses.append(f"{KEY} not in [{','.join(map(str, without))}]")
        return " and ".join(clauses)

    def _holding(self, positions: list[int], space: bytes, project: str | None) -> list[tuple[str, int]]:
        """Id and position of those that hold, of what is not archived unless that is wanted too."""
        clauses: list[Clause] = [
            ("e.position = ANY(%s)", [positions]),
            ("e.space = %s", [space]),
            _held("e", self._as_of),
        ]
        if project:
            clauses.append(("e.project = %s", [uuid_of(project)]))
        if not self._archived:
            holds, values = _held("a", self._as_of)
            gone = f"SELECT 1 FROM {self._schema}.archived a WHERE a.id = e.id AND {holds}"
            clauses.append((f"NOT EXISTS ({gone})", values))
        where, values = together(*clauses)
        query = f"SELECT e.id::text, e.position FROM {self._schema}.embeddings e WHERE {where}"
        return self._connection.execute(query, values).fetchall()


@lru_cache(1024)
def number_of(space: bytes) -> int:
    """A number for the name of a space: names have any length, and quotes."""
    return int.from_bytes(hashlib.sha256(space).digest()[:8]) >> 1


def _held(table: str, as_of: AsOf) -> Clause:
    """Whether a row holds at a moment."""
    if as_of.position is not None:
        return f"{table}.position <= %s AND {table}.until > %s", [as_of.position] * 2
    if as_of.time_us is not None:
        return f"{table}.time_us <= %s AND {table}.until_us > %s", [as_of.time_us] * 2
    return f"{table}.until = {EVER}", []


def _written(connection: Pg, schema: str) -> int:
    """When Milvus was last written to, in its own time; 0 for never."""
    row = connection.execute(f"SELECT coalesce(max(at), 0) FROM {schema}.written").fetchone()
    return int(row[0]) if row else 0
