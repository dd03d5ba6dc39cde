"""The lineage graph as it lies in SQLite: nodes and edges by integer keys, with the positions they hold between."""

from __future__ import annotations

from collections.abc import Iterator

import apsw
import orjson

from domain.views import (
    At,
    Facts,
    Kind,
    Relation,
)
from infra.content import edge_row, node_row
from infra.embedded.rows import fetch_one, key_of

EVER = (1 << 62) - 1
CACHED_KEYS = 200_000
FINDINGS = 1 << 40
"""Above it lie the keys of analyses: FINDINGS + position. Their ids, random and by far the most, are not indexed
while a generation is built, so that its rate does not fall as it grows."""
RELATIONS = tuple(Relation)
NAMES = tuple(relation.value for relation in RELATIONS)
CODES = {relation: code for code, relation in enumerate(RELATIONS)}

SCHEMA = """
CREATE TABLE {t}_ids (key INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE);
CREATE TABLE {t}_nodes (
    key INTEGER NOT NULL, since INTEGER NOT NULL, until INTEGER NOT NULL, since_us INTEGER NOT NULL,
    until_us INTEGER NOT NULL, id BLOB NOT NULL, born INTEGER NOT NULL, born_us INTEGER NOT NULL, kind TEXT NOT NULL,
    variant TEXT NOT NULL, label TEXT NOT NULL, project BLOB NOT NULL, archived INTEGER NOT NULL, facts BLOB NOT NULL,
    PRIMARY KEY (key, since)) WITHOUT ROWID;
CREATE TABLE {t}_edges (
    down INTEGER NOT NULL, up INTEGER NOT NULL, relation INTEGER NOT NULL, since INTEGER NOT NULL,
    until INTEGER NOT NULL, since_us INTEGER NOT NULL, until_us INTEGER NOT NULL,
    PRIMARY KEY (down, up, relation, since)) WITHOUT ROWID;
CREATE INDEX {t}_downstream ON {t}_edges (up, down, relation, since, until, since_us, until_us);
"""
INDEXES = f"CREATE INDEX {{t}}_findings ON {{t}}_nodes (id) WHERE key >= {FINDINGS};"
TABLES = ("ids", "nodes", "edges")
NODE_COLUMNS = (
    *("key", "since", "until", "since_us", "until_us", "id", "born", "born_us", "kind"),
    *("variant", "label", "project", "archived", "facts"),
)


