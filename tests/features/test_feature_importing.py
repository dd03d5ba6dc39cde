"""Import: files become assets, folders projects; known content is known, bad files are told, a stopped one resumes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from domain import ids
from domain.service import Failure, Imported
from domain.views import Direction, Filter, Relation
from tests.given import ADA, RATE_HZ, Given, sine


def _write(path: Path, hz: float, seconds: float = 0.05) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, sine(hz, seconds=seconds), RATE_HZ)
    return path


def test_a_file_becomes_an_asset_with_its_facts_and_content(disco: Given) -> None:
    """Given a WAV, when imported, then its document has its name, length and rate, and the blob is the file."""
    path = _write(disco.file("My Song.wav"), 440.0, 1.0)
    imported = disco.given_file(path)
    document = disco.settled().service.views.documents.get(imported.asset_id)
    assert (document["name"], document["kind"], document["variant"]) == ("My Song", "asset", "audio")
    assert (document["facts"]["rate_hz"], document["facts"]["frames"]) == (RATE_HZ, RATE_HZ)
    with disco.service.blobs.open(document["content"]["sha256"]) as content:
        assert content.read() == path.read_bytes()


def test_a_folder_becomes_a_project_with_a_track_a_file(disco: Given) -> None:
    """Given a folder with folders in it, then each file is a track of the folder's project with one asset in it."""
    root = disco.file("Album")
    names = ("01 first.wav", "side b/02 second.wav")
    for number, name in enumerate(names):
        _write(root / name, 220.0 + number)
    (root / ".hidden.wav").write_bytes(b"x")
    (root / "notes.txt").write_text("not music")
    report = disco.service.import_paths([root], actor=ADA)
    assert (len(report.imported), report.failed) == (2, [])
    views = disco.settled().service.views
    project = ids.project_id("Album")
    tracks = views.graph.neighbours([project], Relation.CONTAINS, Direction.DOWN)[project]
    assert {track.label for track in tracks} == {"01 first", "side b/02 second"}
    for track in tracks:
        (asset,) = views.graph.neighbours([track.id], Relation.CONTAINS, Direction.DOWN)[track.id]
        assert asset.kind == "asset"


def test_the_same_content_twice_is_one_asset_with_two_origins(disco: Given) -> None:
    """Given a copy under another name, then one asset, one blob, one analysis each, and an event that tells of both."""
    path = _write(disco.file("a.wav"), 330.0)
    copy = disco.file("b.wav")
    copy.write_bytes(path.read_bytes())
    first, second, third = disco.given_file(path), disco.given_file(copy), disco.given_file(copy)
    disco.settled()
    assert first.asset_id == second.asset_id == third.asset_id
    assert (first.new, third.new) == (True, False)
    types = disco.types(first.asset_id)
    assert types.count("disco.audio.imported") == 1
    assert types.count("disco.asset.imported_again") == 1
    assert types.count("disco.loudness.measured") == 1


def test_the_same_content_in_two_projects_is_two_assets_and_one_blob(disco: Given) -> None:
    """Given one file imported into two projects, then each has its own asset, and the content is stored once."""
    path = _write(disco.file("a.wav"), 330.0)
    one, two = disco.given_file(path, project="One"), disco.given_file(path, project="Two")
    assert one.asset_id != two.asset_id
    documents = disco.settled().service.views.documents
    shas = {documents.get(imported.asset_id)["content"]["sha256"] for imported in (one, two)}
    assert len(shas) == 1
    assert shas <= set(disco.service.blobs.names())


