"""Rhythm: what is told of a song's onsets, beats, bars and groove, live and after a replay."""

from __future__ import annotations

import pytest

from tests.given import Given, song


def test_a_song_has_its_tempo_beats_and_groove_live_and_after_a_replay(disco: Given) -> None:
    """Given eight bars at 100 bpm with a click a beat, then tempo, beats, bars and groove are told, the same again."""
    asset = disco.given_audio(song(bars=8, tempo_bpm=100.0))
    disco.settled()
    answers = []
    for again in (disco, disco.replayed()):
        found = again.service.views.documents.get(asset)["analyses"]
        answers.append({kind: found[kind] for kind in ("beats", "onsets", "groove")})
    assert answers[0] == answers[1]
    beats, onsets, groove = (answers[0][kind] for kind in ("beats", "onsets", "groove"))
    assert beats["tempo_bpm"] == pytest.approx(100, rel=0.01)
    assert beats["metre"] == "4/4"
    assert onsets["count"] >= 31
    assert groove["confidence"] > 0
