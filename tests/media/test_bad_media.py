"""Bad files are refused by name, with the place and the remedy, and soon."""

from __future__ import annotations

import os
import struct
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mido
import numpy as np
import pytest

from domain.errors import DiscoError, LimitExceeded, Malformed, NotFound, Unsupported
from processors.media.decode import decode_audio
from processors.media.probe import probe
from processors.media.sniff import SUFFIXES
from tests.media import making
from tests.media.making import RATE_HZ, aiff_bytes, melody, midi_bytes, mxl_bytes, note, tone, wav_bytes, write

BOUND_S = 10.0
FLOAT = {"tag": 3, "bits": 32}


def encoded(suffix: str, seconds: float = 3.0, **how: Any) -> Callable[[Path], bytes]:
    """Bytes of a good file of this suffix."""

    def make(folder: Path) -> bytes:
        return write(folder / f"good{suffix}", tone(seconds), **how).read_bytes()

    return make


def by_ffmpeg(suffix: str, *options: str) -> Callable[[Path], bytes]:
    """Bytes of a good file that ffmpeg wrote."""

    def make(folder: Path) -> bytes:
        if making.FFMPEG is None:
            pytest.skip("ffmpeg is not installed, so no AAC can be made or read")
        return making.convert(write(folder / "good.wav", tone(3.0)), folder / f"good{suffix}", *options).read_bytes()

    return make


def cut(make: Callable[[Path], bytes], share: float) -> Callable[[Path], bytes]:
    """The first part of a good file."""

    def shorten(folder: Path) -> bytes:
        data = make(folder)
        return data[: int(len(data) * share)]

    return shorten


def flac_promising(frames: int, rate_hz: int = RATE_HZ) -> Callable[[Path], bytes]:
    """A FLAC file with another length and rate in its header."""

    def change(folder: Path) -> bytes:
        data = bytearray(encoded(".flac", 0.1)(folder))
        packed = int.from_bytes(data[18:26], "big")
        kept = packed & ((1 << 8) - 1) << 36
        data[18:26] = (rate_hz << 44 | kept | frames).to_bytes(8, "big")
        return bytes(data)

    return change


def empty_flac(folder: Path) -> bytes:
    """A FLAC file of a header that knows no length, and no sound."""
    return flac_promising(0)(folder)[:42].replace(b"fLaC\0", b"fLaC\x80", 1)


def floats(*values: float, at: int = 44100, length: int = 50000) -> bytes:
    """Silence with these values from frame `at` on."""
    samples = np.zeros(length, dtype="<f4")
    samples[at : at + len(values)] = values
    return wav_bytes(samples.tobytes(), **FLOAT)


GOOD_MIDI = midi_bytes(1, [melody(), melody()])
LAUGHS = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
BILLION = f'<!DOCTYPE score-partwise [<!ENTITY l0 "lol">{LAUGHS}]><score-partwise>&l9;</score-partwise>'
FETCHING = '<!DOCTYPE score-partwise [<!ENTITY x SYSTEM "file:///etc/passwd">]><score-partwise>&x;</score-partwise>'
PARAMETER = '<!DOCTYPE score-partwise [<!ENTITY % x SYSTEM "http://127.0.0.1:1/x"> %x;]><score-partwise/>'

