"""Folding partitions of the log into views, and building generations beside the live ones.

A page is folded in a PostgreSQL transaction that holds its view's live generation and its partition's checkpoint: rows
in PostgreSQL commit with the checkpoint; rows elsewhere come first and are keyed, so that doing a page again, by
another worker or after a crash, changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from operator import attrgetter

import structlog

from domain.errors import DiscoError, Malformed, NewerVersion, Unavailable
from domain.tracing import Spans
from events.envelope import Recorded
from infra.server import ledger, registry
from infra.server.postgres import Pg, Postgres, lock_until_commit
from infra.server.records import Partition, Record
from infra.server.registry import Generation
from infra.server.replay import History
from infra.server.store import View
from infra.tracing import OFF, tell_folded

PAGE = 5_000
log_ = structlog.get_logger("folding")

OnProgress = Callable[[int, int], None]


class Folding:
    """The views' generations, and what is folded into them.

    page: how many events are folded at once where a generation is built.
    """

    def __init__(
        self,
        postgres: Postgres,
        history: History,
        views: Sequence[View],
        spans: Spans = OFF,
        *,
        page: int = PAGE,
    ) -> None:
        self._spans = spans
        self._page = page
        self._postgres = postgres
        self._history = history
        self._views = {view.name: view for view in views}

    def prepare(self) -> None:
        """Give each view that has none its first generation, live from the start: there is nothing better to read."""
        for view in self._views.values():
            with self._postgres.transaction(statement_s=0) as connection:
                lock_until_commit(connection, f"{self._postgres.schema} {view.name}")
                if not any(each.state == "live" for each in registry.generations(connection, view.name)):
                    first = registry.add(connection, view.name, view.store.version, "live")
                    view.store.drop(connection, first.number)  # PostgreSQL may have been lost, and other servers not
                    view.store.create(connection, first.number)
                    view.store.finish(connection, first.number)

    def outdated(self) -> list[str]:
        """Views whose live generation an older version of the projection made, or that are being built.

        What a newer release has made, or builds, is left to that release: else the two would replace each other's.
        """
        with self._postgres.read() as connection:
            found = [each for each in registry.generations(connection) if each.name in self._views]
        building = {each.name for each in found if each.state == "building" and not self._is_newer(each)}
        older = {each.name for each in found if each.state == "live" and each.version < self._version(each.name)}
        return sorted(building | older)

    def _is_mine(self, generation: Generation) -> bool:
        return generation.name in self._views and generation.version == self._version(generation.name)

    def _is_newer(self, generation: Generation) -> bool:
        return generation.version > self._version(generation.name)

    def _version(self, name: str) -> int:
        return self._views[name].store.version

    def position(self, name: str, partition: int) -> int:
        """How far the live generation of a view has come in a partition."""
        with self._postgres.read() as connection:
            live = next((g for g in registry.generations(connection, name) if g.state == "live"), None)
            return 0 if live is None else registry.positions(connection, name, live.number).get(partition, 0)

    def fold(self, name: str, partition: int, previous: int, events: Sequence[Recorded]) -> int:
        """Fold the events of a partition that follow position `previous` into a view; return how far it has come.

        What was folded before is left out. Where the view has not come to `previous`, nothing is folded: the answer
        says where to go on from. An event that a view cannot take keeps it where it is, in that partition alone.
        Raises: Unavailable, also while this release has still to build the view; Malformed, NewerVersion or whatever
        the projection raises, which is noted as well.
        """
        began_us = self._spans.now_us()
        try:
            reached, folded = self._postgres.retrying(
                lambda connection: self._fold(connection, name, partition, previous, events)
            )
        except Unavailable:
            raise
        except Exception as error:
            self._stand_still(name, partition, previous, error, short_of=events[-1].position)
            raise
        if folded and self._spans.on:
            tell_folded(self._spans, name, folded, began_us)
        return reached

    def _stand_still(self, name: str, partition: int, previous: int, error: Exception, *, short_of: int) -> None:
        why = f"cannot take what comes behind {previous} in partition {partition}: {_told(error)}"
        log_.error("view_stands_still", view=name, partition=partition, position=previous, why=why)
        with self._postgres.transaction() as connection:
            live = registry.live_locked(connection, name)
            if live is not None:
                registry.stand_still(connection, name, live.number, partition, why, short_of=short_of)

    def _fold(
        self, connection: Pg, name: str, partition: int, previous: int, events: Sequence[Recorded]
    ) -> tuple[int, Sequence[Recorded]]:
        """How far the view has come, and the events that were folded."""
        view = self._views[name]
        live = registry.live_locked(connection, name)
        if live is None:
            raise Unavailable(f"the view {name} has no live generation; start a worker anew", retry_s=1)
        position = registry.position_locked(connection, name, live.number, partition)
        due = [event for event in events if event.position > position]
        if position < previous or not due:
            return position, ()
        self._check_version(live)
        self._apply(view, connection, live.number, due, fresh=False)
        registry.move(connection, name, live.number, {partition: due[-1].position})
        return due[-1].position, due

    def _check_version(self, live: Generation) -> None:
        """See that a generation is of this release: rows of two versions of a projection would be of neither."""
        name, mine = live.name, self._version(live.name)
        if self._is_newer(live):
            why = f"{name} is of version {live.version}, which a newer release made, and this worker's is {mine}"
            raise NewerVersion(f"{why}: it leaves the view alone; upgrade it")
        if live.version < mine:
            raise Unavailable(f"{name} is of version {live.version} until version {mine} is built beside it", retry_s=1)

    def _apply(self, view: View, connection: Pg, generation: int, events: list[Recorded], *, fresh: bool) -> None:
        rows = view.store.rows(connection, generation, fresh=fresh)
        view.apply(rows, events)
        rows.flush()

    def catch_up(self, *, on_progress: OnProgress | None = None) -> None:
        """Fold all that Kafka has now into the live generations, beside whoever else does; for where nobody does.

        A view of an older version is built anew first. One that cannot take an event stands still in that partition
        and holds up nothing else; one that another release has made, or that somebody builds, is served as it is.
        Raises: Unavailable.
        """
        for name in self.outdated():
            _noted(partial(self.build, name))
        ends, done = self._history.ends(), 0
        with self._postgres.read() as connection:
            mine = [each for each in registry.generations(connection) if each.state == "live" and self._is_mine(each)]
        for live in mine:
            with self._postgres.read() as connection:
                reached = registry.positions(connection, live.name, live.number)
                starts = dict.fromkeys(ends, 0) | ledger.offsets_behind(connection, reached)
            states, still = {partition: Partition(reached.get(partition, 0)) for partition in ends}, set[int]()
            done += sum(starts.values())
            for partition, records in self._history.pages(starts, ends):
                previous = states[partition].last
                events = states[partition].take(records) if partition not in still else []
                if events and not _noted(partial(self.fold, live.name, partition, previous, events)):
                    still.add(partition)
                done += len(records)
                if on_progress is not None:
                    on_progress(done, len(mine) * sum(ends.values()))

    # Building anew

    def begin(self, names: Sequence[str] = ()) -> list[str]:
        """Have these views, or all, built anew, also in place of what a newer release has made: that is the way back.

        Raises: Malformed, for an unknown name; NewerVersion, where a newer release is building one.
        """
        for name in names:
            if name not in self._views:
                raise Malformed(f"there is no view {name!r}; there are {', '.join(sorted(self._views))}", field="view")
        for name in names or self._views:
            with self._postgres.transaction() as connection:
                lock_until_commit(connection, f"{self._postgres.schema} {name}")
                building = [each for each in registry.generations(connection, name) if each.state == "building"]
                if any(self._is_newer(each) for each in building):
                    raise NewerVersion(f"a newer release is building the view {name}; ask that one: disco replay")
                if not building:
                    registry.add(connection, name, self._version(name), "building")
        return list(names or self._views)

    def build(self, name: str, *, on_progress: OnProgress | None = None) -> bool:
        """Build a view's new generation from Kafka and make it the live one; False where another process is at it.

        One that was stopped goes on where it was. Reads are served by the old generation until the moment they are by
        the new one; folding into the old one waits while the last pages are folded into the new.
        Raises: Unavailable; whatever the projection or the store raises, which is noted as well.
        """
        with self._postgres.session() as session:
            key = f"{self._postgres.schema} {name} building"
            (mine,) = session.execute("SELECT pg_try_advisory_lock(hashtextextended(%s, 0))", (key,)).fetchone() or (0,)
            if not mine:
                return False
            building = self._building(name)
            if building is None:
                return True
            try:
                self._make(building)
                self._catch_up(building, on_progress)
                self._finish(building)
            except Unavailable:
                raise
            except Exception as error:
                self._note(building, error)
                raise
        return True

    def _note(self, building: Generation, error: Exception) -> None:
        why = f"cannot be built anew: {_told(error)}"
        log_.error("view_not_built", view=building.name, generation=building.number, why=why)
        with self._postgres.transaction() as connection:
            registry.note(connection, building, why)

    def _building(self, name: str) -> Generation | None:
        """The generation to build; one of an older version of the projection is given up for a new one.

        None where there is nothing to build, or where a newer release does.
        """
        view, mine = self._views[name], self._version(name)
        with self._postgres.transaction(statement_s=0) as connection:
            lock_until_commit(connection, f"{self._postgres.schema} {name}")
            found = [each for each in registry.generations(connection, name) if each.state == "building"]
            if any(self._is_newer(each) for each in found):
                return None
            current = next((each for each in found if each.version == mine), None)
            live = registry.live_locked(connection, name)
            for each in found:
                if each is not current:
                    view.store.drop(connection, each.number)
                    registry.remove(connection, each)
            if current is None:
                if live is not None and (self._is_newer(live) or (not found and live.version == mine)):
                    return None
                current = registry.add(connection, name, mine, "building")
            return current

    def _make(self, generation: Generation) -> None:
        """Make what a generation lies in, empty where nothing is known to be in it."""
        store = self._views[generation.name].store
        with self._postgres.transaction(statement_s=0) as connection:
            lock_until_commit(connection, f"{self._postgres.schema} {generation.name}")
            if not registry.positions(connection, generation.name, generation.number):
                store.drop(connection, generation.number)  # a first page may have been tried
            store.create(connection, generation.number)

    def _catch_up(self, generation: Generation, on_progress: OnProgress | None) -> None:
        """Fold everything that is in Kafka now."""
        with self._postgres.read() as connection:
            reached = registry.positions(connection, generation.name, generation.number)
            starts = dict.fromkeys(self._history.ends(), 0) | ledger.offsets_behind(connection, reached)
        ends = self._history.ends()
        states = {partition: Partition(reached.get(partition, 0)) for partition in ends}
        done, total, view = 0, sum(ends[each] - starts[each] for each in ends), self._views[generation.name]
        for read, events, to in _gathered(self._history.pages(starts, ends), states, self._page):
            if events:
                with self._postgres.transaction(statement_s=0) as connection:
                    # one that was stopped may have tried pages that it did not come to note
                    self._apply(view, connection, generation.number, events, fresh=not reached)
                    registry.move(connection, generation.name, generation.number, to)
                    registry.note(connection, generation, None)
            done += read
            if on_progress is not None:
                on_progress(done, total)

    def _finish(self, generation: Generation) -> None:
        """Bring the new generation to where the old one is, and switch, while nothing is folded into the old one."""
        name, view = generation.name, self._views[generation.name]
        with self._postgres.transaction(statement_s=0) as connection:
            view.store.finish(connection, generation.number)
        with self._postgres.transaction(statement_s=0) as connection:
            query = "SELECT generation FROM views WHERE name = %s AND state = 'live' FOR UPDATE"
            row = connection.execute(query, (name,)).fetchone()
            old = registry.positions(connection, name, int(row[0])) if row else {}
            self._reach(connection, generation, old)
            registry.switch(connection, generation)
        log_.info("view_switched", view=name, generation=generation.number)

    def _reach(self, connection: Pg, generation: Generation, old: dict[int, int]) -> None:
        reached = registry.positions(connection, generation.name, generation.number)
        behind = {each: reached.get(each, 0) for each, position in old.items() if reached.get(each, 0) < position}
        if not behind:
            return
        states = {partition: Partition(position) for partition, position in behind.items()}
        starts = dict.fromkeys(behind, 0) | ledger.offsets_behind(connection, behind)
        for partition, records in self._history.pages(starts):
            events = states[partition].take(records)
            if events:
                self._apply(self._views[generation.name], connection, generation.number, events, fresh=False)
                registry.move(connection, generation.name, generation.number, {partition: events[-1].position})

    def sweep(self) -> None:
        """Drop generations that were replaced and that nobody reads from any more, of the views that this release has.

        What it does not know it could forget, and not drop.
        """
        with self._postgres.read() as connection:
            gone = [each for each in registry.retired(connection) if each.name in self._views]
        for each in gone:
            with self._postgres.transaction(statement_s=0) as connection:
                lock_until_commit(connection, f"{self._postgres.schema} {each.name}")
                self._views[each.name].store.drop(connection, each.number)
                registry.remove(connection, each)


def _gathered(
    pages: Iterable[tuple[int, Sequence[Record]]], states: Mapping[int, Partition], enough: int
) -> Iterator[tuple[int, list[Recorded], dict[int, int]]]:
    """Pages of enough records, of whichever partitions: Kafka gives them in little, and each page has its price.

    Yields how many records were read, their events in order of position, and how far each partition comes with them.
    """
    read, events, to = 0, list[Recorded](), dict[int, int]()
    for partition, records in pages:
        taken = states[partition].take(records)
        if taken:
            to[partition] = taken[-1].position
        read += len(records)
        events += taken
        if read >= enough:
            yield read, sorted(events, key=_position), to
            read, events, to = 0, [], {}
    if read:
        yield read, sorted(events, key=_position), to


def _noted(work: Callable[[], object]) -> bool:
    """Do it; False where it failed at what is noted of its view by then, and told with it. Raises: Unavailable."""
    try:
        work()
    except Unavailable:
        raise
    except Exception as error:
        log_.warning("view_left_behind", error=_told(error))
        return False
    return True


def _told(error: Exception) -> str:
    return error.message if isinstance(error, DiscoError) else f"{type(error).__name__}: {error}"


_position = attrgetter("position")
