"""Events as Kafka records: CloudEvents in binary mode, one header an attribute, the payload as the value.

Source: CloudEvents Kafka protocol binding 1.0.2, section 3.2.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Protocol

from domain.errors import Corrupted
from events.envelope import Recorded, dataschema, to_datetime, to_microseconds
from infra.event_rows import Row, recorded
from infra.keys import id_of, key_of, new_id

Headers = list[tuple[str, bytes]]
CONTENT_TYPE = ("content-type", b"application/json")
SPECVERSION = ("ce_specversion", b"1.0")


class Record(Protocol):
    """What a Kafka client gives, whichever it is."""

    @property
    def topic(self) -> str:
        """Where it lies."""

    @property
    def partition(self) -> int:
        """In which part of it."""

    @property
    def offset(self) -> int:
        """And where in that."""

    @property
    def value(self) -> bytes | None:
        """The payload."""

    @property
    def headers(self) -> Sequence[tuple[str, bytes]]:
        """The attributes."""


def headers_of(row: Row, previous: int) -> Headers:
    """The attributes of an event; `checksum` covers them and the payload.

    previous: the position of the event before it in its partition, 0 for the first: by it a reader tells a hole.
    """
    (position, sequence, checksum, id, project, subject, causation) = row[:7]
    (type, source, actor, correlation, version, time_us, duration_ms, _, finding) = row[7:]
    headers = [
        *_common(type, version, source, actor, correlation, project, finding),
        ("ce_id", new_id(id).encode()),
        ("ce_subject", id_of(subject).encode()),
        ("ce_time", _iso(time_us)),
        ("ce_sequence", b"%020d" % sequence),
        ("ce_position", b"%d" % position),
        ("ce_previous", b"%d" % previous),
        ("ce_checksum", b"%d" % checksum),
    ]
    if causation is not None:
        headers.append(("ce_causationid", id_of(causation).encode()))
    if duration_ms is not None:
        headers.append(("ce_durationms", b"%d" % duration_ms))
    return headers


@lru_cache(1024)
def _common(
    type: str, version: int, source: str, actor: str, correlation: str, project: bytes, finding: int
) -> tuple[tuple[str, bytes], ...]:
    """What events of a job have in common, made once: half of the relay's time went into headers."""
    told = (
        SPECVERSION,
        CONTENT_TYPE,
        ("ce_type", type.encode()),
        ("ce_dataschema", dataschema(type, version).encode()),
        ("ce_source", source.encode()),
        ("ce_actor", actor.encode()),
        ("ce_correlationid", correlation.encode()),
        ("ce_partitionkey", id_of(project).encode()),
    )
    return (*told, ("ce_finding", b"true")) if finding else told


def _iso(time_us: int) -> bytes:
    """Without a fraction where there is none, as RFC 3339 and `datetime` have it."""
    time_s, fraction_us = divmod(time_us, 1_000_000)
    return b"%b.%06dZ" % (_second(time_s), fraction_us) if fraction_us else b"%bZ" % _second(time_s)


@lru_cache(64)
def _second(time_s: int) -> bytes:
    return to_datetime(1_000_000 * time_s).isoformat().removesuffix("+00:00").encode()


@lru_cache(1024)
def _version(schema: bytes) -> int:
    return int(schema.rsplit(b".v", 1)[1].removesuffix(b".json"))


def row_of_record(record: Record) -> tuple[Row, int]:
    """The row that a record was made of, and the position of the one before it.

    Raises: Corrupted, naming topic, partition and offset, for a record that is not one of ours.
    """
    try:
        headers = dict(record.headers)
        duration, causation = headers.get("ce_durationms"), headers.get("ce_causationid")
        row: Row = (
            int(headers["ce_position"]),
            int(headers["ce_sequence"]),
            int(headers["ce_checksum"]),
            key_of(headers["ce_id"].decode()),
            key_of(headers["ce_partitionkey"].decode()),
            key_of(headers["ce_subject"].decode()),
            None if causation is None else key_of(causation.decode()),
            headers["ce_type"].decode(),
            headers["ce_source"].decode(),
            headers["ce_actor"].decode(),
            headers["ce_correlationid"].decode(),
            _version(headers["ce_dataschema"]),
            to_microseconds(datetime.fromisoformat(headers["ce_time"].decode())),
            None if duration is None else int(duration),
            record.value or b"",
            int("ce_finding" in headers),
        )
        return row, int(headers["ce_previous"])
    except Exception as error:  # whatever a stranger's record may raise
        where = f"{record.topic}[{record.partition}]@{record.offset}"
        raise Corrupted(f"the record at {where} is not one of our events: {error!r}", position=where) from error


@dataclass(slots=True)
class Partition:
    """What a reader has had of one partition: it takes each event once, in order, and none behind a hole.

    last: the position of the last event taken; awaited: that of the event a hole was found behind, 0 where there is
    none; strangers: records that are no events of ours, with why, for whoever reads to clear away. What lies behind a
    hole comes again: a relay clears nothing before all that lies ahead of it is in Kafka, and goes on from the first
    that is not cleared.
    """

    last: int = 0
    awaited: int = 0
    strangers: list[tuple[Record, str]] = field(default_factory=list)

    def take(self, records: Iterable[Record]) -> list[Recorded]:
        """The events of these records that are the next ones. Raises: Corrupted, for a record that is damaged."""
        before = self.last, self.awaited
        try:
            return list(recorded(row for _, row in self.rows(records)))
        except Corrupted:
            self.last, self.awaited = before
            raise

    def rows(self, records: Iterable[Record]) -> Iterator[tuple[Record, Row]]:
        """The same as rows that are still to be checked, each with its record."""
        for record in records:
            try:
                row, previous = row_of_record(record)
            except Corrupted as error:
                self.strangers.append((record, error.message))
                continue
            if row[0] <= self.last:
                continue
            if previous != self.last:
                self.awaited = self.awaited or row[0]
                continue
            self.last = row[0]
            if self.last >= self.awaited:
                self.awaited = 0
            yield record, row
