"""From a file to what is made of it: analyses, an accompaniment, its lineage; live, replayed and repeated."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path

import mido
import numpy as np
import pytest
import soundfile

from domain.commands import GenerateAccompaniment
from domain.errors import Conflict, Malformed, NotFound
from domain.views import Direction, Filter
from infra.pool import WorkerPool
from infra.wiring import PROCESSORS
from processors.handler import consumes
from tests.features.conftest import Profile
from tests.given import ADA, Given, lent, sine, song


def _found(disco: Given, asset: str) -> dict:  # type: ignore[type-arg]  # JSON
    return disco.service.views.documents.get(asset)["analyses"]  # type: ignore[no-any-return]  # JSON


def test_a_sine_is_described_as_what_it_is_live_and_after_a_replay(disco: Given) -> None:
    """Given 2 s of a 997 Hz sine at half scale, then its peak, RMS and loudness are those of the closed form.

    Peak 20·log10(0.5) dBFS, RMS that of 0.5 / √2, and BS.1770-4 gives a 997 Hz sine at full scale -3.01 LKFS.
    """
    asset = disco.given_audio(sine(997, seconds=2.0, peak=0.5))
    disco.settled()
    for again in (disco, disco.replayed()):
        found = _found(again, asset)
        assert found["levels"]["peak_dbfs"] == pytest.approx(20 * np.log10(0.5), abs=0.05)
        assert found["levels"]["rms_dbfs"] == pytest.approx(20 * np.log10(0.5 / np.sqrt(2)), abs=0.05)
        assert found["loudness"]["integrated_lufs"] == pytest.approx(-3.01 + 20 * np.log10(0.5), abs=0.2)
        assert found["silence"]["silent_share"] == 0


def test_every_processor_that_hears_audio_answers_each_file_once(disco: Given) -> None:
    """Given two files, then each has one finding of every kind, with its processor and version in the source."""
    assets = [disco.given_audio(sine(hz), name=f"{hz}") for hz in (220, 330)]
    disco.settled()
    hearing = [p for p in PROCESSORS.values() if issubclass(_imported(), consumes(p))]
    for asset in assets:
        sources = [e.source for e in disco.service.log.about(asset) if e.source.startswith("/processors")]  # type: ignore[arg-type]
        assert sorted(sources) == sorted(f"/processors/{p.name}/{p.version}" for p in hearing)


def _imported() -> type:
    from events.imports import AudioImported

    return AudioImported


def test_what_sounds_alike_is_found_before_what_does_not(disco: Given) -> None:
    """Given a sine, nearly the same sine, and noise, then the nearest to the one is the other."""
    noise = np.random.default_rng(1).uniform(-0.5, 0.5, 44_100)
    one = disco.given_audio(sine(440), name="one")
    two = disco.given_audio(sine(441), name="two")
    disco.given_audio(noise, name="noise")
    hits = disco.settled().service.views.vectors.similar(one)
    assert hits[0].id == two
    assert len(hits) == 2


def test_notes_are_described_and_played(disco: Given) -> None:
    """Given a MIDI file of three notes, then it is counted, rendered, and the sound is analysed and derived from it."""
    asset = disco.given_midi(pitches=(60, 64, 67))
    disco.settled()
    notes = _found(disco, asset)["notes"]
    assert (notes["notes"], notes["lowest_pitch"], notes["highest_pitch"]) == (3, 60, 67)
    lineage = disco.service.views.graph.lineage(asset, Direction.DOWN)
    (sound,) = [node for node in lineage.nodes if node.variant == "audio"]
    assert "loudness" in _found(disco, sound.id)
    document = disco.service.views.documents.get(sound.id)
    with disco.service.blobs.open(document["content"]["sha256"]) as content:
        samples, rate_hz = soundfile.read(io.BytesIO(content.read()))
    assert len(samples) == document["facts"]["frames"]
    assert rate_hz == document["facts"]["rate_hz"]
    assert np.abs(samples).max() > 0.01


def _accompanied(disco: Given, asset: str, seed: int) -> dict[str, bytes]:
    """Generate, and return the contents of what was made: by variant."""
    disco.when(GenerateAccompaniment(asset_id=asset, seed=seed))
    disco.settled()
    name = f"(accompaniment {seed})"
    found, _ = disco.service.views.documents.page(Filter(kinds=("asset",), name_contains=name), first=10)
    made = {}
    for _, document in found:
        with disco.service.blobs.open(document["content"]["sha256"]) as content:
            made[str(document["variant"])] = content.read()
    assert made.keys() == {"midi", "audio"}
    return made


def test_an_accompaniment_names_all_it_was_made_of_and_comes_out_the_same_again(
    profile: Profile, tmp_path: Path, workers: WorkerPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given a song, when accompanied with a seed in two fresh services, then both give the same bytes.

    Its lineage names the song, the analyses it rests on and the version of the generator; another seed gives another.
    """
    monkeypatch.setattr(f"{profile.disco}.WorkerPool", lambda *_, **__: lent(workers))
    made = []
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        with profile.given(tmp_path / name / "home") as disco:
            asset = disco.given_audio(song(bars=4), name="song")
            disco.settled()
            made.append(_accompanied(disco, asset, 7))
            if name == "first":
                _names_all(disco, asset)
                other = _accompanied(disco, asset, 8)
                assert other["midi"] != made[0]["midi"]
                before = disco.service.log.head()
                assert disco.service.execute(GenerateAccompaniment(asset_id=asset, seed=7), actor=ADA).written == 0
                assert disco.service.log.head() == before
                digests = disco.service.views.digests()
                assert disco.replayed().service.views.digests() == digests
                assert list(disco.service.differences()) == []
    assert {kind: hashlib.sha256(data).hexdigest() for kind, data in made[0].items()} == {
        kind: hashlib.sha256(data).hexdigest() for kind, data in made[1].items()
    }
    notes = [message for message in mido.MidiFile(file=io.BytesIO(made[0]["midi"])) if message.type == "note_on"]
    assert {message.channel == 9 for message in notes} == {True, False}, "drums, and what is not"


