"""Measurements under every edition of TimescaleDB: hypertables where they are, plain tables where not, same answers."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from random import Random
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest
from structlog.testing import capture_logs

from domain import ids
from domain.views import At
from events.envelope import to_microseconds
from infra.server import timescale
from infra.server.generations import Live
from infra.server.migrating import add_timescale
from infra.server.postgres import Postgres, identifier
from infra.server.series import PgSeries, SeriesStore
from infra.server.timescale import DAY_US, HOUR_US, Edition, Policies
from tests.builders import BEGINNING_US
from tests.servers import Addresses, fresh_name

PROJECTS = [ids.project_id(name) for name in "ab"]
YEAR_US = 365 * DAY_US
FOR_EVER = Policies()
Measured = tuple[str, str, int, float]
"""Name, project, time and value; the position is its place in the list."""


def _measured(count: int, years: int = 3) -> list[Measured]:
    random = Random(5)
    return [
        (
            random.choice(("loudness_lufs", "tempo_bpm")),
            random.choice(PROJECTS),
            BEGINNING_US + random.randrange(years * YEAR_US),
            random.randrange(-160, 0) / 4,  # sums are exact, whatever their order
        )
        for _ in range(count)
    ]


def _stored(
    postgres: Postgres, points: Sequence[Measured], *, fresh: bool = False, policies: Policies = FOR_EVER
) -> SeriesStore:
    store = SeriesStore(postgres.schema, policies)
    with postgres.transaction() as connection:
        store.create(connection, 1)
        rows = store.rows(connection, 1, fresh=fresh)
        for position, (name, project, time_us, value) in enumerate(points, 1):
            subject = ids.derived("asset", position)
            rows.point(name, project=project, subject=subject, value=value, at=At(position, time_us))
        rows.flush()
        store.finish(connection, 1)
    return store


def _content(postgres: Postgres, store: SeriesStore) -> list[tuple[str, str]]:
    with postgres.read(snapshot=True) as connection:
        return list(store.content(connection, 1))


def _edition(postgres: Postgres) -> Edition:
    with postgres.read() as connection:
        return timescale.edition(connection)


@contextmanager
def _database(servers: Addresses, role: str | None = None) -> Iterator[Postgres]:
    """A database of its own, as PostgreSQL makes one: without TimescaleDB; `role` may but look at it."""
    name = fresh_name()
    parts = urlsplit(servers.postgres)
    login = f"{role}:{role}@{parts.hostname}:{parts.port}" if role else parts.netloc
    with psycopg.connect(servers.postgres, autocommit=True) as admin:
        if role:
            admin.execute(f"CREATE ROLE {role} LOGIN PASSWORD '{role}'")
        admin.execute(f"CREATE DATABASE {name}")
        postgres = Postgres(urlunsplit(parts._replace(netloc=login, path=f"/{name}")), prefix="plain")
        try:
            yield postgres
        finally:
            postgres.close()
            admin.execute(f"DROP DATABASE {name} WITH (FORCE)")
            if role:
                admin.execute(f"DROP ROLE {role}")


def _kept_from(time_us: int) -> Policies:
    """What keeps points from this time on, if they are looked at now."""
    return Policies(drop_after_us=time.time_ns() // 1000 - time_us)


def test_points_lie_in_chunks_by_time_and_old_chunks_are_dropped(postgres: Postgres) -> None:
    """Given points of three years in a hypertable, of which the first is too old, then its chunks go and no others."""
    add_timescale(postgres)
    if _edition(postgres) is Edition.COMMUNITY:
        pytest.skip("this server's own policies drop what is old")
    start, points = BEGINNING_US + YEAR_US, _measured(300)
    store = _stored(postgres, points, policies=_kept_from(start))
    query = "SELECT count(*) FROM timescaledb_information.chunks WHERE hypertable_schema = %s"
    schema = f"{postgres.schema}_measurements_1"
    with postgres.transaction() as connection:
        (chunks,) = connection.execute(query, (schema,)).fetchone() or (0,)
        assert chunks >= 3 * YEAR_US // timescale.CHUNK_US
        SeriesStore(postgres.schema).expire(connection, 1)
        assert connection.execute(query, (schema,)).fetchone() == (chunks,)
        store.expire(connection, 1)
        (left,) = connection.execute(query, (schema,)).fetchone() or (0,)
        assert 0 < left < chunks
        rows = connection.execute(f"SELECT time_us FROM {identifier(schema)}.points").fetchall()  # noqa: S608
    kept = {time_us for (time_us,) in rows}
    assert kept >= {time_us for _, _, time_us, _ in points if time_us >= start + HOUR_US}
    assert all(time_us >= start - timescale.CHUNK_US for time_us in kept)


def test_plain_postgresql_holds_and_answers_the_same(postgres: Postgres, servers: Addresses) -> None:
    """Given a database without the extension, then a warning, and the same points, buckets, hours and content."""
    add_timescale(postgres)
    points = _measured(200)
    with _database(servers) as plain:
        assert _edition(plain) is Edition.NONE
        with capture_logs() as said:
            stored = _stored(plain, points, policies=_kept_from(BEGINNING_US + YEAR_US))
        assert "no_timescaledb" in [entry["event"] for entry in said]
        store = _stored(postgres, points)
        assert _content(plain, stored) == _content(postgres, store) != []
        tables, hypertables = (PgSeries(Live(each, store.name, lambda: 1)) for each in (plain, postgres))
        for bucket_us in (0, 7, HOUR_US, 90 * DAY_US):
            for project in (None, *PROJECTS):
                asked = {"project": project, "bucket_us": bucket_us, "from_us": BEGINNING_US + YEAR_US}
                found = tables.points("tempo_bpm", **asked)  # type: ignore[arg-type]  # of several types
                assert found == hypertables.points("tempo_bpm", **asked) != []  # type: ignore[arg-type]  # the same
        with plain.transaction() as connection:
            stored.expire(connection, 1)
            (oldest,) = connection.execute("SELECT min(time_us) FROM plain_measurements_1.points").fetchone() or (0,)
        assert oldest >= BEGINNING_US + YEAR_US


def test_where_the_extension_may_not_be_added_it_is_done_without(servers: Addresses) -> None:
    """Given a role that may not add extensions, then a warning says so, and nothing fails."""
    with _database(servers, role=fresh_name("r")) as postgres:
        with capture_logs() as said:
            add_timescale(postgres)
        assert [entry["event"] for entry in said] == ["no_timescaledb"]
        assert _edition(postgres) is Edition.NONE


def test_the_extension_is_added_once_where_it_can_be(servers: Addresses) -> None:
    """Given a database without it, then it is there after one asking, and a second changes nothing."""
    with _database(servers) as postgres:
        for _ in range(2):
            add_timescale(postgres)
            assert _edition(postgres) is not Edition.NONE


def test_hours_are_sums_over_each_hour(postgres: Postgres) -> None:
    """Given points, then `hours` has a row for each series, project and hour, with what arithmetic gives."""
    points = [(name, project, BEGINNING_US + at, value) for name, project, at, value in _measured(90)]
    points = [(name, project, BEGINNING_US + at % (5 * HOUR_US), value) for name, project, at, value in points]
    _stored(postgres, points)
    expected: dict[tuple[str, str, int], list[float]] = {}
    for name, project, time_us, value in points:
        expected.setdefault((name, project, time_us // HOUR_US * HOUR_US), []).append(value)
    with postgres.read() as connection:
        schema = identifier(f"{postgres.schema}_measurements_1")
        rows = connection.execute(
            f"""SELECT n.text, h.project::text, h.hour_us, h.count, h.total, h.minimum, h.maximum
                FROM {schema}.hours h JOIN {schema}.names n USING (name)"""  # noqa: S608
        ).fetchall()
    assert len(rows) == len(expected)
    for name, project, hour_us, count, total, minimum, maximum in rows:
        values = expected[name, project, hour_us]
        assert (count, minimum, maximum) == (len(values), min(values), max(values))
        assert total == pytest.approx(sum(values))


def test_the_question_that_the_manual_asks_is_answered(postgres: Postgres) -> None:
    """Given loudness of a minute, then the manual's question for a dashboard gives its hour and its mean."""
    _stored(postgres, [("loudness_lufs", PROJECTS[0], BEGINNING_US + at, -20.0 - at) for at in (0, 1)])
    page = (Path(__file__).parents[2] / "docs" / "how-to" / "postgresql.md").read_text()
    asked = page.split("```sql")[1].split("```")[0].replace("disco_measurements_2", f"{postgres.schema}_measurements_1")
    with postgres.read() as connection:
        ((hour, mean),) = connection.execute(asked).fetchall()
    assert (to_microseconds(hour), mean) == (BEGINNING_US // HOUR_US * HOUR_US, -20.5)


RICHER = Policies(compress_after_us=30 * DAY_US, drop_after_us=YEAR_US)


def test_the_richer_edition_is_asked_for_what_it_has(postgres: Postgres) -> None:
    """Given the richer edition, then continuous aggregates, compression and retention are asked for, well formed.

    The Apache edition knows these statements and refuses each for its licence alone; any fault in one would come first.
    """
    add_timescale(postgres)
    _stored(postgres, _measured(5))
    schema = identifier(f"{postgres.schema}_measurements_1")
    statements = [
        part for text in timescale.to_finish(Edition.COMMUNITY, schema, RICHER) for part in text.split(";\n") if part
    ]
    for wanted in ("timescaledb.continuous", "add_continuous_aggregate_policy", "timescaledb.compress,",
                   "add_compression_policy", "add_retention_policy"):  # fmt: skip
        assert sum(wanted in statement for statement in statements) == 1
    if _edition(postgres) is Edition.COMMUNITY:
        pytest.skip("this server has the richer edition: `finish` has just run them")
    for statement in statements:
        with pytest.raises(psycopg.errors.FeatureNotSupported, match="licen"), postgres.transaction() as connection:
            connection.execute(statement)


def test_nothing_is_dropped_or_compressed_that_was_not_asked_to_be() -> None:
    """Given no policy for the old, then neither compression nor retention is asked for; elsewhere never."""
    nothing = " ".join(timescale.to_finish(Edition.COMMUNITY, '"s"', Policies(None, None)))
    assert "compress" not in nothing
    assert "retention" not in nothing
    for edition in (Edition.APACHE, Edition.NONE):
        less = " ".join([*timescale.to_create(edition, '"s"'), *timescale.to_finish(edition, '"s"', RICHER)])
        assert "policy" not in less
        assert "continuous" not in less


def test_copied_rows_are_those_that_are_inserted(postgres: Postgres) -> None:
    """Given odd values and times, copied into a fresh generation or inserted into another, then both hold the same."""
    values = [0.0, -0.0, 1e300, 5e-324, 0.1, -23.456]
    points = [("loudness_lufs", PROJECTS[0], at, value) for at, value in enumerate(values)]
    points += [("é 'quoted' \t", PROJECTS[1], 253_402_300_799_999_999, 1.0)]
    copied = _content(postgres, _stored(postgres, points, fresh=True))
    with postgres.transaction() as connection:
        SeriesStore(postgres.schema).drop(connection, 1)
    assert _content(postgres, _stored(postgres, points)) == copied
    assert [eval(told)[2] for _, told in copied[:-1]] == values  # noqa: S307  # a list that `repr` wrote
    assert str(eval(copied[1][1])[2]) == "-0.0"  # noqa: S307  # the same
