"""From a recording with lyrics, beside it or inside it, to what is said of them, live and after a replay."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import soundfile

from api.annotations import annotated
from api.heard import Heard
from domain.ids import ResourceId
from events.lyrics import LyricsAnalysed
from tests.given import ADA, RATE_HZ, Given, sine
from tests.media.making import FFMPEG, convert

HYMN = (
    "Amazing grace! how sweet the sound,\nThat saved a wretch like me!\n"
    "I once was lost, but now am found,\nWas blind, but now I see."
)


def _analysed(disco: Given, asset: str) -> LyricsAnalysed:
    about = [each for each in disco.events() if each.subject == asset]
    (found,) = [each.data for each in about if isinstance(each.data, LyricsAnalysed)]
    return found


def test_a_file_of_lyrics_beside_a_recording_comes_in_with_it(disco: Given, tmp_path: Path) -> None:
    """Given a folder with song.wav and song.lrc, when imported, then nothing fails and the lyrics are told."""
    folder = tmp_path / "album"
    folder.mkdir()
    soundfile.write(folder / "song.wav", sine(seconds=4), RATE_HZ)
    timed = "\n".join(f"[00:0{second}.50]{line}" for second, line in enumerate(HYMN.split("\n")))
    (folder / "song.lrc").write_text(timed, encoding="utf-8")
    report = disco.service.import_paths([folder], actor=ADA)
    assert report.failed == []
    asset = report.imported[0].asset_id
    disco.settled()
    for again in (disco, disco.replayed()):
        told = again.service.views.documents.get(asset)["analyses"]["lyrics"]
        assert (told["line_count"], told["language"], told["timed"]) == (4, "en", True)
        assert told["first_line"] == "Amazing grace! how sweet the sound,"
        found = _analysed(again, asset)
        assert [line.start_s for line in found.lines] == [0.5, 1.5, 2.5, 3.5]
        assert [line.end_s for line in found.lines] == [1.5, 2.5, 3.5, 4.0]
        assert [line.syllables for line in found.lines] == [8, 6, 8, 6]
        assert [section.scheme for section in found.sections] == ["ABAB"]
    heard = Heard.of(disco.service, ResourceId(asset))
    (layer,) = json.loads(annotated(heard, "jams", ["lyrics"]))["annotations"]
    assert layer["namespace"] == "lyrics"
    assert [(mark["time"], mark["value"]) for mark in layer["data"]] == list(
        zip((0.5, 1.5, 2.5, 3.5), HYMN.split("\n"), strict=True)
    )


def test_bad_lyrics_beside_a_recording_spoil_nothing(disco: Given, tmp_path: Path) -> None:
    """Given lyrics that are no text, when imported, then the recording comes in, and it has no lyrics."""
    folder = tmp_path / "album"
    folder.mkdir()
    soundfile.write(folder / "song.wav", sine(), RATE_HZ)
    (folder / "song.lrc").write_bytes(bytes(range(256)))
    report = disco.service.import_paths([folder], actor=ADA)
    assert report.failed == []
    disco.settled()
    found = _analysed(disco, report.imported[0].asset_id)
    assert (found.line_count, found.lines, found.confidence, found.language) == (0, (), 0.0, None)


@pytest.mark.skipif(FFMPEG is None, reason="ffmpeg is not installed, so no file with embedded lyrics can be made")
@pytest.mark.parametrize(("suffix", "field"), [(".mp3", "lyrics"), (".flac", "LYRICS"), (".m4a", "lyrics")])
def test_embedded_lyrics_are_read_with_their_lines(disco: Given, suffix: str, field: str) -> None:
    """Given a real file of each kind with lyrics in its tags, when imported, then its lines are told."""
    wav, song = disco.file("song.wav"), disco.file(f"song{suffix}")
    soundfile.write(wav, sine(), RATE_HZ)
    convert(wav, song, "-metadata", f"{field}={HYMN}")
    asset = disco.given_file(song).asset_id
    disco.settled()
    found = _analysed(disco, asset)
    assert [line.text for line in found.lines] == HYMN.split("\n")
    assert (found.language, found.timed, found.offset_s) == ("en", False, None)
