"""What was heard, shown whole, written for other programs, drawn."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from PIL import Image

from api.app import create_app
from api.plots import PLOTS
from domain import ids
from infra.disco import open_disco
from infra.settings import Settings
from tests.api.client import Client
from tests.cli.conftest import Disco, Filled

SONG = "song"


def test_findings_are_shown_whole(disco: Disco, filled: Filled) -> None:
    """Given an analysed song, when its findings are shown, then each is there as its event tells it, or by kind."""
    asset = filled.assets[SONG]
    logged = {event["id"]: event for event in disco(filled.home, "events", "--json").lines}
    found = disco(filled.home, "findings", asset[:8], "--json").json
    assert {"beats", "chords", "key", "loudness"} <= {item["kind"] for item in found}
    assert all(item["data"] == logged[item["id"]]["data"] for item in found)
    (chords,) = disco(filled.home, "findings", asset, "chords", "--json").json
    assert "chords" in disco(filled.home, "findings", asset, "chords").out
    assert chords["kind"] == "chords"
    unknown = disco(filled.home, "findings", asset, "birds", "--json")
    assert (unknown.status, unknown.error["code"]) == (3, "not_found")
    assert "chords" in unknown.error["message"]


def test_annotations_are_printed_or_written_once(disco: Disco, filled: Filled, tmp_path: Path) -> None:
    """Given an analysed song, when annotated, then a form is printed or a new file written; never one replaced."""
    asset = filled.assets[SONG]
    jams = json.loads(disco(filled.home, "annotations", asset[:8]).out)
    assert {"beat", "chord", "key_mode"} <= {item["namespace"] for item in jams["annotations"]}
    labels = tmp_path / "chords.txt"
    arguments = ("annotations", asset, "--format", "audacity", "--layer", "chords", "--to", labels, "--json")
    assert disco(filled.home, *arguments).json["path"] == str(labels)
    assert all(len(line.split("\t")) == 3 for line in labels.read_text().splitlines())
    before = labels.read_bytes()
    again = disco(filled.home, *arguments)
    assert (again.status, again.error["code"]) == (4, "conflict")
    assert labels.read_bytes() == before


def test_notes_of_a_recording_become_a_midi_file(disco: Disco, home: Path, filled: Filled, tmp_path: Path) -> None:
    """Given an analysed song, when transcribed, then a MIDI asset is told and written; again, it is the same asset."""
    asset, file = filled.assets[SONG], tmp_path / "notes.mid"
    first = disco(home, "transcribe", asset[:8], "--to", file, "--json").json
    assert (first["midi"]["variant"], first["saved"]) == ("midi", [str(file)])
    assert file.read_bytes()[:4] == b"MThd"
    again = disco(home, "transcribe", asset, "--json").json
    assert (again["midi"]["id"], again["new"]) == (first["midi"]["id"], False)
    assert disco(home, "transcribe", first["midi"]["id"], "--json").status != 0


@pytest.mark.parametrize("what", PLOTS)
def test_pictures_are_drawn_once_and_alike(disco: Disco, filled: Filled, tmp_path: Path, what: str) -> None:
    """Given an analysed song, when drawn twice, then the pictures are the same, of a size to look at, and not blank."""
    asset = filled.assets[SONG]
    first, second = tmp_path / "a.png", tmp_path / "b.png"
    for file in (first, second):
        assert disco(filled.home, "plot", asset[:8], what, "--to", file, "--json").json["path"] == str(file)
    assert first.read_bytes() == second.read_bytes()
    with Image.open(first) as picture:
        assert picture.width > 1000
        assert len(picture.convert("RGB").getcolors(1 << 24) or ()) > 10
    again = disco(filled.home, "plot", asset, what, "--to", first, "--json")
    assert (again.status, again.error["code"]) == (4, "conflict")


def test_the_beats_stand_in_the_wave(disco: Disco, filled: Filled, tmp_path: Path) -> None:
    """Given a song with beats, when its wave is drawn as SVG, then each of them is a line in every channel."""
    asset, file = filled.assets[SONG], tmp_path / "wave.svg"
    disco(filled.home, "plot", asset, "waveform", "--to", file)
    beats = disco(filled.home, "findings", asset, "beats", "--json").json[0]["data"]["beats_s"]
    channels = disco(filled.home, "show", asset, "--json").json["facts"]["channels"]
    assert file.read_text().count("stroke: #c8553d") == len(beats) * channels > 0


def test_pictures_have_addresses(filled: Filled) -> None:
    """Given an analysed song, when its pictures are asked for by HTTP, then they come in both forms, or say why not."""
    asset = filled.assets[SONG]
    with (
        open_disco(Settings(home=filled.home), run=False) as service,
        Client(create_app(service, development=False), base_url="http://localhost") as client,
    ):
        png = client.get(f"/api/resources/{asset}/plots/chroma.png")
        assert png.headers["content-type"] == "image/png"
        assert Image.open(io.BytesIO(png.content)).format == "PNG"
        svg = client.get(f"/api/resources/{asset}/plots/loudness.svg")
        assert svg.headers["content-type"].startswith("image/svg+xml")
        assert "<svg" in svg.text
        for unknown in (f"{asset}/plots/birds.png", f"{asset}/plots/chroma.gif", f"{service_id()}/plots/chroma.png"):
            refused = client.get(f"/api/resources/{unknown}")
            assert refused.status_code == 404


def service_id() -> str:
    """An id that nothing has."""
    return "00000000-0000-4000-8000-000000000000"


def test_a_picture_of_what_was_not_heard_says_so(disco: Disco, filled: Filled, tmp_path: Path) -> None:
    """Given a project, when its wave is asked for, then nothing is written, and the error says what is missing."""
    project = ids.project_id("Band")
    refused = disco(filled.home, "plot", project, "--to", tmp_path / "x.png", "--json")
    assert (refused.status, refused.error["code"]) == (3, "not_found")
    assert "waveform" in refused.error["message"]
    wrong = disco(filled.home, "plot", filled.assets[SONG], "--to", tmp_path / "x.gif", "--json")
    assert (wrong.status, wrong.error["code"]) == (2, "malformed")
    assert list(tmp_path.iterdir()) == []
