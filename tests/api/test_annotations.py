"""What was heard, in forms that other programs read."""

from __future__ import annotations

import csv
import io
import json
import re

import pytest

from api.annotations import FORMATS, LAYERS, Layer, Mark, to_audacity, to_csv, to_jams
from events.analyses import Analysis
from events.catalogue import types_under
from tests.api.conftest import Ask
from tests.api.making import Catalogue

QUERY = """query($id: ID!, $format: AnnotationFormat!, $layers: [String!], $at: Moment) {
    annotations(id: $id, format: $format, layers: $layers, asOf: $at) }"""
BEATS = Layer("beats", "beat", (Mark(0.5, confidence=0.9), Mark(1.0, confidence=0.9)), "/processors/track_beats/2")
CHORDS = Layer("chords", "chord", (Mark(0.0, 0.75, "A:min7", 0.8), Mark(0.75, 1.25, "N", 0.8)))
SONG = {"id": "7", "name": "Song, “live”", "facts": {"duration_s": 2.0}, "metadata": {"tag:artist": "Band"}}


def test_a_jams_document_has_what_its_schema_wants() -> None:
    """Given layers, when written as JAMS, then the file, each mark and who heard it are told in the schema's words."""
    told = json.loads(to_jams(SONG, [BEATS, CHORDS]))
    assert told["file_metadata"]["title"] == SONG["name"]
    assert told["file_metadata"]["artist"] == "Band"
    assert told["file_metadata"]["duration"] == 2.0
    beats, chords = told["annotations"]
    assert (beats["namespace"], chords["namespace"]) == ("beat", "chord")
    assert [mark["time"] for mark in beats["data"]] == [0.5, 1.0]
    assert all(set(mark) == {"time", "duration", "value", "confidence"} for mark in beats["data"] + chords["data"])
    assert chords["data"][0] == {"time": 0.0, "duration": 0.75, "value": "A:min7", "confidence": 0.8}
    assert beats["annotation_metadata"]["data_source"] == "program"
    assert "track_beats/2" in beats["annotation_metadata"]["annotation_tools"]


def test_a_csv_can_be_read_back() -> None:
    """Given layers, when written as CSV, then a reader of CSV finds a row a mark, in seconds."""
    rows = list(csv.DictReader(io.StringIO(to_csv(SONG, [BEATS, CHORDS]))))
    assert [row["layer"] for row in rows] == ["beats", "beats", "chords", "chords"]
    assert (float(rows[2]["start_s"]), float(rows[2]["end_s"]), rows[2]["value"]) == (0.0, 0.75, "A:min7")
    assert rows[0]["value"] == ""


def test_a_label_track_is_what_audacity_imports() -> None:
    """Given one layer or several, when written for Audacity, then lines are start, end and label, in order of time."""
    alone = to_audacity(SONG, [CHORDS]).splitlines()
    assert alone == ["0.000000\t0.750000\tA:min7", "0.750000\t2.000000\tN"]
    both = to_audacity(SONG, [CHORDS, BEATS]).splitlines()
    assert all(re.fullmatch(r"\d+\.\d{6}\t\d+\.\d{6}\t[^\t]+", line) for line in both)
    assert [line.split("\t")[2] for line in both] == ["chords: A:min7", "beats: 1", "chords: N", "beats: 2"]


def test_every_layer_belongs_to_a_kind_of_analysis() -> None:
    """Given the table of layers, then each of its kinds is one that an event has."""
    assert set(LAYERS) <= {kind.KIND for kind in types_under(Analysis)}


@pytest.mark.parametrize("format", FORMATS)
def test_annotations_are_asked_for_with_layers_and_a_moment(ask: Ask, made: Catalogue, format: str) -> None:
    """Given an analysed asset, when its annotations are asked for, then they are its findings', as of the moment."""
    song, before = made.assets["song"], str(made.service.log.head())
    whole = ask(QUERY, id=song, format=format.upper())["annotations"]
    assert "beat" in whole
    assert "key" in whole
    chosen = ask(QUERY, id=song, format=format.upper(), layers=["beats"], at=before)["annotations"]
    assert "key" not in chosen.replace("track_beats", "")
    assert "0.5" in chosen
    assert "1.5" in chosen


def test_beats_are_numbered_within_their_bars(ask: Ask, made: Catalogue) -> None:
    """Given beats of which the second begins a bar, when annotated, then they are counted from there."""
    jams = json.loads(ask(QUERY, id=made.assets["song"], format="JAMS", layers=["beats"])["annotations"])
    assert [mark["value"] for mark in jams["annotations"][0]["data"]] == [None, 1, 2]


def test_an_unknown_layer_is_refused_by_name(refuse: Ask, made: Catalogue) -> None:
    """Given a layer that was not heard, when asked for, then the error names it and those there are."""
    error = refuse(QUERY, id=made.assets["song"], format="CSV", layers=["birds"])
    assert error["code"] == "not_found"
    assert "birds" in error["message"]
    assert "beats" in error["message"]
    error = refuse(QUERY, id=made.project, format="CSV", layers=["beats"])
    assert "nothing was heard" in error["message"]