CASES: list[tuple[str, bytes | Callable[[Path], bytes], type[DiscoError], str]] = [
    # name, content, error, what its message says
    ("empty.wav", b"", Malformed, "is empty"),
    ("empty.mid", b"", Malformed, "is empty"),
    ("tiny.wav", b"RIFF", Malformed, "nothing that can be imported"),
    ("noise.mp3", bytes(range(256)) * 50, Malformed, "nothing that can be imported"),
    ("text.mid", b"dear diary", Malformed, "nothing that can be imported"),
    ("zip.wav", making.zip_bytes(), Malformed, "zip archive"),
    ("zip.mxl", making.zip_bytes(), Malformed, "zip archive"),
    ("page.mp3", b"<!DOCTYPE html><html>404</html>", Malformed, "web page"),
    ("cover.flac", b"\xff\xd8\xff\xe0" + bytes(100), Malformed, "JPEG"),
    ("paper.xml", b"%PDF-1.7 ....", Malformed, "PDF"),
    ("feed.xml", b"<?xml version='1.0'?><!-- <score-partwise> --><rss/>", Malformed, "<rss>"),
    ("a.caf", b"caff" + bytes(100), Unsupported, "convert"),
    ("a.webm", b"\x1aE\xdf\xa3" + bytes(100), Unsupported, "convert"),
    ("flac.wav", encoded(".flac"), Malformed, r"FLAC file; rename it to \.flac"),
    ("wav.mp3", encoded(".wav"), Malformed, r"WAV file; rename it to \.wav"),
    ("midi.wav", GOOD_MIDI, Malformed, r"MIDI file; rename it to \.mid"),
    ("mp3.ogg", encoded(".mp3"), Malformed, r"MP3 file; rename it to \.mp3"),
    ("score.mxl", making.SCORE.encode(), Malformed, r"rename it to \.musicxml"),
    ("cut.wav", cut(encoded(".wav"), 0.5), Malformed, "truncated"),
    ("cut-in-header.wav", cut(encoded(".wav"), 0.00006), Malformed, "truncated"),
    ("cut24.wav", cut(encoded(".wav", subtype="PCM_24"), 0.99), Malformed, "truncated"),
    ("cut64.wav", cut(encoded(".wav", format="RF64"), 0.9), Malformed, "truncated"),
    ("cut.aiff", cut(encoded(".aiff"), 0.5), Malformed, "truncated"),
    ("cut.flac", cut(encoded(".flac"), 0.5), Malformed, "truncated"),
    ("cut-late.flac", cut(encoded(".flac"), 0.99), Malformed, "truncated"),
    ("cut.ogg", cut(encoded(".ogg"), 0.5), Malformed, "truncated"),
    ("cut.opus", cut(by_ffmpeg(".opus"), 0.5), Malformed, "truncated"),
    ("cut.mp3", cut(encoded(".mp3"), 0.5), Malformed, "truncated"),
    ("cut-late.mp3", cut(encoded(".mp3"), 0.95), Malformed, "truncated"),
    ("cut.m4a", cut(by_ffmpeg(".m4a"), 0.5), Malformed, "truncated"),
    ("cut-faststart.m4a", cut(by_ffmpeg(".m4a", "-movflags", "+faststart"), 0.9), Malformed, "truncated"),
    ("cut.aac", cut(by_ffmpeg(".aac"), 0.5), Malformed, "truncated"),
    ("tag-only.mp3", b"ID3\x04\0\0\x7f\x7f\x7f\x7f" + bytes(100), Malformed, "truncated"),
    (
        "outer.wav",
        wav_bytes(bytes(2000)).replace(struct.pack("<I", 2036), struct.pack("<I", 9999), 1),
        Malformed,
        "truncated: its header promises 10007",
    ),
    ("no-data.wav", wav_bytes(b"")[:36], Malformed, "truncated"),
    ("no-format.wav", b"RIFF\x10\0\0\0WAVEdata\4\0\0\0abcd", Malformed, "no fmt chunk"),
    ("huge-data.wav", wav_bytes(bytes(100), sizes=0xFFFFFF00), Malformed, "promises"),
    ("huge-rate.wav", wav_bytes(bytes(100), rate_hz=4_000_000_000), Malformed, "4000000000 Hz"),
    ("huge-channels.wav", wav_bytes(bytes(70000), channels=32000), LimitExceeded, "32000 channels"),
    ("huge-frames.aiff", aiff_bytes(bytes(100), frames=0xFFFFFFF0), Malformed, "truncated"),
    ("huge-rate.aiff", aiff_bytes(bytes(100), rate=b"\x7f\xfe" + b"\xff" * 8), Malformed, "Hz"),
    ("huge-frames.flac", flac_promising((1 << 36) - 1), Malformed, "cannot hold"),
    ("more-frames.flac", flac_promising(100_000), Malformed, "truncated|damaged"),
    ("huge-tag.mp3", b"ID3\x04\0\0\0\x7f\x7f\x7f" + bytes(10), Malformed, "promises"),
    ("zero-channels.wav", wav_bytes(bytes(100), channels=0), Malformed, "0 channels"),
    ("zero-channels.aiff", aiff_bytes(bytes(100), channels=0), Malformed, "0 channels"),
    ("zero-rate.wav", wav_bytes(bytes(100), rate_hz=0), Malformed, "0 Hz"),
    ("zero-rate.aiff", aiff_bytes(bytes(100), rate=bytes(10)), Malformed, "0 Hz"),
    ("zero-rate.flac", flac_promising(4410, rate_hz=0), Malformed, "0 Hz"),
    ("zero-frames.wav", wav_bytes(b""), Malformed, "0 frames"),
    ("zero-frames.aiff", aiff_bytes(b""), Malformed, "0 frames"),
    ("zero-frames.flac", empty_flac, Malformed, "0 frames|frame 0"),
    ("zero-block.wav", wav_bytes(bytes(100), bits=0), Malformed, "0 bits"),
    ("nan.wav", floats(float("nan"), 1.0, float("inf")), Malformed, r"NaN.* frame 44100 \(1\.000 s\), channel 1"),
    ("inf.wav", floats(float("-inf"), at=49999), Malformed, r"infinite .*frame 49999"),
    ("nan-late.wav", floats(float("nan"), at=199_999, length=200_000), Malformed, "frame 199999"),
    ("channels.wav", wav_bytes(bytes(2 * 65 * 10), channels=65), LimitExceeded, "65 channels, the limit is 64"),
    ("long.wav", wav_bytes(bytes(44_000_000), rate_hz=1000, bits=8), LimitExceeded, "12.2 hours"),
    ("long.flac", flac_promising(8192 * 9000, rate_hz=1000), LimitExceeded, "hours"),
    ("cut.mid", GOOD_MIDI[:-5], Malformed, "truncated"),
    ("cut-in-header.mid", GOOD_MIDI[:10], Malformed, "truncated"),
    ("missing-track.mid", GOOD_MIDI[:10] + b"\0\x03" + GOOD_MIDI[12:], Malformed, "track 3 of 3 is missing"),
    ("type-7.mid", GOOD_MIDI[:9] + b"\x07" + GOOD_MIDI[10:], Malformed, "type 7"),
    ("no-time.mid", GOOD_MIDI[:12] + b"\0\0" + GOOD_MIDI[14:], Malformed, "ticks"),
    ("no-track.mid", GOOD_MIDI[:10] + b"\0\0" + GOOD_MIDI[12:14], Malformed, "0 tracks"),
    (
        "endless-number.mid",
        midi_bytes(0, [[]])[:14] + b"MTrk" + struct.pack(">I", 1 << 20) + b"\x80" * (1 << 20),
        Malformed,
        "longer than four bytes",
    ),
    (
        "events.mid",
        midi_bytes(0, [[]])[:14] + b"MTrk" + struct.pack(">I", 3 << 20) + b"\0\xc0\0" * (1 << 20),
        LimitExceeded,
        "events",
    ),
    ("bad-status.mid", GOOD_MIDI.replace(b"\x90\x3c", b"\xf4\x3c", 1), Malformed, "status"),
    ("long.mid", midi_bytes(0, [[mido.Message("note_on", note=1, time=0x0FFFFFFF)]], 1), LimitExceeded, "hours"),
    ("cut.musicxml", making.SCORE[:900].encode(), Malformed, "line"),
    ("billion.musicxml", BILLION.encode(), Malformed, "entity"),
    ("fetching.musicxml", FETCHING.encode(), Malformed, "entity"),
    ("parameter.musicxml", PARAMETER.encode(), Malformed, "entity"),
    ("deep.musicxml", b"<score-partwise>" + b"<a>" * 500_000, Malformed, "deeper than 64"),
    (
        "number.musicxml",
        b"<score-partwise><part id='P1'><measure>" + note("C", 2).replace(">2<", ">two<").encode(),
        Malformed,
        "'two'",
    ),
    (
        "big-number.musicxml",
        b"<score-partwise><part id='P'><measure>" + note("C", 2).replace(">2<", ">1e999<").encode(),
        Malformed,
        "1e999",
    ),
    ("encoding.musicxml", b"<?xml version='1.0' encoding='klingon'?><score-partwise/>", Malformed, "encoding"),
    ("bomb.mxl", lambda _: mxl_bytes(b" " * (65 << 20)), LimitExceeded, "unpacks to more"),
    ("billion.mxl", mxl_bytes(BILLION), Malformed, "entity"),
    ("nowhere.mxl", mxl_bytes(making.SCORE, root="../../etc/passwd"), Malformed, "etc/passwd"),
    ("no-root.mxl", mxl_bytes(making.SCORE, container="<container/>"), Malformed, "names no score"),
    ("cut.mxl", mxl_bytes(making.SCORE)[:-30], Malformed, "unpacked"),
    ("other-root.mxl", mxl_bytes("<opus/>"), Malformed, "<opus>"),
]


