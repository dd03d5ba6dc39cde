"""Timbre and words: what is told of a song's sound, and how it is found by it, live and after a replay."""

from __future__ import annotations

import pytest

from tests.given import Given, sine, song


def test_a_song_is_found_by_words_for_what_is_heard(disco: Given) -> None:
    """Given a slow and a fast song, when searched by words, then each is found by its own, live and after a replay."""
    slow = disco.given_audio(song(bars=6, tempo_bpm=72.0), name="one")
    fast = disco.given_audio(song(bars=10, tempo_bpm=150.0), name="two")
    disco.settled()
    for again in (disco, disco.replayed()):
        found = again.service.views.documents
        assert [hit.id for hit in found.search("slow")] == [slow]
        assert [hit.id for hit in found.search("150bpm fast")] == [fast]
        assert {hit.id for hit in found.search("minor")} >= {slow, fast}


def test_a_sine_is_as_bright_as_its_frequency(disco: Given) -> None:
    """Given 2 s of a 2 kHz sine, when imported, then it is as bright as 2 kHz and not rough, after a replay too."""
    asset = disco.given_audio(sine(2000, seconds=2.0))
    disco.settled()
    for again in (disco, disco.replayed()):
        timbre = again.service.views.documents.get(asset)["analyses"]["timbre"]
        assert timbre["brightness_hz"] == pytest.approx(2000, rel=0.05)
        assert timbre["roughness"] < 0.05
