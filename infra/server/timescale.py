"""What TimescaleDB there is, and what is asked of it: hypertables anywhere, more where its licence has more.

The Apache edition has hypertables, time_bucket and drop_chunks. Continuous aggregates, compression and policies are in
the community edition (`timescaledb.license = 'timescale'`). Without the extension, measurements lie in a plain table.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from infra.server.postgres import Pg

DAY_US = 86_400_000_000
HOUR_US = 3_600_000_000
CHUNK_US = 90 * DAY_US
"""Histories are long and thin: with small chunks, planning a question about all of one would take most of its time."""


class Edition(Enum):
    """What this server's TimescaleDB can do."""

    COMMUNITY = "community"
    APACHE = "apache"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Policies:
    """What becomes of old measurements. None: they stay as they are, and for ever.

    What `drop_after_us` drops, a comparison with the log names as missing: the log still has it.
    """

    compress_after_us: int | None = 30 * DAY_US
    drop_after_us: int | None = None


def edition(connection: Pg) -> Edition:
    """What is there."""
    query = "SELECT current_setting('timescaledb.license', true) FROM pg_extension WHERE extname = 'timescaledb'"
    row = connection.execute(query).fetchone()
    if row is None:
        return Edition.NONE
    return Edition.COMMUNITY if row[0] == "timescale" else Edition.APACHE


HYPERTABLE = """
SELECT create_hypertable(
    '{s}.points', by_range('time_us', {chunk}), create_default_indexes => false, if_not_exists => true);
CREATE OR REPLACE FUNCTION {s}.now_us() RETURNS bigint LANGUAGE sql STABLE AS
    'SELECT (extract(epoch FROM now()) * 1000000)::bigint';
SELECT set_integer_now_func('{s}.points', '{s}.now_us', replace_if_exists => true);
"""
HOURS = """
SELECT name, project, {bucket} AS hour_us, count(*) AS count, sum(value) AS total, min(value) AS minimum,
    max(value) AS maximum
FROM {s}.points GROUP BY name, project, {bucket}
"""
VIEW = "CREATE OR REPLACE VIEW {s}.hours AS {hours}"
AGGREGATE = """
CREATE MATERIALIZED VIEW IF NOT EXISTS {s}.hours
    WITH (timescaledb.continuous, timescaledb.materialized_only = false) AS {hours} WITH NO DATA;
SELECT add_continuous_aggregate_policy('{s}.hours', start_offset => NULL, end_offset => {hour}::bigint,
    schedule_interval => INTERVAL '1 hour', if_not_exists => true);
"""
COMPRESS = """
ALTER TABLE {s}.points SET (timescaledb.compress, timescaledb.compress_segmentby = 'project, name',
    timescaledb.compress_orderby = 'time_us, position');
SELECT add_compression_policy('{s}.points', compress_after => {after}::bigint, if_not_exists => true);
"""
RETAIN = "SELECT add_retention_policy('{s}.points', drop_after => {after}::bigint, if_not_exists => true)"


def bucket(found: Edition, width: str, time: str) -> str:
    """The start of the bucket that a time lies in, in SQL; buckets are counted from 1970."""
    if found is Edition.NONE:
        return f"{time} / {width} * {width}"
    return f"time_bucket({width}, {time})"


def to_create(found: Edition, schema: str) -> list[str]:
    """What makes a table of points keep its rows by time, where that can be had. `schema` is quoted."""
    return [] if found is Edition.NONE else [HYPERTABLE.format(s=schema, chunk=CHUNK_US)]


def to_expire(found: Edition, schema: str) -> str:
    """What drops points that are older than so many microseconds; empty where the server has its orders."""
    if found is Edition.COMMUNITY:
        return ""
    before = "(extract(epoch FROM now()) * 1000000)::bigint - %s"
    if found is Edition.NONE:
        return f"DELETE FROM {schema}.points WHERE time_us < {before}"
    return f"SELECT drop_chunks('{schema}.points', older_than => {before})"


def to_finish(found: Edition, schema: str, policies: Policies) -> list[str]:
    """What gives readers `hours`, and the server its orders about what is old, where it takes any."""
    hours = HOURS.format(s=schema, bucket=bucket(found, f"{HOUR_US}::bigint", "time_us"))
    if found is not Edition.COMMUNITY:
        return [VIEW.format(s=schema, hours=hours)]
    made = [AGGREGATE.format(s=schema, hours=hours, hour=HOUR_US)]
    if policies.compress_after_us is not None:
        made.append(COMPRESS.format(s=schema, after=policies.compress_after_us))
    if policies.drop_after_us is not None:
        made.append(RETAIN.format(s=schema, after=policies.drop_after_us))
    return made
