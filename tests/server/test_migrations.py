"""Migrations: applied once, in order, all or none, by one of many; and what lay in the tables is still there."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from domain.errors import Conflict, NewerVersion, Unavailable
from infra.server.migrating import Migration, migrate, migrations
from infra.server.postgres import Postgres, set_local

FIRST = Migration(1, "songs", "CREATE TABLE songs (name text NOT NULL); INSERT INTO songs VALUES ('nocturne')")
SECOND = Migration(2, "lengths", "ALTER TABLE songs ADD length_s int; UPDATE songs SET length_s = 0")
THIRD = Migration(3, "more", "INSERT INTO songs VALUES ('étude', 60)")
DATA = Path(__file__).parent / "migrated"
RELEASED = migrations()


def _songs(postgres: Postgres) -> list[tuple[object, ...]]:
    with postgres.read() as connection:
        return connection.execute("SELECT * FROM songs").fetchall()


def test_each_step_is_taken_once_in_order(postgres: Postgres) -> None:
    """Given two steps, then a third, then all are taken once, and a fourth time of asking does nothing."""
    assert migrate(postgres, [FIRST, SECOND]) == [1, 2]
    assert migrate(postgres, [FIRST, SECOND, THIRD]) == [3]
    assert migrate(postgres, [FIRST, SECOND, THIRD]) == []
    assert _songs(postgres) == [("nocturne", 0), ("étude", 60)]


def test_a_step_that_fails_leaves_none_of_those_before_it(postgres: Postgres) -> None:
    """Given a fault in the third of three steps, then none was taken; once it is mended, all are."""
    faulty = Migration(3, "more", "INSERT INTO nowhere VALUES (1)")
    with pytest.raises(Exception, match="nowhere"):
        migrate(postgres, [FIRST, SECOND, faulty])
    assert migrate(postgres, [FIRST, SECOND, THIRD]) == [1, 2, 3]


def test_of_many_that_begin_at_once_one_goes(postgres: Postgres) -> None:
    """Given six at once, then the steps are taken once, and all of them find the tables as they should be."""
    with ThreadPoolExecutor(6) as pool:
        taken = list(pool.map(lambda _: migrate(postgres, [FIRST, SECOND, THIRD]), range(6)))
    assert sorted(taken) == [[], [], [], [], [], [1, 2, 3]]
    assert len(_songs(postgres)) == 2


def test_a_step_that_was_changed_afterwards_is_refused(postgres: Postgres) -> None:
    """Given another text under a number that was applied, then Conflict, and nothing further is done."""
    migrate(postgres, [FIRST])
    with pytest.raises(Conflict, match="migration 1"):
        migrate(postgres, [Migration(1, "songs", FIRST.statements + ";"), SECOND])
    assert _songs(postgres) == [("nocturne",)]


def test_a_step_before_one_that_was_applied_is_refused(postgres: Postgres) -> None:
    """Given two branches that numbered alike, then the one that comes late is told to take a later number."""
    migrate(postgres, [FIRST, Migration(3, "other", "SELECT 1")])
    with pytest.raises(Conflict, match="later number"):
        migrate(postgres, [FIRST, SECOND, Migration(3, "other", "SELECT 1")])


def test_tables_of_a_later_release_are_left_alone(postgres: Postgres) -> None:
    """Given steps that this release does not know, then NewerVersion."""
    migrate(postgres, [FIRST, SECOND])
    with pytest.raises(NewerVersion, match="upgrade"):
        migrate(postgres, [FIRST])


def test_a_server_that_is_down_is_unavailable() -> None:
    """Given nobody there, then Unavailable."""
    postgres = Postgres("postgresql://ada@127.0.0.1:9/music", take_s=0.2)
    with pytest.raises(Unavailable):
        migrate(postgres)
    postgres.close()


def test_released_steps_are_numbered_without_gaps() -> None:
    """Given this release, then its steps are numbered from 1 on."""
    assert [step.number for step in RELEASED] == list(range(1, len(RELEASED) + 1))


@pytest.mark.parametrize("number", range(1, len(RELEASED) + 1))
def test_what_an_earlier_version_held_is_held_after_all_steps(postgres: Postgres, number: int) -> None:
    """Given an installation as of each step, with a row in every table, then no later step loses or fails on any.

    A step that makes tables brings `migrated/NNNN.sql`, which puts rows into them as its release would have.
    """
    migrate(postgres, RELEASED[:number])
    with postgres.transaction() as connection:
        for step in range(1, number + 1):
            rows = DATA / f"{step:04}.sql"
            if rows.exists():
                connection.execute(rows.read_text())
    before = _held(postgres)
    assert all(before.values()), f"{DATA} holds no row for {[name for name, count in before.items() if not count]}"
    migrate(postgres)
    after = _held(postgres)
    assert {name: after[name] for name in before if name in after} == before
    assert before.keys() <= after.keys()


def _held(postgres: Postgres) -> dict[str, int]:
    """Table -> how many rows it has."""
    with postgres.transaction() as connection:
        set_local(connection, "search_path", postgres.schema)
        query = "SELECT tablename FROM pg_tables WHERE schemaname = %s AND tablename != 'migrations'"
        names = [name for (name,) in connection.execute(query, (postgres.schema,))]
        counts = {}
        for name in sorted(names):
            row = connection.execute(f"SELECT count(*) FROM {name}").fetchone()  # noqa: S608
            counts[name] = int(row[0]) if row else 0
        return counts
