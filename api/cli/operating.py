"""How the service is doing: views, jobs, dead letters, and setting them right."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from api.access import requires
from api.cli import ids
from api.cli.paging import PAGE, every
from api.cli.progress import bar
from api.cli.shell import Shell
from api.cli.text import one_line, table, time_text
from api.cli.verbs import verb
from api.cli.waiting import wait_for
from domain.access import Permission
from domain.errors import Corrupted, Malformed

if TYPE_CHECKING:
    from rich.console import Console

    from domain.views import Document, Records
    from infra.base import BaseDisco

SHOWN_DIGITS = 16
CHUNK_BYTES = 1 << 20
SHOWN_DIFFERENCES = 1000
STANDING = ("name", "version", "position", "lag", "state", "building_position", "failure")
SAID = {True: "same", False: "CHANGED"}


@verb("Operate", example="disco views --digests")
@requires(Permission.OPERATE)
def views(
    shell: Shell,
    digests: Annotated[bool, typer.Option("--digests", help="Tell a digest of what each holds.")] = False,
) -> None:
    """Show where every view stands against the log."""
    with shell.service(fresh=digests) as service:
        found = service.views.digests() if digests else {}
        standing = [(view, found.get(view.name)) for view in service.views.status()]
        rows = [
            (view.name, view.version, view.position, view.lag, view.state, (digest or "")[:SHOWN_DIGITS])
            for view, digest in standing
        ]
        answer = [
            {name: getattr(view, name) for name in STANDING} | ({"digest": digest} if digest else {})
            for view, digest in standing
        ]
        failures = [f"{view.name}: {view.failure}" for view, _ in standing if view.failure]
        shell.answer(answer, lambda console: _show_views(console, rows, failures))


def _show_views(console: Console, rows: Sequence[Sequence[object]], failures: Sequence[str]) -> None:
    table(console, ("view", "version", "position", "lag", "state", "digest"), rows)
    for failure in failures:
        console.print(one_line(failure), markup=False, highlight=False, soft_wrap=True)


@verb("Operate", example="disco replay --view lineage_graph")
@requires(Permission.OPERATE)
def replay(
    shell: Shell,
    view: Annotated[list[str] | None, typer.Option("--view", metavar="NAME", help="Only this view.")] = None,
) -> None:
    """Build the views anew from the log, beside the old ones, and compare what they hold."""
    with shell.service() as service:
        compared = rebuilt(shell, service, tuple(view or ()))
        same = all(item["same"] for item in compared)
        shell.answer({"views": compared, "same": same}, lambda console: show_compared(console, compared))
    if not same:
        raise Corrupted("some views did not hold what the log says; they do now")


def rebuilt(shell: Shell, service: BaseDisco, names: tuple[str, ...] = ()) -> list[dict[str, Any]]:  # Any: JSON
    """Rebuild views and tell their digests before and after."""
    before = service.views.digests()
    with bar(shell, "Replaying") as progress:
        service.rebuild(names, on_progress=progress)
    after = service.views.digests()
    return [
        {"view": name, "before": before[name], "after": after[name], "same": before[name] == after[name]}
        for name in sorted(after)
        if not names or name in names
    ]


def show_compared(console: Console, compared: list[dict[str, Any]]) -> None:  # Any: JSON
    """Print digests side by side."""
    rows = [
        (item["view"], *(item[when][:SHOWN_DIGITS] for when in ("before", "after")), SAID[item["same"]])
        for item in compared
    ]
    table(console, ("view", "before", "after replay", ""), rows)


@verb("Operate", example="disco verify --blobs")
@requires(Permission.OPERATE)
def verify(
    shell: Shell,
    blobs: Annotated[
        bool, typer.Option("--blobs", help="Hash every blob too, and name those that are missing.")
    ] = False,
) -> None:
    """Compare every view with a fresh fold of the log, row by row; the log's checksums are checked on the way."""
    with shell.service() as service:
        with bar(shell, "Verifying the views"):
            found = [
                {"view": item.view, "kind": item.kind, "key": item.key, "detail": item.detail}
                for item in _first(service.differences(), SHOWN_DIFFERENCES)
            ]
        standing = {view.name: view.failure for view in service.views.status() if view.failure}
        names = sorted(service.blobs.names()) if blobs else []
        missing = _missing_blobs(shell, service, names) if blobs and not found else []
        bad = _bad_blobs(shell, service, names)
        answer = {
            "clean": not found and not bad and not missing,
            "differences": found,
            "bad_blobs": bad,
            "missing_blobs": missing,
            "standing_still": standing,
            "position": service.log.head(),
        }
        shell.answer(answer, lambda console: _show_verified(console, answer))
    if found:
        raise Corrupted(f"{len(found)} rows differ from the log; disco replay mends the views", rows=len(found))
    if bad:
        raise Corrupted(f"{len(bad)} blobs do not match their names; restore them from a backup", blobs=bad)
    if missing:
        lost = [each["sha256"] for each in missing]
        raise Corrupted(f"{len(lost)} blobs are missing; restore them, or import their files again", blobs=lost)


def _first(differences: Iterator[Any], most: int) -> Iterator[Any]:  # Any: differences
    for count, item in enumerate(differences):
        if count == most:
            return
        yield item


def _missing_blobs(shell: Shell, service: BaseDisco, names: Sequence[str]) -> list[dict[str, Any]]:  # Any: JSON
    from infra.missing_blobs import missing_blobs

    with bar(shell, "Looking for every blob") as progress:
        found = missing_blobs(service.log, frozenset(names), on_progress=progress)
        return [{"sha256": name, "position": position} for name, position in found]