@pytest.mark.parametrize(("name", "content", "error", "says"), CASES, ids=[case[0] for case in CASES])
def test_a_bad_file_is_refused_by_name(
    tmp_path: Path, name: str, content: bytes | Callable[[Path], bytes], error: type[DiscoError], says: str
) -> None:
    """Given a bad file, when probed, then the class of error is right and its message names file, place and remedy."""
    folder = tmp_path / "made"
    folder.mkdir()
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content(folder))
    before = sorted(tmp_path.iterdir())
    start = time.monotonic()
    with pytest.raises(error, match=says) as caught:
        probe(path)
    assert time.monotonic() - start < BOUND_S
    assert type(caught.value) is error
    assert caught.value.message.startswith(f"{name}: ")
    assert caught.value.details["file"] == name
    assert sorted(tmp_path.iterdir()) == before


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    """Given a folder, a pipe and nothing at all, when probed, then each is refused at once, a pipe unopened."""
    os.mkfifo(tmp_path / "pipe.wav")
    (tmp_path / "folder.wav").mkdir()
    for name in ("pipe.wav", "folder.wav"):
        with pytest.raises(Malformed, match=f"{name}: .*not a file"):
            probe(tmp_path / name)
    for name in ("missing.wav", "a\0b.wav", "x" * 300 + ".wav"):
        with pytest.raises(NotFound):
            probe(tmp_path / name)


