"""PostgreSQL as every server adapter uses it: transactions, snapshots, and errors that say what is down."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from domain.errors import Corrupted, DiscoError, Malformed, Unavailable
from infra.server.postgres import Crossed, Pg, Postgres, identifier
from tests.servers import Addresses


def _table(postgres: Postgres, rows: int = 2) -> None:
    with postgres.transaction() as connection:
        connection.execute(f"CREATE SCHEMA {identifier(postgres.schema)}")
        connection.execute("CREATE TABLE counts (id int PRIMARY KEY, count int NOT NULL)")
        connection.execute("INSERT INTO counts SELECT id, 0 FROM generate_series(1, %s) id", (rows,))


def _counts(postgres: Postgres) -> list[int]:
    with postgres.read() as connection:
        return [count for (count,) in connection.execute("SELECT count FROM counts ORDER BY id")]


def test_what_a_transaction_did_is_there_whole_or_not_at_all(postgres: Postgres) -> None:
    """Given a transaction that ends in an error, then nothing of it is there; of one that does not, all is."""
    _table(postgres)
    with pytest.raises(psycopg.errors.DivisionByZero), postgres.transaction() as connection:
        connection.execute("UPDATE counts SET count = 7 / (id - 2)")
    assert _counts(postgres) == [0, 0]
    with postgres.transaction() as connection:
        connection.execute("UPDATE counts SET count = 7")
    assert _counts(postgres) == [7, 7]


def test_a_snapshot_sees_one_moment_and_cannot_write(postgres: Postgres) -> None:
    """Given a commit between two of its questions, then a snapshot does not see it, a plain read does."""
    _table(postgres)
    with postgres.read(snapshot=True) as snapshot, postgres.read() as plain:
        query = "SELECT sum(count) FROM counts"
        assert snapshot.execute(query).fetchone() == plain.execute(query).fetchone() == (0,)
        with postgres.transaction() as connection:
            connection.execute("UPDATE counts SET count = 1")
        assert snapshot.execute(query).fetchone() == (0,)
        assert plain.execute(query).fetchone() == (2,)
    with pytest.raises(Unavailable, match="read-only"), postgres.read(snapshot=True) as snapshot:
        snapshot.execute("UPDATE counts SET count = 1")


def test_transactions_that_cross_are_done_again_until_each_has_counted(postgres: Postgres) -> None:
    """Given eight threads that lock two rows in either order, twenty times each, then every one of them counted."""
    _table(postgres)

    def count(number: int) -> None:
        first, second = (1, 2) if number % 2 else (2, 1)

        def work(connection: Pg) -> None:
            connection.execute("SET LOCAL deadlock_timeout = '10ms'")
            for id in (first, second):
                connection.execute("UPDATE counts SET count = count + 1 WHERE id = %s", (id,))

        for _ in range(20):
            postgres.retrying(work, attempts=100)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(count, range(8)))
    assert _counts(postgres) == [160, 160]


def test_what_keeps_crossing_is_unavailable_after_so_many_attempts(postgres: Postgres) -> None:
    """Given work that is broken off each time, then it was tried as often as was said, and can be retried later."""
    tried = []

    def work(connection: Pg) -> None:
        tried.append(1)
        _raised(connection, "40001")

    with pytest.raises(Unavailable) as raised:
        postgres.retrying(work, attempts=3, sleep=lambda _: None)
    assert len(tried) == 3
    assert raised.value.retryable


def _raised(connection: Pg, code: str) -> None:
    """Have the server raise an error of its own."""
    connection.execute(f"DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '{code}', MESSAGE = 'so it is'; END $$")


# Source: PostgreSQL, appendix A, error codes.
CODES: dict[str, type[DiscoError]] = {
    "40001": Crossed,  # serialization_failure
    "40P01": Crossed,  # deadlock_detected
    "53100": Unavailable,  # disk_full
    "53200": Unavailable,  # out_of_memory
    "53300": Unavailable,  # too_many_connections
    "57014": Unavailable,  # query_canceled
    "57P01": Unavailable,  # admin_shutdown
    "57P03": Unavailable,  # cannot_connect_now
    "58030": Unavailable,  # io_error
    "25006": Unavailable,  # read_only_sql_transaction, on a server that was made a standby
    "XX001": Corrupted,  # data_corrupted
}


@pytest.mark.parametrize("code", CODES)
def test_what_the_server_raises_is_told_as_ours(postgres: Postgres, code: str) -> None:
    """Given an error of the server, then it is one of ours, says what the server said and where, and never who."""
    with pytest.raises(CODES[code]) as raised, postgres.transaction() as connection:
        _raised(connection, code)
    assert type(raised.value) is CODES[code]
    assert postgres.where in str(raised.value)
    if CODES[code] is Unavailable:
        assert raised.value.details["retry_s"]
    assert "so it is" in str(raised.value) or CODES[code] is Crossed


def test_a_connection_that_died_in_the_pool_is_replaced_unseen(postgres: Postgres) -> None:
    """Given connections ended from outside while idle, as a restart does, then the next read is answered."""
    with postgres.read() as first, postgres.read() as second:
        pids = [connection.info.backend_pid for connection in (first, second)]
    with postgres.session() as other:
        other.execute("SELECT pg_terminate_backend(pid, 5000) FROM unnest(%s::int[]) pid", (pids,))
    for _ in pids:
        with postgres.read() as connection:
            assert connection.execute("SELECT 1").fetchone() == (1,)


def test_a_transaction_whose_connection_dies_is_unavailable_and_left_nothing(postgres: Postgres) -> None:
    """Given a connection ended in mid-transaction, then Unavailable, and nothing of it is there."""
    _table(postgres)

    def work(connection: Pg) -> None:
        connection.execute("UPDATE counts SET count = 9")
        with postgres.session() as other:
            other.execute("SELECT pg_terminate_backend(%s)", (connection.info.backend_pid,))
        connection.execute("SELECT 1")

    with pytest.raises(Unavailable) as raised:
        postgres.retrying(work)
    assert raised.value.retryable
    assert _counts(postgres) == [0, 0]


def test_a_server_that_is_down_is_named_without_user_or_password() -> None:
    """Given nobody at an address, then Unavailable within the time to take a connection, naming host and database."""
    postgres = Postgres("postgresql://ada:lovelace@127.0.0.1:9/music", take_s=0.3)
    for attempt in (postgres.read, postgres.transaction, postgres.session):
        with pytest.raises(Unavailable) as raised, attempt():
            pass
        assert "PostgreSQL at 127.0.0.1:9/music" in str(raised.value)
        assert "ada" not in str(raised.value)
        assert "lovelace" not in str(raised.value)
    postgres.close()


def test_an_address_that_cannot_be_read_is_told_without_itself() -> None:
    """Given an address with a fault, then Malformed, and the password in it is not repeated."""
    with pytest.raises(Malformed) as raised:
        Postgres("postgresql://ada:love lace@127.0.0.1:9:8/music")
    assert "lace" not in str(raised.value)
    assert raised.value.__cause__ is None


@pytest.mark.parametrize("prefix", ["", "Disco", "1st", "a-b", "a.b", 'a"b', "a b", "x" * 41])
def test_a_prefix_that_cannot_name_a_schema_is_refused(prefix: str) -> None:
    """Given a prefix that would have to be quoted or is too long, then Malformed, before anything is asked."""
    with pytest.raises(Malformed):
        Postgres("postgresql://127.0.0.1:9/music", prefix=prefix)


def test_a_statement_that_takes_too_long_is_stopped(servers: Addresses) -> None:
    """Given a limit, then a slow statement is Unavailable soon; where a transaction asks for longer, it is answered."""
    postgres = Postgres(servers.postgres, prefix="slow", statement_s=0.2)
    with pytest.raises(Unavailable, match="too long"), postgres.read() as connection:
        connection.execute("SELECT pg_sleep(5)")
    with postgres.transaction(statement_s=0) as connection:
        connection.execute("SELECT pg_sleep(0.4)")
    postgres.close()


def test_no_more_connections_are_held_than_was_said(servers: Addresses) -> None:
    """Given two connections and both taken, then a third waits, and is Unavailable if none comes back in time."""
    postgres = Postgres(servers.postgres, prefix="few", most=2, take_s=0.3)
    with postgres.read(), postgres.read(), pytest.raises(Unavailable, match="busy"), postgres.read():
        pass
    with postgres.read() as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
    postgres.close()
