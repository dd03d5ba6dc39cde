"""How much is still to come: how far the processors have answered, and how far that has been folded."""

from __future__ import annotations

from domain.views import Records
from infra.server import ledger, registry
from infra.server.postgres import Pg, Postgres
from infra.server.registry import Registry
from infra.wiring import CONSUMERS, PROCESSORS
from projections import jobs


class Pending:
    """Counts what is pending, of everything and of a job; any process may ask. records: the jobs."""

    def __init__(self, postgres: Postgres, known: Registry, records: Records) -> None:
        self._postgres = postgres
        self._known = known
        self._records = records

    def all(self) -> int:
        """How many events some processor has still to come past."""
        with self._postgres.read(snapshot=True) as connection:
            return max(0, ledger.head(connection) - _answered(connection))

    def of(self, job: str) -> int:
        """How many answers a job is still to have. Raises: NotFound."""
        live = self._known.live(jobs.NAME)
        with self._postgres.read(snapshot=True) as connection:
            done, head = _answered(connection), ledger.head(connection)
            # also the answers to what is done, which ask for more themselves
            all_seen = registry.watermark(connection, jobs.NAME, live) >= head
        document = self._records.get(job)
        return 0 if all_seen and done >= document["position"] else jobs.pending(document, CONSUMERS)


def _answered(connection: Pg) -> int:
    """The position up to which every processor has answered everything, whichever partition it lies in."""
    query = """SELECT partition, min(position) FROM processed WHERE processor = ANY(%s)
               GROUP BY partition HAVING count(*) = %s"""
    found = connection.execute(query, (list(PROCESSORS), len(PROCESSORS))).fetchall()
    return registry.reached_by(connection, {int(partition): int(position) for partition, position in found})