def _names_all(disco: Given, asset: str) -> None:
    views = disco.service.views
    found, _ = views.documents.page(Filter(kinds=("asset",), variants=("audio",), name_contains="accompaniment 7"))
    lineage = views.graph.lineage(found[0][1]["id"], Direction.UP)
    kinds = {(node.kind, node.variant) for node in lineage.nodes}
    assert asset in {node.id for node in lineage.nodes}
    assert {("analysis", "beats"), ("analysis", "key"), ("analysis", "chords")} <= kinds
    (generation,) = [node for node in lineage.nodes if node.kind == "generation"]
    assert generation.facts["seed"] == 7
    assert generation.facts["parameters"]
    assert "accompaniment 1" in {node.label for node in lineage.nodes if node.kind == "model_version"}
    down = {node.id for node in views.graph.lineage(asset, Direction.DOWN).nodes}
    assert found[0][1]["id"] in down, "what must go if the song goes"


def test_an_accompaniment_of_what_is_not_analysed_yet_or_not_audio_is_refused(disco: Given) -> None:
    """Given a MIDI file, an unknown id, then Malformed or NotFound, and nothing is written."""
    asset = disco.given_midi()
    disco.settled()
    head = disco.service.log.head()
    with pytest.raises(Malformed):
        disco.when(GenerateAccompaniment(asset_id=asset, seed=1))
    with pytest.raises(NotFound):
        disco.when(GenerateAccompaniment(asset_id=asset[:-4] + "0000", seed=1))
    assert disco.service.log.head() == head


def test_silence_has_no_key_no_beats_and_no_accompaniment_that_fails(disco: Given) -> None:
    """Given a second of silence, then analyses answer with nothing found, and nothing is a dead letter."""
    asset = disco.given_audio(np.zeros(44_100), name="silence")
    found = _found(disco.settled(), asset)
    assert found["levels"]["peak_dbfs"] is None
    assert found["loudness"]["integrated_lufs"] is None
    assert found["key"]["tonic"] is None
    assert found["beats"]["tempo_bpm"] is None
    assert disco.service.views.dead_letters.page()[0] == []
    try:
        disco.when(GenerateAccompaniment(asset_id=asset, seed=1))
    except (Conflict, Malformed):
        return
    disco.settled()
    assert disco.service.views.dead_letters.page()[0] == []
