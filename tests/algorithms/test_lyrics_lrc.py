"""Lyrics as files: LRC is read as it was written, bad files are refused, what is sung is found."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.errors import LimitExceeded, Malformed
from processors.audio.signal import Signal
from processors.lyrics.align import align
from processors.lyrics.analysis import lines_of
from processors.lyrics.lrc import is_lrc, parse_lrc
from processors.lyrics.text import MAX_BYTES, beside, decoded, embedded, plain, read_lyrics

RATE_HZ = 22_050
WORDS = st.lists(st.text("abcdeé'ü日", min_size=1, max_size=8), min_size=1, max_size=6)
CENTISECONDS = st.integers(0, 99 * 6000)


def _tag(centiseconds: int) -> str:
    return f"{centiseconds // 6000:02d}:{centiseconds // 100 % 60:02d}.{centiseconds % 100:02d}"


@given(
    st.lists(st.tuples(st.lists(CENTISECONDS, min_size=1, max_size=3, unique=True), WORDS), max_size=12),
    st.integers(-5000, 5000),
    st.dictionaries(st.sampled_from(["ar", "ti", "al", "by"]), st.text("abc xyz", max_size=9), max_size=4),
)
def test_lrc_is_read_as_it_was_written(
    lines: list[tuple[list[int], list[str]]], offset_ms: int, about: dict[str, str]
) -> None:
    """Given any lines, each at any times, an offset and tags, when written as LRC, then they are read back."""
    head = [f"[{key}:{value}]" for key, value in about.items()] + [f"[offset:{offset_ms:+d}]"]
    body = ["".join(f"[{_tag(time)}]" for time in times) + " ".join(words) for times, words in lines]
    found = parse_lrc("\r\n".join(head + body))
    expected = sorted(
        (round(max(0.0, time / 100 - offset_ms / 1000), 3), " ".join(words)) for times, words in lines for time in times
    )
    assert sorted((round(line.start_s or 0.0, 3), line.text) for line in found.lines) == expected
    assert [line.start_s for line in found.lines] == sorted(line.start_s or 0.0 for line in found.lines)
    assert found.about == {key: value.strip() for key, value in about.items()} | {"offset": f"{offset_ms:+d}"}


@given(st.lists(st.tuples(CENTISECONDS, st.text("abcü", min_size=1, max_size=8)), min_size=1, max_size=8))
def test_words_keep_their_times(words: list[tuple[int, str]]) -> None:
    """Given words with times of their own, then line and words are read, each at its time."""
    line = parse_lrc("[00:00.00]" + " ".join(f"<{_tag(time)}> {word}" for time, word in words)).lines[0]
    assert line.text == " ".join(word for _, word in words)
    assert [(word.text, round(word.start_s * 100)) for word in line.words] == [(word, time) for time, word in words]


@given(st.text(max_size=300))
def test_any_text_is_read_without_a_fault(text: str) -> None:
    """Given any text at all, then it is read, in order of time."""
    times = [line.start_s or 0.0 for line in parse_lrc(plain(text)).lines]
    assert times == sorted(times)


def test_times_are_read_in_each_form() -> None:
    """Given seconds alone, tenths, hundredths, thousandths and a colon before them, then each is a time."""
    text = "[01:02]a\n[01:02.5]b\n[01:02.25]c\n[01:02.125]d\n[1:2:50]e\nno time"
    times = {line.text: line.start_s for line in parse_lrc(text).lines}
    assert times == {"a": 62, "b": 62.5, "c": 62.25, "d": 62.125, "e": 62.5}


def test_headings_and_tags_are_no_times() -> None:
    """Given plain lyrics with a heading, then they are not taken for LRC."""
    assert not is_lrc("[Chorus]\n[ar:Ada]\nla la la")
    assert is_lrc("[ar:Ada]\n[00:01.00]la")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_lyrics_are_read_in_the_usual_encodings(tmp_path: Path, encoding: str) -> None:
    """Given the same words in any usual encoding, then they read the same."""
    path = tmp_path / "song.lrc"
    path.write_bytes("Für mich\r\nallein".encode(encoding))
    assert read_lyrics(path) == "Für mich\nallein"


def test_what_is_no_text_is_refused(tmp_path: Path) -> None:
    """Given a program, noise or half a character named .lrc, then it is refused and the file is named."""
    path = tmp_path / "song.lrc"
    for raw in (b"\x7fELF\0\0\0\1", bytes(range(256)), b"\xff\xfea"):
        path.write_bytes(raw)
        with pytest.raises(Malformed, match=r"song\.lrc: is not text"):
            read_lyrics(path)


def test_a_huge_file_is_refused(tmp_path: Path) -> None:
    """Given more than lyrics ever have, then the limit is told."""
    path = tmp_path / "song.lrc"
    path.write_bytes(b"a" * (MAX_BYTES + 1))
    with pytest.raises(LimitExceeded, match="65536"):
        read_lyrics(path)


def test_only_a_file_of_its_own_lies_beside(tmp_path: Path) -> None:
    """Given nothing, a link, a folder and a file beside a recording, then only the file is its lyrics."""
    song, words = tmp_path / "song.mp3", tmp_path / "song.lrc"
    assert beside(song) is None
    words.symlink_to("/etc/hostname")
    assert beside(song) is None
    words.unlink()
    words.mkdir()
    assert beside(song) is None
    words.rmdir()
    words.write_text("la")
    assert beside(song) == words


@given(st.binary(max_size=200))
def test_any_bytes_are_text_or_not(raw: bytes) -> None:
    """Given any bytes, then they are text that can be stored, or no text; never a fault."""
    text = decoded(raw)
    assert text is None or "\0" not in text.encode().decode()


@given(st.integers(1, 60), st.integers(0, 60))
def test_however_often_lines_come_again_lyrics_stay_small(times: int, words: int) -> None:
    """Given lines that stand at many times with many timed words, then there are 500 lines at most."""
    line = "".join(f"[00:{at:02d}.00]" for at in range(times)) + "".join(f"<00:01.00>w{n} " for n in range(words))
    assert len(lines_of(plain(f"{line}\n" * 100))) <= 500


def _id3(frame: bytes, body: bytes) -> bytes:
    """An ID3v2.3 tag of one frame, and a silent MPEG frame behind it."""
    inner = frame + struct.pack(">IH", len(body), 0) + body
    size = bytes(len(inner) >> shift & 0x7F for shift in (21, 14, 7, 0))
    return b"ID3\3\0\0" + size + inner + b"\xff\xfb\x90\x00" + bytes(413)


def test_lyrics_in_id3_frames_are_read(tmp_path: Path) -> None:
    """Given USLT, in each encoding of ID3v2.3, and SYLT, then the words are read, those of SYLT with their times."""
    path = tmp_path / "song.mp3"
    for number, encoding in ((0, "latin-1"), (1, "utf-16")):
        end = b"\0" * (number + 1)
        path.write_bytes(_id3(b"USLT", bytes([number]) + b"eng" + end + "Für mich\nallein".encode(encoding)))
        assert embedded(path) == "Für mich\nallein"
    timed = b"".join(text + b"\0" + struct.pack(">I", ms) for text, ms in ((b"one", 1500), (b"two", 61250)))
    path.write_bytes(_id3(b"SYLT", b"\0eng\2\1\0" + timed))
    assert [(line.start_s, line.text) for line in parse_lrc(embedded(path)).lines] == [(1.5, "one"), (61.25, "two")]


def test_damaged_tags_have_no_lyrics(tmp_path: Path) -> None:
    """Given a tag that is cut anywhere, then there are lyrics or none, never a fault."""
    whole = _id3(b"USLT", b"\0eng\0la la")
    for end in range(1, len(whole), 7):
        (tmp_path / "cut.mp3").write_bytes(whole[:end])
        assert embedded(tmp_path / "cut.mp3") in ("", "la la", "la", "la l", "l")


STARTS_S = (1.0, 3.2, 6.1, 8.0, 11.3, 14.0)


def _sung(later_s: float = 0.0, gain: float = 0.3) -> Signal:
    """A voice of harmonics that sings for 1.2 s from each start on, silent between."""
    times_s = np.arange(17 * RATE_HZ) / RATE_HZ
    voice = sum(np.sin(2 * np.pi * 220 * k * times_s) / k for k in range(1, 9))
    on = sum(((times_s >= start + later_s) & (times_s < start + later_s + 1.2)) for start in STARTS_S)
    return Signal((gain * voice * on).astype(np.float32)[None], RATE_HZ)


@pytest.mark.parametrize("later_s", [0.0, 0.4, 1.5, -0.6])
def test_a_shift_between_words_and_singing_is_found(later_s: float) -> None:
    """Given singing that is later than its lines by a known time, then that is found, and the phrase of each line."""
    found = align(_sung(later_s), STARTS_S)
    assert found.offset_s == pytest.approx(later_s, abs=0.08)
    assert found.confidence > 0.5
    assert len(found.phrases_s) == len(STARTS_S)
    for start_s in STARTS_S:
        phrase = found.phrase_at(start_s)
        assert phrase is not None
        assert phrase[0] == pytest.approx(start_s + later_s, abs=0.1)


def test_gain_changes_no_alignment() -> None:
    """Given the same singing, soft, then the answer is the same."""
    loud, soft = align(_sung(0.4), STARTS_S), align(_sung(0.4, gain=0.003), STARTS_S)
    assert soft.offset_s == pytest.approx(loud.offset_s, abs=0.03)


def test_what_has_no_phrases_gives_no_shift() -> None:
    """Given silence, steady noise or hardly a line, then there is no shift, or one with next to no confidence."""
    noise = np.random.default_rng(3).standard_normal((1, 17 * RATE_HZ)).astype(np.float32) * 0.1
    assert align(Signal(np.zeros_like(noise), RATE_HZ), STARTS_S).offset_s is None
    assert align(Signal(noise, RATE_HZ), STARTS_S).confidence < 0.25
    assert align(_sung(), STARTS_S[:2]).offset_s is None
    assert align(Signal(np.full((1, 1), 0.5, np.float32), RATE_HZ), STARTS_S).confidence < 0.25
