"""Commands become events: pure `decide` over what `evolve` made of each resource's past.

This module, `domain.resource`, `domain.handling` and `domain.ports` may import `events`, which themselves import only
the rest of `domain`: a decision is worth nothing without the events it decides.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from domain import commands as c
from domain import ids
from domain.errors import Conflict, Malformed, NotFound
from domain.ids import ProjectId, ResourceId
from domain.parameters import ACCOMPANIMENT_MODEL, ACCOMPANIMENT_PARAMETERS, validate
from domain.resource import Resource, analysis_in, merged
from domain.values import suffixed
from domain.views import Kind
from events import exports, generations, harmony, imports, melody, processing, resources, rhythm
from events.base import Event

Past = Mapping[str, Resource | None]
"""What is known of any resource, None for those that do not exist. What a decision looked up, it rests on."""


@dataclass(frozen=True, slots=True)
class Decision:
    """The resource a command is about, and what is to happen; nothing, where all is already as it asks."""

    about: ResourceId
    events: tuple[Event, ...] = ()


def _known(past: Past, id: str, *kinds: Kind) -> Resource:
    found = past[id]
    if found is None:
        raise NotFound(f"there is no resource {id}", id=id)
    if kinds and found.kind not in kinds:
        wanted = " or ".join(kinds)
        raise Malformed(f"{found.name!r} ({id}) is a {found.kind}; this needs a {wanted}", id=id)
    return found


def _named(past: Past, command: c.OfResource) -> Resource:
    """What the command is about: what something happened to, or an analysis that was found in the asset it names."""
    found, asset = past[command.resource_id], past[command.within] if command.within else None
    if found is None and asset is not None:
        found = analysis_in(asset, ResourceId(command.resource_id))
    if found is None or command.within not in (None, found.asset):
        where = f" in {command.within}" if command.within else ""
        raise NotFound(f"there is no resource {command.resource_id}{where}", id=command.resource_id)
    return found


def _found_in(found: Resource) -> resources.FoundIn | None:
    return resources.FoundIn(asset_id=found.asset, kind=found.variant) if found.asset else None


def _at_version(past: Past, command: c.ChangeResource) -> Resource:
    found = _named(past, command)
    if command.expected_version is not None and command.expected_version != found.version:
        raise Conflict(
            f"{found.name!r} is at version {found.version}, not {command.expected_version}; look again and decide anew",
            current=found.version,
        )
    return found


def _create_project(past: Past, command: c.CreateProject) -> Decision:
    id = ids.project_id(command.name)
    found = past[id]
    if found is not None:
        raise Conflict(
            f"project {command.name!r} exists as {id}, now named {found.name!r}", current=found.version, id=id
        )
    return Decision(ResourceId(id), (resources.ProjectCreated(project_id=id, name=command.name),))


def _create_track(past: Past, command: c.CreateTrack) -> Decision:
    _known(past, command.project_id, Kind.PROJECT)
    id = ids.track_id(ProjectId(command.project_id), command.name)
    found = past[id]
    if found is not None:
        raise Conflict(f"track {command.name!r} exists as {id}, now named {found.name!r}", current=found.version, id=id)
    return Decision(id, (resources.TrackCreated(track_id=id, project_id=command.project_id, name=command.name),))


def _rename(past: Past, command: c.RenameResource) -> Decision:
    found = _at_version(past, command)
    if found.name == command.name:
        return Decision(found.id)
    event = resources.ResourceRenamed(resource_id=found.id, found_in=_found_in(found), name=command.name)
    return Decision(found.id, (event,))


def _tag(past: Past, command: c.TagResource) -> Decision:
    found = _at_version(past, command)
    added = tuple(sorted(set(command.add) - found.tags))
    removed = tuple(sorted(set(command.remove) & found.tags - set(command.add)))
    if not added and not removed:
        return Decision(found.id)
    event = resources.ResourceTagged(resource_id=found.id, found_in=_found_in(found), added=added, removed=removed)
    return Decision(found.id, (event,))


def _describe(past: Past, command: c.DescribeResource) -> Decision:
    found = _at_version(past, command)
    if merged(found.metadata, command.changes) == found.metadata:
        return Decision(found.id)
    event = resources.ResourceDescribed(resource_id=found.id, found_in=_found_in(found), changes=command.changes)
    return Decision(found.id, (event,))


def _move(past: Past, command: c.MoveResource) -> Decision:
    found = _at_version(past, command)
    if found.kind is not Kind.ASSET or found.container is None:
        raise Malformed(f"{found.name!r} is a {found.kind}; only an asset can be moved", id=found.id)
    to = _known(past, command.to_id, Kind.PROJECT, Kind.TRACK)
    if to.project != found.project:
        raise Malformed(f"{to.name!r} belongs to another project; import the file there instead", id=to.id)
    if to.id == found.container:
        return Decision(found.id)
    event = resources.ResourceMoved(resource_id=found.id, from_id=found.container, to_id=to.id)
    return Decision(found.id, (event,))


def _archive(past: Past, command: c.ArchiveResource) -> Decision:
    found = _at_version(past, command)
    if found.archived:
        return Decision(found.id)
    return Decision(found.id, (resources.ResourceArchived(resource_id=found.id, found_in=_found_in(found)),))


def _restore(past: Past, command: c.RestoreResource) -> Decision:
    found = _at_version(past, command)
    if not found.archived:
        return Decision(found.id)
    return Decision(found.id, (resources.ResourceRestored(resource_id=found.id, found_in=_found_in(found)),))


def _link_version(past: Past, command: c.LinkVersion) -> Decision:
    found = _at_version(past, command)
    previous = _known(past, command.previous_id, Kind.ASSET)
    if found.kind is not Kind.ASSET or previous.project != found.project or previous.id == found.id:
        raise Malformed("a version links two different assets of one project", id=found.id)
    older: Resource | None = previous
    while older is not None and older.previous is not None:
        if older.previous == found.id:
            raise Conflict(f"{previous.name!r} is already a newer version of {found.name!r}", current=previous.version)
        older = past[older.previous]
    if found.previous == previous.id:
        return Decision(found.id)
    if found.previous is not None:
        raise Conflict(f"{found.name!r} is already a newer version of {found.previous}", current=found.version)
    return Decision(found.id, (resources.VersionLinked(resource_id=found.id, previous_id=previous.id),))


def _import(past: Past, command: c.ImportAudio | c.ImportNotes) -> Decision:
    _known(past, command.project_id, Kind.PROJECT)
    container = _known(past, command.container_id, Kind.PROJECT, Kind.TRACK)
    if container.project != command.project_id:
        raise Malformed(f"{container.name!r} belongs to another project", id=container.id)
    id = ids.asset_id(ProjectId(command.project_id), command.content.sha256)
    there = past[id]
    if there is None:
        return Decision(id, (_added(command, id),))
    if (command.container_id, command.file_name) in there.places:
        return Decision(id)
    event = imports.AssetImportedAgain(
        asset_id=id,
        project_id=command.project_id,
        container_id=command.container_id,
        name=command.name,
        file_name=command.file_name,
    )
    return Decision(id, (event,))


def _added(command: c.ImportAudio | c.ImportNotes, id: ResourceId) -> Event:
    given: dict[str, Any] = {  # Any: fields of the event, checked by it
        "asset_id": id,
        **command.model_dump(include={"project_id", "container_id", "name", "file_name"}),
        "content": command.content,
        "facts": command.facts,
    }
    if isinstance(command, c.ImportAudio):
        return imports.AudioImported(**given, tags=command.tags, lyrics=command.lyrics)
    if command.variant == "midi":
        return imports.MidiImported(**given)
    return imports.ScoreImported(**given, tags=command.tags)


def _generate_accompaniment(past: Past, command: c.GenerateAccompaniment) -> Decision:
    source = _known(past, command.asset_id, Kind.ASSET)
    if source.variant != "audio":
        raise Malformed(f"{source.name!r} is {source.variant}; accompany its rendered audio instead", id=source.id)
    missing = [kind for kind in ("beats", "key", "chords") if kind not in source.findings]
    if missing:
        raise Conflict(
            f"{source.name!r} is still without {', '.join(missing)}; wait for its analyses, or retry them",
            current=source.version,
        )
    parameters = validate(ACCOMPANIMENT_PARAMETERS, command.parameters)
    (beats_id, beats), (key_id, key), (chords_id, chords) = (
        source.findings[kind] for kind in ("beats", "key", "chords")
    )
    model = ids.model_version_id(*ACCOMPANIMENT_MODEL)
    made_of = (source.id, model, command.seed, sorted(parameters.items()), beats_id, key_id, chords_id)
    id = ResourceId(ids.derived("generation", *made_of))
    if past[id] is not None:
        return Decision(id)
    assert isinstance(beats, rhythm.BeatsTracked)  # noqa: S101  # findings are keyed by KIND
    assert isinstance(key, harmony.KeyEstimated)  # noqa: S101
    assert isinstance(chords, harmony.ChordsEstimated)  # noqa: S101
    event = generations.AccompanimentRequested(
        generation_id=id,
        project_id=source.project,
        asset_id=source.id,
        container_id=source.container or source.project,
        name=command.name or suffixed(source.name, f" (accompaniment {command.seed})"),
        model_version_id=model,
        seed=command.seed,
        parameters=parameters,
        analysis_ids=(beats_id, key_id, chords_id),
        duration_s=source.duration_s or 0.0,
        beats_s=beats.beats_s,
        tonic=key.tonic,
        mode=key.mode,
        line=chords.line,
    )
    return Decision(id, (event,))


def _keep_transcription(past: Past, command: c.KeepTranscription) -> Decision:
    source = _known(past, command.asset_id, Kind.ASSET)
    if source.variant != "audio":
        raise Malformed(f"{source.name!r} is {source.variant}; only audio is transcribed", id=source.id)
    if "transcription" not in source.findings:
        message = f"{source.name!r} is still without its transcription; wait for it, or have it made: disco reprocess"
        raise Conflict(message, current=source.version)
    analysis_id, found = source.findings["transcription"]
    assert isinstance(found, melody.NotesTranscribed)  # noqa: S101  # findings are keyed by KIND
    if not found.notes:
        raise Malformed(f"no note was heard in {source.name!r}", id=source.id)
    id = ResourceId(ids.derived("transcription", source.id, found.midi.sha256))
    if past[id] is not None:
        return Decision(id)
    event = generations.MidiTranscribed(
        asset_id=id,
        project_id=source.project,
        container_id=source.container or source.project,
        name=command.name or suffixed(source.name, " (notes)"),
        content=found.midi,
        facts=found.facts,
        source_id=source.id,
        analysis_id=analysis_id,
    )
    return Decision(id, (event,))


def _retry(past: Past, command: c.RetryProcessing) -> Decision:
    found = _known(past, command.resource_id)
    failure = found.failures.get(command.failure_id)
    if failure is None:
        raise NotFound(f"{found.name!r} has no failure {command.failure_id}", id=command.failure_id)
    event = processing.RetryRequested(
        cause_id=failure.cause_id,
        resource_id=found.id,
        failure_id=command.failure_id,
        processor=failure.processor,
    )
    return Decision(found.id, (event,))


def _reprocess(past: Past, command: c.Reprocess) -> Decision:
    found = _known(past, command.project_id, Kind.PROJECT)
    names = tuple(sorted(set(command.processors)))
    return Decision(found.id, (processing.ReprocessingRequested(project_id=found.id, processors=names),))


def _export(past: Past, command: c.ExportLineage) -> Decision:
    found = _named(past, command)
    id = ResourceId(ids.derived("export", found.id, command.format, command.content.sha256))
    if past[id] is not None:
        return Decision(id)
    event = exports.LineageExported(
        export_id=id,
        project_id=found.project,
        source_id=found.id,
        found_in=_found_in(found),
        name=f"{found.name} ({command.format})",
        format=command.format,
        position=command.position,
        content=command.content,
    )
    return Decision(id, (event,))


DECIDERS: Mapping[type[c.Command], Callable[[Past, Any], Decision]] = {  # Any: each takes its own command
    c.CreateProject: _create_project,
    c.CreateTrack: _create_track,
    c.RenameResource: _rename,
    c.TagResource: _tag,
    c.DescribeResource: _describe,
    c.MoveResource: _move,
    c.ArchiveResource: _archive,
    c.RestoreResource: _restore,
    c.LinkVersion: _link_version,
    c.ImportAudio: _import,
    c.ImportNotes: _import,
    c.GenerateAccompaniment: _generate_accompaniment,
    c.KeepTranscription: _keep_transcription,
    c.RetryProcessing: _retry,
    c.Reprocess: _reprocess,
    c.ExportLineage: _export,
}


def decide(past: Past, command: c.Command) -> Decision:
    """Return what the command comes to.

    Raises: NotFound, Malformed, Conflict.
    """
    return DECIDERS[type(command)](past, command)
