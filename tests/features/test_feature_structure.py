"""Form: what is told of a song's sections and phrases, live and after a replay, as annotations and as a picture."""

from __future__ import annotations

import csv
import io

import pytest

from api.annotations import annotated
from api.heard import Heard
from api.plots import plotted
from domain.ids import ResourceId
from tests.given import Given, song


def test_a_song_has_its_form_live_and_after_a_replay(disco: Given) -> None:
    """Given eight bars at 100 bpm, then sections last from the first sound to the last, the same again, and drawn."""
    asset = ResourceId(disco.given_audio(song(bars=8, tempo_bpm=100.0)))
    disco.settled()
    answers = []
    for again in (disco, disco.replayed()):
        answers.append(again.service.views.documents.get(asset)["analyses"]["structure"])
        written = annotated(Heard.of(again.service, asset), "csv", ["sections", "phrases"])
        rows = list(csv.DictReader(io.StringIO(written)))
        sections = [row for row in rows if row["layer"] == "sections"]
        assert float(sections[0]["start_s"]) == pytest.approx(0, abs=0.1)
        assert float(sections[-1]["end_s"]) == pytest.approx(19.2, abs=0.3)
        assert {row["layer"] for row in rows} == {"sections", "phrases"}
        assert plotted(again.service, asset, "structure", "png").startswith(b"\x89PNG")
    assert answers[0] == answers[1]
    assert answers[0]["section_count"] == len(sections) >= 1
    assert answers[0]["form"].split()[0] == "A"
    assert 0 < answers[0]["confidence"] <= 1