def test_names_in_messages_can_be_shown(tmp_path: Path) -> None:
    """Given a name with control characters and bytes that are no text, when refused, then the message is printable."""
    path = tmp_path / "a\x1b[2J\udcff\n.wav"
    path.write_bytes(b"")
    with pytest.raises(Malformed) as caught:
        probe(path)
    assert caught.value.message.isprintable()
    assert caught.value.message.encode()


def test_damage_in_the_middle_of_a_flac_is_placed(tmp_path: Path) -> None:
    """Given a FLAC with a damaged middle, when decoded, then the error tells behind which frame."""
    data = bytearray(encoded(".flac")(tmp_path))
    middle = len(data) // 2
    data[middle : middle + 3000] = bytes(3000)
    (tmp_path / "hurt.flac").write_bytes(data)
    for read in (probe, decode_audio):
        with pytest.raises(Malformed, match=r"hurt\.flac: is .*frame"):
            read(tmp_path / "hurt.flac")


def test_notes_are_not_decoded_as_audio(tmp_path: Path) -> None:
    """Given a MIDI file, when decoded as audio, then the error says what it is."""
    (tmp_path / "a.mid").write_bytes(GOOD_MIDI)
    with pytest.raises(Malformed, match="a MIDI file, not audio"):
        decode_audio(tmp_path / "a.mid")


@pytest.mark.parametrize("suffix", sorted(SUFFIXES))
def test_the_name_of_every_suffix_is_held_against_its_content(tmp_path: Path, suffix: str) -> None:
    """Given a MIDI file under the suffix of another format, when probed, then it is told to be renamed."""
    path = tmp_path / f"a{suffix.upper()}"
    path.write_bytes(GOOD_MIDI)
    if suffix in (".mid", ".midi", ".smf", ".kar", ".rmi"):
        assert probe(path).variant == "midi"
    else:
        with pytest.raises(Malformed, match=rf"named {suffix} but holds a MIDI file; rename it to \.mid"):
            probe(path)