def _bad_blobs(shell: Shell, service: BaseDisco, names: Sequence[str]) -> list[str]:
    import hashlib

    bad = []
    with bar(shell, "Verifying the blobs") as progress:
        for done, name in enumerate(names, 1):
            with service.blobs.open(name) as file:
                digest = hashlib.sha256()
                for chunk in iter(lambda: file.read(CHUNK_BYTES), b""):  # read before the next is opened
                    digest.update(chunk)
            if digest.hexdigest() != name:
                bad.append(name)
            progress(done, len(names))
    return bad


def _show_verified(console: Console, answer: dict[str, Any]) -> None:  # Any: JSON
    for item in answer["differences"]:
        console.print(f"{item['kind']:<8} {item['view']} {item['key']} {item['detail']}", markup=False)
    for name in answer["bad_blobs"]:
        console.print(f"bad blob {name}", markup=False)
    for each in answer["missing_blobs"]:
        console.print(f"missing blob {each['sha256']}, named at position {each['position']:,}", markup=False)
    for name, why in answer["standing_still"].items():
        console.print(one_line(f"{name} stands still: {why}"), markup=False, highlight=False, soft_wrap=True)
    if answer["clean"]:
        some = "as far as they have come" if answer["standing_still"] else f"up to position {answer['position']:,}"
        console.print(f"all views hold what the log says, {some}")


@verb("Operate", example="disco retry --all")
@requires(Permission.OPERATE)
def retry(
    shell: Shell,
    id: Annotated[str | None, typer.Argument(help="A dead letter, or the resource it is about.")] = None,
    all: Annotated[bool, typer.Option("--all", help="Every dead letter.")] = False,
    wait: Annotated[bool, typer.Option(help="Wait until it was tried.")] = True,
) -> None:
    """Try again what processors gave up on."""
    from uuid import uuid4

    from domain.commands import RetryProcessing

    if (id is None) != all:
        raise Malformed("name one dead letter (disco dead-letters lists them), or say --all", field="id")
    with shell.service(run=wait) as service:
        letters = list(every_record(service.views.dead_letters))
        if id is not None:
            known = {item[key] for item in letters for key in ("id", "resource_id")}
            about = ids.starting(id, known, "dead letter")
            letters = [item for item in letters if about in (item["id"], item["resource_id"])]
        job = str(uuid4())
        for item in letters:
            command = RetryProcessing(resource_id=item["resource_id"], failure_id=item["id"])
            service.execute(command, actor=shell.actor, job=job)
        failed = wait_for(shell, service, job, "Trying again") if wait and letters else 0
        answer = {"job": job, "retried": [item["id"] for item in letters], "failed": failed if wait else None}
        told = f"{len(letters)} tried again" + (f", {failed} failed again: disco dead-letters" if failed else "")
        shell.answer(answer, lambda console: console.print(told))


def every_record(records: Records) -> Iterator[Document]:
    """All records, in the order they came."""
    return every(lambda after: records.page(first=PAGE, after=after))


@verb("Operate", example="disco dead-letters")
@requires(Permission.READ, of="project")
def dead_letters(
    shell: Shell,
    project: Annotated[str | None, typer.Option(help="Only in this project, by name or id.")] = None,
) -> None:
    """List what processors gave up on, and why."""
    with shell.service() as service:
        within = ids.project(shell, service, project) if project else None
        letters = [item for item in every_record(service.views.dead_letters) if within in (None, item["project"])]
        rows = [
            (ids.short(item["id"]), ids.short(item["resource_id"]), item["processor"], item["code"], item["message"])
            for item in letters
        ]
        columns = ("id", "resource", "processor", "code", "message")
        shell.answer(letters, lambda console: table(console, columns, rows))


@verb("Operate", example="disco jobs")
@requires(Permission.READ)
def jobs(shell: Shell, first: Annotated[int, typer.Option(min=1, help="How many of the newest.")] = 20) -> None:
    """List the newest jobs: commands and imports with all that follows from them."""
    with shell.service() as service:
        newest = list(every_record(service.views.jobs))[-first:]
        found = [{**item, "pending": service.pending(item["id"])} for item in reversed(newest)]
        rows = [
            (
                ids.short(item["id"]),
                time_text(item["started_us"]),
                item["actor"],
                sum(item["types"].values()),
                item["pending"],
                item["failed"],
            )
            for item in found
        ]
        columns = ("id", "started", "by", "events", "pending", "failed")
        shell.answer(found, lambda console: table(console, columns, rows))


@verb("Operate", example="disco job 1d0c77aa")
@requires(Permission.READ)
def job(shell: Shell, id: Annotated[str, typer.Argument(help="The job; the beginning of its id will do.")]) -> None:
    """Show a job: its events, what was answered, what is still to come."""
    with shell.service() as service:
        whole = ids.whole(id) or ids.starting(id, (item["id"] for item in every_record(service.views.jobs)), "job")
        found = {**service.views.jobs.get(whole), "pending": service.pending(whole)}
        shell.answer(found, lambda console: _show_job(console, found))


def _show_job(console: Console, found: Document) -> None:
    again = f"{found['retried']} tried again, {found['repeated']} made anew"
    told = f"{found['pending']} pending, {found['failed']} failed, {again}"
    console.print(f"{found['id']}  by {found['actor']}, begun {time_text(found['started_us'])}: {told}", markup=False)
    table(console, ("event", "count"), sorted(found["types"].items()))
    table(console, ("processor", "answers"), sorted(found["answered"].items()))