class SqliteGraphRows:
    """`GraphRows` for one page: rows are gathered, then written together by `flush`."""

    def __init__(self, connection: apsw.Connection, table: str, keys: dict[str, int]) -> None:
        self._connection = connection
        self._table = table
        self._keys = keys
        self._new = f"INSERT INTO {table}_ids (id) VALUES (?) ON CONFLICT DO NOTHING RETURNING key"
        self._fresh: set[int] = set()
        self._nodes: list[tuple[object, ...]] = []
        self._gathered: dict[int, int] = {}  # key -> where its newest version stands among the nodes
        self._edges: list[tuple[int, int, int, int, int, int, int]] = []

    def _key(self, id: str) -> int:
        key = self._keys.get(id)
        if key is None:
            values = (key_of(id),)
            key = fetch_one(self._connection, self._new, values)
            if key is None:
                key = fetch_one(self._connection, f"SELECT key FROM {self._table}_ids WHERE id = ?", values)
            else:
                self._fresh.add(key)
            self._keys[id] = key
        return key

    def node(self, kind: Kind, id: str, *, variant: str, label: str, project: str, at: At, facts: Facts) -> None:
        """See `GraphRows.node`."""
        key = self._key(id)
        if key in self._fresh:
            self._fresh.discard(key)
        elif self._has_node(key):
            return
        self._add(key, kind, id, variant, label, project, at, facts)

    def finding(self, id: str, asset: str, *, variant: str, project: str, at: At, facts: Facts) -> None:
        """See `GraphRows.finding`. Its key follows from its position, so nothing has to be looked up."""
        key = self._keys[id] = FINDINGS + at.position
        self._add(key, Kind.ANALYSIS, id, variant, variant, project, at, facts)
        code = CODES[Relation.ANALYSED_AS]
        self._edges.append((key, self._key(asset), code, at.position, EVER, at.time_us, EVER))

    def _add(self, key: int, kind: Kind, id: str, variant: str, label: str, project: str, at: At, facts: Facts) -> None:
        position, time_us = at.position, at.time_us
        place = (key, position, EVER, time_us, EVER, key_of(id), position, time_us)
        self._gathered[key] = len(self._nodes)
        self._nodes.append((*place, kind.value, variant, label, key_of(project), 0, orjson.dumps(facts)))

    def _has_node(self, key: int) -> bool:
        if key in self._gathered:
            return True
        query = f"SELECT 1 FROM {self._table}_nodes WHERE key = ? LIMIT 1"
        return self._connection.execute(query, (key,)).get is not None

    def relabel(self, id: str, label: str, at: At, *, within: str | None = None) -> None:
        """See `GraphRows.relabel`."""
        self._amend(id, "label", label, at, within)

    def archive(self, id: str, archived: bool, at: At, *, within: str | None = None) -> None:
        """See `GraphRows.archive`."""
        self._amend(id, "archived", int(archived), at, within)

    def _amend(self, id: str, column: str, value: object, at: At, within: str | None) -> None:
        if within is not None:  # seldom; and a finding that came twice is gathered though it is stored
            self.flush()
        key = self._key(id) if within is None else self._finding_key(within, id)
        place = self._gathered.get(key)
        if place is None:
            self._amend_stored(key, column, value, at)
            return
        newest = dict(zip(NODE_COLUMNS, self._nodes[place], strict=True))
        if newest["since"] >= at.position:  # type: ignore[operator]  # positions
            return
        ended = {**newest, "until": at.position, "until_us": at.time_us}
        renewed = {**newest, "since": at.position, "since_us": at.time_us, column: value}
        self._nodes[place] = tuple(ended.values())
        self._gathered[key] = len(self._nodes)
        self._nodes.append(tuple(renewed.values()))

    def _amend_stored(self, key: int, column: str, value: object, at: At) -> None:
        nodes = f"{self._table}_nodes"
        since = fetch_one(self._connection, f"SELECT max(since) FROM {nodes} WHERE key = ?", (key,))
        if since is None or since >= at.position:
            return
        given = {"since": at.position, "since_us": at.time_us, column: value}
        copied = ", ".join("?" if name in given else name for name in NODE_COLUMNS)
        values = [given[name] for name in NODE_COLUMNS if name in given]
        self._connection.execute(
            f"INSERT INTO {nodes} SELECT {copied} FROM {nodes} WHERE key = ? AND since = ?",
            (*values, key, since),
        )
        self._connection.execute(
            f"UPDATE {nodes} SET until = ?, until_us = ? WHERE key = ? AND since = ?",
            (at.position, at.time_us, key, since),
        )

    def edge(self, relation: Relation, upstream: str, downstream: str, at: At, *, within: str | None = None) -> None:
        """See `GraphRows.edge`."""
        up = self._key(upstream) if within is None else self._finding_key(within, upstream)
        self._edges.append((self._key(downstream), up, CODES[relation], at.position, EVER, at.time_us, EVER))

    def _finding_key(self, asset: str, finding: str) -> int:
        if finding in self._keys:
            return self._keys[finding]
        query = f"""SELECT n.key FROM {self._table}_edges e JOIN {self._table}_nodes n ON n.key = e.down
                    WHERE e.up = ? AND e.relation = ? AND n.id = ? LIMIT 1"""
        values = (self._key(asset), CODES[Relation.ANALYSED_AS], key_of(finding))
        key: int | None = fetch_one(self._connection, query, values)
        if key is None:
            return self._key(finding)
        self._keys[finding] = key
        return key

    def end_edge(self, relation: Relation, upstream: str, downstream: str, at: At) -> None:
        """See `GraphRows.end_edge`."""
        self.flush()
        self._connection.execute(
            f"UPDATE {self._table}_edges SET until = ?, until_us = ?"
            " WHERE down = ? AND up = ? AND relation = ? AND until = ? AND since < ?",
            (at.position, at.time_us, self._key(downstream), self._key(upstream), CODES[relation], EVER, at.position),
        )

    def flush(self) -> None:
        """Write what was gathered."""
        for name, columns, rows in (("nodes", 14, self._nodes), ("edges", 7, self._edges)):
            if rows:
                marks = ", ".join("?" * columns)
                self._connection.executemany(
                    f"INSERT OR IGNORE INTO {self._table}_{name} VALUES ({marks})",
                    rows,
                )
                rows.clear()
        self._gathered.clear()
        if len(self._keys) > CACHED_KEYS:
            self._keys.clear()


def content(connection: apsw.Connection, table: str) -> Iterator[tuple[str, str]]:
    """Every row as (key, content), in order of key, without what only this store knows."""
    edges = f"""SELECT hex(coalesce(u.id, uf.id)) || ' > ' || hex(coalesce(d.id, df.id)) || ' ' || e.relation || '@'
                       || e.since, e.until, e.since_us, e.until_us
                FROM {table}_edges e
                LEFT JOIN {table}_ids u ON u.key = e.up LEFT JOIN {table}_nodes uf ON uf.key = e.up
                LEFT JOIN {table}_ids d ON d.key = e.down LEFT JOIN {table}_nodes df ON df.key = e.down
                GROUP BY e.down, e.up, e.relation, e.since ORDER BY 1"""
    for key, *rest in connection.execute(edges):
        yield edge_row(key, rest)
    nodes = f"""SELECT hex(id) || '@' || since, kind, variant, label, hex(project), archived, born, born_us, until,
                       since_us, until_us, facts
                FROM {table}_nodes ORDER BY 1"""
    for key, *rest in connection.execute(nodes):
        yield node_row(key, rest)