def test_bad_files_among_good_ones_are_told_and_lose_nothing(disco: Given) -> None:
    """Given good files and an empty, a cut-off, a mislabelled and a missing one, then each bad is told."""
    root = disco.file("mixed")
    good = [_write(root / f"good {number}.wav", 200.0 + number) for number in range(4)]
    (root / "empty.wav").write_bytes(b"")
    (root / "cut.wav").write_bytes(good[0].read_bytes()[:50])
    (root / "zip.wav").write_bytes(b"PK\x03\x04" + bytes(100))
    heard: list[tuple[str, int, int]] = []

    def on_file(result: Imported | Failure, done: int, total: int) -> None:
        heard.append((Path(result.path).name, done, total))

    paths = [root, root / "missing.wav"]
    report = disco.service.import_paths(paths, actor=ADA, project="Mixed", on_file=on_file)
    assert {Path(imported.path).name for imported in report.imported} == {path.name for path in good}
    failed = {Path(failure.path).name: failure for failure in report.failed}
    assert failed.keys() == {"empty.wav", "cut.wav", "zip.wav", "missing.wav"}
    assert failed["missing.wav"].code == "not_found"
    for failure in report.failed:
        assert failure.code in ("malformed", "unsupported", "not_found")
        assert Path(failure.path).name in failure.message or failure.path in failure.message
    assert [done for _, done, _ in heard] == list(range(1, 9))
    assert {total for _, _, total in heard} == {8}
    assert disco.settled().service.views.documents.count(Filter(kinds=("asset",))) == 4


def test_links_that_lead_out_of_the_folder_are_refused(disco: Given) -> None:
    """Given a link in a folder to a file elsewhere, then it is Forbidden, and the rest comes in."""
    root = disco.file("linked")
    _write(root / "in.wav", 220.0)
    secret = _write(disco.file("elsewhere") / "secret.wav", 330.0)
    (root / "out.wav").symlink_to(secret)
    report = disco.service.import_paths([root], actor=ADA)
    assert [Path(imported.path).name for imported in report.imported] == ["in.wav"]
    assert [failure.code for failure in report.failed] == ["forbidden"]


def test_an_import_that_was_stopped_resumes(disco: Given) -> None:
    """Given an import stopped after some files, when started again, then the rest comes in, and nothing twice."""
    root = disco.file("Long")
    paths = [_write(root / f"{number:02}.wav", 200.0 + number) for number in range(12)]

    class Stopped(Exception):
        pass

    def stop(result: Imported | Failure, done: int, total: int) -> None:
        if done == 5:
            raise Stopped

    with pytest.raises(Stopped):
        disco.service.import_paths([root], actor=ADA, on_file=stop)
    report = disco.service.import_paths([root], actor=ADA)
    assert len(report.imported) == len(paths)
    assert sum(imported.new for imported in report.imported) == 7
    types = [event.type for event in disco.settled().events()]
    assert types.count("disco.audio.imported") == 12
    assert types.count("disco.asset.imported_again") == 0
    assert types.count("disco.track.created") == 12


def test_every_event_of_an_import_belongs_to_its_job_and_its_actor(disco: Given) -> None:
    """Given an import under a job, then it and all that follows from it carry the job; pending says when it is done."""
    root = disco.file("Job")
    _write(root / "a.wav", 220.0)
    report = disco.service.import_paths([root], actor=ADA, job="my job")
    assert report.job == "my job"
    disco.settled()
    events = [event for event in disco.events() if event.project == ids.project_id("Job")]
    assert {event.correlation for event in events} == {"my job"}
    assert {event.actor for event in events if event.source == "/commands"} == {"ada"}
    assert disco.service.pending("my job") == 0
    job = disco.service.views.jobs.get("my job")
    assert sum(job["types"].values()) == len(events)


def test_samples_that_are_no_numbers_are_refused(disco: Given) -> None:
    """Given NaN among a float file's samples, then it is Malformed and no asset, nor blob, is made of it."""
    path = disco.file("nan.wav")
    samples = sine(seconds=0.1)
    samples[100] = np.nan
    soundfile.write(path, samples, RATE_HZ, subtype="FLOAT")
    report = disco.service.import_paths([path], actor=ADA, project="Tests")
    assert [failure.code for failure in report.failed] == ["malformed"]
    assert list(disco.service.blobs.names()) == []
