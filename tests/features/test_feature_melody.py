"""Melody and notes: what is told of a tune, live and after a replay, and the MIDI asset that is made of it."""

from __future__ import annotations

import json

import numpy as np
import pytest

from api.annotations import annotated
from api.heard import Heard
from domain.commands import KeepTranscription
from domain.errors import Malformed
from domain.ids import ResourceId
from domain.views import Direction, Relation
from processors.midi.notes import read_midi
from tests.given import ADA, RATE_HZ, Given

PITCHES = (60, 64, 67, 72)


def tune() -> np.ndarray:
    """Four plucked notes of half a second each, shape (frames,)."""
    at_s = np.arange(RATE_HZ // 2) / RATE_HZ
    fade = np.exp(-3 * at_s) * np.minimum(1, (0.5 - at_s) / 0.02) * np.minimum(1, at_s / 0.005)
    notes = [
        sum(0.6**k * np.sin(2 * np.pi * 440 * 2 ** ((pitch - 69) / 12) * (k + 1) * at_s) for k in range(8)) * fade / 4
        for pitch in PITCHES
    ]
    return np.concatenate([*notes, np.zeros(RATE_HZ // 2)])


def test_a_tune_is_told_drawn_along_time_and_made_an_asset(disco: Given) -> None:
    """Given four notes, when imported, then melody and notes are told; kept, the notes are a MIDI asset from there."""
    asset = disco.given_audio(tune(), name="tune")
    disco.settled()
    for again in (disco, disco.replayed()):
        found = again.service.views.documents.get(asset)["analyses"]
        assert found["melody"]["material"] == "voice"
        assert found["melody"]["notes"] == found["transcription"]["notes"] == len(PITCHES)
        assert (found["transcription"]["lowest_pitch"], found["transcription"]["highest_pitch"]) == (60, 72)
    heard = Heard.of(disco.service, ResourceId(asset))
    layers = {one["sandbox"]["layer"]: one for one in json.loads(annotated(heard, "jams"))["annotations"]}
    assert [layers[name]["namespace"] for name in ("melody", "notes")] == ["pitch_contour", "note_midi"]
    assert [mark["value"] for mark in layers["notes"]["data"]] == list(PITCHES)
    middle = [mark["value"] for mark in layers["melody"]["data"] if 0.2 < mark["time"] < 0.3]
    assert all(one["voiced"] and one["frequency"] == pytest.approx(261.6, rel=0.02) for one in middle)

    done = disco.when(KeepTranscription(asset_id=asset, name="written down"))
    disco.settled()
    midi = disco.service.views.documents.get(done.resource_id)
    assert (midi["variant"], midi["name"], midi["facts"]["notes"]) == ("midi", "written down", len(PITCHES))
    notes = read_midi(disco.service.blobs.path(midi["content"]["sha256"]))
    assert notes.pitch.tolist() == list(PITCHES)
    up = disco.service.views.graph.neighbours([done.resource_id], Relation.DERIVED_FROM, Direction.UP)
    assert asset in {node.id for node in up[done.resource_id]}
    assert disco.service.execute(KeepTranscription(asset_id=asset), actor=ADA).written == 0
    with pytest.raises(Malformed):
        disco.service.execute(KeepTranscription(asset_id=done.resource_id), actor=ADA)
