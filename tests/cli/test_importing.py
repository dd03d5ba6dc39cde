"""Imports and generations by the real command."""

from __future__ import annotations

from pathlib import Path

from tests.cli.conftest import Disco, Filled


def test_one_bad_file_among_good_ones_is_reported_and_spoils_nothing(filled: Filled) -> None:
    """Given a folder with a broken file, when imported, then it is named with its code, and the others are analysed."""
    assert len(filled.report["imported"]) == 2
    assert {item["new"] for item in filled.report["imported"]} == {True}
    (failure,) = filled.report["failed"]
    assert failure["path"].endswith("broken.wav")
    assert failure["code"] == "malformed"
    assert (filled.report["pending"], filled.report["processing_failed"]) == (0, 0)


def test_known_content_is_recognised(disco: Disco, home: Path, filled: Filled) -> None:
    """Given an imported folder, when imported again, then everything is known and the log holds nothing new."""
    before = disco(home, "events").out
    again = disco(home, "import", filled.files, "--json")
    assert again.status == 2
    assert "known" in disco(home, "import", filled.files).out
    assert disco(home, "events").out == before


def test_what_is_not_there_is_told(disco: Disco, home: Path, tmp_path: Path) -> None:
    """Given a path of nothing, when imported, then the status is that of not found."""
    assert disco(home, "import", tmp_path / "none.wav", "--json").status == 3


def test_generating_again_is_recognised_and_gives_the_same(disco: Disco, home: Path, filled: Filled) -> None:
    """Given an accompaniment, when asked for again with its seed, then it is the same and nothing is written."""
    again = disco(home, "generate", "accompaniment", filled.assets["song"], "--seed", 7, "--json").json
    assert not again["new"]
    for part in ("midi", "audio"):
        assert again[part]["content"] == filled.generated[part]["content"]


def test_another_seed_and_parameters_give_another(disco: Disco, home: Path, filled: Filled, tmp_path: Path) -> None:
    """Given parameters, when generated, then they are in the event, and the files are where they were asked for."""
    made = disco(
        home,
        *("generate", "accompaniment", filled.assets["song"], "--seed", 8, "--set", "style=swing"),
        *("--set", "density=0.9", "--name", "Swinging", "--to", tmp_path / "out", "--json"),
    ).json
    assert made["midi"]["content"] != filled.generated["midi"]["content"]
    shown = disco(home, "show", made["generation"], "--json").json
    assert (shown["name"], shown["facts"]["seed"]) == ("Swinging", 8)
    assert (shown["facts"]["parameters"]["style"], shown["facts"]["parameters"]["density"]) == ("swing", 0.9)
    midi, audio = sorted(Path(path) for path in made["saved"])[::-1]
    assert midi.read_bytes()[:4] == b"MThd"
    assert audio.read_bytes()[:4] == b"fLaC"


def test_a_parameter_out_of_range_is_refused(disco: Disco, home: Path, filled: Filled) -> None:
    """Given a value outside its range, when asked for, then the range is told, with status 2."""
    song = filled.assets["song"]
    told = disco(home, "generate", "accompaniment", song, "--seed", 1, "--set", "density=2", "--json")
    assert (told.status, told.error["code"]) == (2, "malformed")
    assert "0 to 1" in told.error["message"]


def test_the_demonstration_comes_to_the_same_views(disco: Disco, filled: Filled, tmp_path: Path) -> None:
    """Given one file, when the demonstration runs, then it ends with music on disk and equal digests."""
    into = tmp_path / "demo"
    told = disco(tmp_path / "unused", "demo", filled.files / "song.wav", "--into", into, "--json").json
    assert told["same"]
    assert Path(told["midi"]).read_bytes()[:4] == b"MThd"
    assert Path(told["audio"]).read_bytes()[:4] == b"fLaC"
    assert (into / "home" / "disco.sqlite").exists()
    full = tmp_path / "mine"
    full.mkdir()
    (full / "precious.txt").touch()
    assert disco(tmp_path / "unused", "demo", "--into", full).status == 4
    assert (full / "precious.txt").exists()
