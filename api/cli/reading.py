"""What there is: projects, resources, what is found by words and by sound, measurements."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from api.access import requires
from api.cli import ids
from api.cli.moments import AsOfOption, moment_of
from api.cli.paging import PAGE, every
from api.cli.shell import Shell
from api.cli.text import one_line, seconds_text, table, time_text
from api.cli.verbs import verb
from domain.access import Permission

if TYPE_CHECKING:
    from rich.console import Console

    from domain.views import AsOf, Document, Hit
    from infra.base import BaseDisco


@verb("Look", example="disco projects")
@requires(Permission.READ)
def projects(shell: Shell, as_of: AsOfOption = None) -> None:
    """List the projects."""
    from domain.views import Filter, Kind

    moment = moment_of(as_of)
    with shell.service() as service:
        documents = service.views.documents
        kinds, wanted = (Kind.TRACK, Kind.ASSET, Kind.GENERATION), Filter(kinds=(Kind.PROJECT,))

        def counts(project: str) -> dict[str, int]:
            return {kind.value: documents.count(Filter(kinds=(kind,), project=project), moment) for kind in kinds}

        found = [
            {**item, "counts": counts(item["id"])}
            for item in every(lambda after: documents.page(wanted, first=PAGE, after=after, as_of=moment))
        ]
        rows = [(ids.short(item["id"]), item["name"], *item["counts"].values()) for item in found]
        shell.answer(found, lambda console: table(console, ("id", "name", "tracks", "assets", "generations"), rows))


@verb("Look", example="disco show 3f2a91c4")
@requires(Permission.READ, of="id")
def show(
    shell: Shell,
    id: Annotated[str, typer.Argument(help="The resource; the beginning of its id will do.")],
    as_of: AsOfOption = None,
    first: Annotated[int, typer.Option(min=1, max=1000, help="How many of its contents to list.")] = 50,
) -> None:
    """Show a resource: its facts, what was found in it, what it holds, where its content lies."""
    from domain.analyses import described

    moment = moment_of(as_of)
    with shell.service() as service:
        document = described(service.views, ids.resource(shell, service, id), moment)
        contents, more = _contents(service, document, first, moment)
        content = document.get("content")
        where = service.blobs.path(content["sha256"]) if content and service.blobs.has(content["sha256"]) else None
        answer = {**document, "contents": contents, "more_contents": more, "path": where}
        shell.answer(answer, lambda console: _show(console, answer))


def _contents(service: BaseDisco, document: Document, first: int, moment: AsOf) -> tuple[list[Document], bool]:
    from domain.views import Filter, Kind

    if document["kind"] not in (Kind.PROJECT, Kind.TRACK):
        return [], False
    page, more = service.views.documents.page(Filter(container=document["id"]), first=first, as_of=moment)
    return [{name: item[name] for name in ("id", "kind", "variant", "name")} for _, item in page], more


def _show(console: Console, document: Document) -> None:
    kind = " ".join(filter(None, (document["kind"], document["variant"])))
    console.print(f"{document['name']}  ({kind})", style="bold", markup=False)
    facts: dict[str, Any] = {  # Any: JSON
        "id": document["id"],
        "project": document["project"],
        "in": document.get("container"),
        "version": document["version"],
        "made": time_text(document["created_us"]) + (f" by {document['actor']}" if document["actor"] else ""),
        "tags": ", ".join(document["tags"]) or None,
        "archived": "yes" if document["archived"] else None,
        "newer version of": document.get("previous"),
        "file": document.get("file_name"),
        "content": document["path"],
        **document.get("facts", {}),
        **document["metadata"],
    }
    for name, value in facts.items():
        if value is not None:
            console.print(f"  {name:<18} {one_line(value)}", markup=False)
    for name, finding in document["analyses"].items():
        told = {key: value for key, value in finding.items() if key not in ("id", "source")}
        console.print(f"  {name:<18} {one_line(told)}", markup=False)
    for item in document["contents"]:
        kind = " ".join(filter(None, (item["kind"], item["variant"])))
        console.print(f"  {ids.short(item['id'])} {kind:<12} {item['name']}", markup=False)
    if document["more_contents"]:
        console.print("  … and more; --first N lists more", style="dim")


ProjectOption = Annotated[str | None, typer.Option(help="Only in this project, by name or id.")]
FirstOption = Annotated[int, typer.Option(min=1, max=1000, help="How many at most.")]


@verb("Look", example='disco search "d minor rehearsal"')
@requires(Permission.READ, of="project")
def search(
    shell: Shell,
    text: Annotated[str, typer.Argument(help="Words; the last one may be a beginning.")],
    project: ProjectOption = None,
    as_of: AsOfOption = None,
    first: FirstOption = 20,
) -> None:
    """Find resources by their names, tags, metadata and findings, best first."""
    moment = moment_of(as_of)
    with shell.service() as service:
        within = ids.project(shell, service, project) if project else None
        hits = service.views.documents.search(text, first=first, project=within, as_of=moment)
        _hits(shell, service, hits, moment)


@verb("Look", example="disco similar 3f2a91c4 --first 5")
@requires(Permission.READ, of="id")
def similar(
    shell: Shell,
    id: Annotated[str, typer.Argument(help="The audio asset to compare with.")],
    project: ProjectOption = None,
    archived: Annotated[bool, typer.Option("--archived", help="Archived ones too.")] = False,
    as_of: AsOfOption = None,
    first: FirstOption = 10,
) -> None:
    """Find what sounds like an asset, most alike first; 1 is the same sound."""
    moment = moment_of(as_of)
    with shell.service() as service:
        found = ids.resource(shell, service, id)
        within = ids.project(shell, service, project) if project else None
        hits = service.views.vectors.similar(found, first=first, project=within, archived=archived, as_of=moment)
        _hits(shell, service, hits, moment)


def _hits(shell: Shell, service: BaseDisco, hits: list[Hit], moment: AsOf) -> None:
    documents = service.views.documents.many([hit.id for hit in hits], moment)
    found = [
        {"id": hit.id, "score": round(hit.score, 6), **_brief(documents[hit.id])} for hit in hits if hit.id in documents
    ]
    rows = [(ids.short(item["id"]), f"{item['score']:.3f}", _kind(item), item["name"]) for item in found]
    shell.answer(found, lambda console: table(console, ("id", "score", "kind", "name"), rows))


def _brief(document: Document) -> dict[str, Any]:  # Any: JSON
    return {name: document[name] for name in ("kind", "variant", "name", "project")}


def _kind(item: dict[str, Any]) -> str:  # Any: JSON
    return " ".join(filter(None, (item["kind"], item["variant"])))


@verb("Look", example="disco series loudness_lufs --project Demos --bucket 3600")
@requires(Permission.READ, of="project")
def series(
    shell: Shell,
    name: Annotated[str | None, typer.Argument(help="The series; without it, the names there are.")] = None,
    project: ProjectOption = None,
    bucket: Annotated[float, typer.Option(min=0, help="Seconds to sum up; 0 gives every measurement.")] = 0.0,
    as_of: AsOfOption = None,
    first: Annotated[int, typer.Option(min=1, max=100_000, help="How many at most.")] = 1000,
) -> None:
    """Show a measurement over a project's history: loudness, tempo, processing times."""
    moment = moment_of(as_of)
    with shell.service() as service:
        within = ids.project(shell, service, project) if project else None
        if name is None:
            names = service.views.series.names(within, moment)
            shell.answer(names, lambda console: console.print("\n".join(names), markup=False))
            return
        points = service.views.series.points(
            name, project=within, bucket_us=round(bucket * 1e6), first=first, as_of=moment
        )
        rows = [
            (time_text(point.time_us), point.count, *(f"{x:.3f}" for x in (point.mean, point.minimum, point.maximum)))
            for point in points
        ]
        shell.answer(points, lambda console: table(console, ("time", "count", "mean", "minimum", "maximum"), rows))


@verb("Make", name="save", example="disco save 3f2a91c4 take.flac")
@requires(Permission.READ, of="id")
def save(
    shell: Shell,
    id: Annotated[str, typer.Argument(help="The asset or export.")],
    file: Annotated[str, typer.Argument(help="Where to; a folder gives it a name of its own.")] = ".",
) -> None:
    """Save the content of an asset as a file."""
    from api.cli.saving import save_content

    with shell.service() as service:
        document = service.views.documents.get(ids.resource(shell, service, id))
        path = save_content(service, document, file)
        length = seconds_text(document.get("facts", {}).get("duration_s"))
        shell.answer({"id": document["id"], "path": path}, lambda console: console.print(f"{path} {length}"))
