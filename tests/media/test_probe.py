"""Good files of every format are read, whole, with the facts that whoever made them put in."""

from __future__ import annotations

import struct
import wave
from pathlib import Path
from typing import Any

import mido
import numpy as np
import pytest

from domain.errors import Unsupported
from domain.values import AudioFacts, NoteFacts
from processors.media.decode import decode_audio
from processors.media.midi import read_midi
from processors.media.probe import Probe, probe
from processors.media.sniff import SUFFIXES
from tests.media import making
from tests.media.making import RATE_HZ, melody, midi_bytes, tone, write

needs_ffmpeg = pytest.mark.skipif(
    making.FFMPEG is None, reason="ffmpeg is not installed, so no AAC can be made or read"
)
SAMPLED: tuple[tuple[str, dict[str, Any], str, float], ...] = (  # Any: what soundfile takes
    ("a.wav", {"subtype": "PCM_16"}, "audio/wav", 1e-4),
    ("b.wav", {"subtype": "PCM_24"}, "audio/wav", 1e-6),
    ("c.wav", {"subtype": "FLOAT"}, "audio/wav", 0.0),
    ("d.wav", {"subtype": "PCM_U8"}, "audio/wav", 1e-2),
    ("e.wav", {"format": "RF64", "subtype": "PCM_16"}, "audio/wav", 1e-4),
    ("f.wav", {"format": "WAVEX", "subtype": "PCM_24"}, "audio/wav", 1e-6),
    ("g.wav", {"subtype": "PCM_16", "endian": "BIG"}, "audio/wav", 1e-4),
    ("h.wav", {"subtype": "IMA_ADPCM"}, "audio/wav", 0.2),
    ("a.aiff", {"subtype": "PCM_16"}, "audio/aiff", 1e-4),
    ("b.aif", {"subtype": "PCM_24", "format": "AIFF"}, "audio/aiff", 1e-6),
    ("c.aifc", {"subtype": "FLOAT", "format": "AIFF"}, "audio/aiff", 0.0),
    ("a.flac", {"subtype": "PCM_16"}, "audio/flac", 1e-4),
    ("b.flac", {"subtype": "PCM_24"}, "audio/flac", 1e-6),
    ("a.ogg", {}, "audio/ogg", 0.1),
    ("a.mp3", {}, "audio/mpeg", 0.1),
)


def facts_of(found: Probe) -> AudioFacts:
    """The facts of an audio file."""
    assert isinstance(found.facts, AudioFacts)
    return found.facts


def notes_of(found: Probe) -> NoteFacts:
    """The facts of notes."""
    assert isinstance(found.facts, NoteFacts)
    return found.facts


@pytest.mark.parametrize(("name", "how", "media_type", "error"), SAMPLED, ids=[row[0] for row in SAMPLED])
def test_audio_is_read_to_its_last_frame(
    tmp_path: Path, name: str, how: dict[str, Any], media_type: str, error: float
) -> None:
    """Given a second of stereo, when probed and decoded, then all its frames are there, close to what was written."""
    samples = tone()
    path = write(tmp_path / name, samples, **how)
    found = probe(path)
    facts = facts_of(found)
    assert (found.variant, found.media_type) == ("audio", media_type)
    assert (facts.rate_hz, facts.channels) == (RATE_HZ, 2)
    assert facts.frames == pytest.approx(len(samples), abs=1200 if name.endswith((".mp3", "h.wav")) else 0)
    decoding = decode_audio(path)
    decoded, rate_hz = decoding.whole(), decoding.rate_hz
    assert decoded.dtype == np.float32
    assert (decoded.shape, rate_hz) == ((2, facts.frames), RATE_HZ)
    assert np.max(np.abs(decoded[:, : len(samples)] - samples.T[:, : decoded.shape[1]])) <= error


def test_opus_is_read(tmp_path: Path) -> None:
    """Given Opus at 48 kHz, when probed, then its encoding and all its frames are told."""
    path = write(tmp_path / "a.opus", tone(rate_hz=48000), 48000, format="OGG", subtype="OPUS")
    assert facts_of(probe(path)) == AudioFacts(
        container="ogg", encoding="OPUS", rate_hz=48000, channels=2, frames=48000
    )


def test_a_file_of_the_standard_library_is_read(tmp_path: Path) -> None:
    """Given a mono 8-bit file of another program, when probed, then its facts are that program's."""
    with wave.open(str(tmp_path / "a.wav"), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(1)
        file.setframerate(22050)
        file.writeframes(bytes(range(1, 201)))
    assert facts_of(probe(tmp_path / "a.wav")) == AudioFacts(
        container="wav", encoding="PCM_U8", rate_hz=22050, channels=1, frames=200
    )


@pytest.mark.parametrize("sizes", [0xFFFFFFFF, 0x7FFFF000])
def test_a_streamed_wav_is_as_long_as_its_bytes(tmp_path: Path, sizes: int) -> None:
    """Given a WAV from a pipe, whose header cannot know its length, when probed, then its bytes tell."""
    path = tmp_path / "a.wav"
    path.write_bytes(making.wav_bytes(bytes(2000), sizes=sizes))
    assert facts_of(probe(path)).frames == 1000


def test_a_streamed_flac_is_as_long_as_its_frames(tmp_path: Path) -> None:
    """Given a FLAC from a pipe, whose header has no length and no checksum, when probed, then its frames tell."""
    data = bytearray(write(tmp_path / "a.flac", tone(0.5)).read_bytes())
    data[21] &= 0xF0
    data[22:26] = bytes(4)
    (tmp_path / "a.flac").write_bytes(data)
    assert facts_of(probe(tmp_path / "a.flac")).frames == RATE_HZ // 2
    assert decode_audio(tmp_path / "a.flac").whole().shape == (2, RATE_HZ // 2)


def test_sixty_four_channels_are_read(tmp_path: Path) -> None:
    """Given as many channels as are allowed, when probed, then they are counted."""
    path = write(tmp_path / "a.wav", tone(0.1, channels=64))
    assert facts_of(probe(path)).channels == 64


@needs_ffmpeg
@pytest.mark.parametrize(("name", "media_type"), [("a.m4a", "audio/mp4"), ("a.aac", "audio/aac")])
def test_aac_is_read_by_ffmpeg(tmp_path: Path, name: str, media_type: str) -> None:
    """Given a second of AAC, when probed and decoded, then it is about as long and as loud as what was encoded."""
    samples = tone()
    path = making.convert(write(tmp_path / "a.wav", samples), tmp_path / name)
    found = probe(path)
    facts = facts_of(found)
    assert (found.media_type, facts.encoding, facts.rate_hz, facts.channels) == (media_type, "AAC", RATE_HZ, 2)
    assert facts.frames == pytest.approx(len(samples), abs=3 * 1024)
    decoding = decode_audio(path)
    decoded, rate_hz = decoding.whole(), decoding.rate_hz
    assert (decoded.shape, rate_hz) == ((2, facts.frames), RATE_HZ)
    assert np.sqrt(np.mean(decoded**2)) == pytest.approx(np.sqrt(np.mean(samples**2)), rel=0.1)


@needs_ffmpeg
def test_an_mp3_without_a_length_is_read(tmp_path: Path) -> None:
    """Given an MP3 without a Xing tag, when probed, then what can be decoded is its length."""
    path = making.convert(write(tmp_path / "a.wav", tone()), tmp_path / "a.mp3", "-write_xing", "0")
    assert facts_of(probe(path)).frames == pytest.approx(RATE_HZ, abs=3 * 1152)


@needs_ffmpeg
def test_a_name_cannot_be_taken_for_an_option_or_address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given names that look like options and addresses, when probed by relative path, then they are names."""
    making.convert(write(tmp_path / "a.wav", tone()), tmp_path / "a.m4a")
    monkeypatch.chdir(tmp_path)
    for name in ("-i.m4a", "concat:a.m4a", "http:x.m4a", "a %d; rm.m4a", "ü\n.m4a"):
        Path(name).write_bytes(Path("a.m4a").read_bytes())
        assert facts_of(probe(Path(name))).channels == 2


def test_without_ffmpeg_the_message_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given no ffmpeg, when AAC is probed, then the error names it."""
    frame = bytes([0xFF, 0xF1, 0x50, 0x80, 0x01, 0x1F, 0xFC, 0])
    path = tmp_path / "a.aac"
    path.write_bytes(frame * 4)
    monkeypatch.setattr("shutil.which", lambda _: None)
    with pytest.raises(Unsupported, match=r"a\.aac.*install ffmpeg"):
        probe(path)


@needs_ffmpeg
@pytest.mark.parametrize("name", ["a.mp3", "a.flac", "a.ogg", "a.m4a"])
def test_tags_are_read(tmp_path: Path, name: str) -> None:
    """Given a title and an artist written by ffmpeg, when probed, then both are among the tags."""
    options = ("-metadata", "title=Über\u200b Alles?", "-metadata", "artist=Nobody")
    codec = ("-c:a", "libvorbis") if name.endswith("ogg") else ()
    path = making.convert(write(tmp_path / "a.wav", tone(0.2)), tmp_path / name, *options, *codec)
    tags = probe(path).tags
    assert tags["artist"] == "Nobody"
    assert tags["title"].startswith("Über")


def test_tags_are_bounded(tmp_path: Path) -> None:
    """Given a title of a million characters with line breaks, when probed, then it is cut and on one line."""
    import soundfile

    with soundfile.SoundFile(tmp_path / "a.flac", "w", RATE_HZ, 1) as file:
        file.title = "ab\n" * 300_000
        file.write(tone(0.1, channels=1))
    title = probe(tmp_path / "a.flac").tags["title"]
    assert len(title) <= 1000
    assert title.isprintable()


@pytest.mark.parametrize("type_", [0, 1, 2])
def test_midi_of_all_types_is_counted(tmp_path: Path, type_: int) -> None:
    """Given four quarters at 60 beats a minute, when probed, then they are four notes and four seconds."""
    tracks = [melody(tempo_us=1_000_000)] if type_ == 0 else [melody(tempo_us=1_000_000), melody(notes=2)]
    path = tmp_path / "a.mid"
    path.write_bytes(midi_bytes(type_, tracks))
    found = probe(path)
    assert (found.variant, found.media_type) == ("midi", "audio/midi")
    assert notes_of(found) == NoteFacts(
        format=f"midi-{type_}", notes=4 if type_ == 0 else 6, tracks=len(tracks), duration_s=4.0
    )


def test_midi_time_follows_tempo_changes_of_any_track(tmp_path: Path) -> None:
    """Given a tempo that doubles after two of four quarters, when probed, then it lasts 2 * 1 s + 2 * 0.5 s."""
    tempi = [
        mido.MetaMessage("set_tempo", tempo=1_000_000),
        mido.MetaMessage("set_tempo", tempo=500_000, time=960),
    ]
    path = tmp_path / "a.mid"
    path.write_bytes(midi_bytes(1, [tempi, melody()]))
    assert notes_of(probe(path)).duration_s == pytest.approx(3.0, abs=1e-12)
    assert read_midi(path).length == pytest.approx(3.0)


def test_midi_in_smpte_time_is_measured(tmp_path: Path) -> None:
    """Given 25 frames a second of 40 ticks, when probed, then 1000 ticks are a second whatever the tempo."""
    raw = bytearray(midi_bytes(0, [melody(tempo_us=123_456, ticks=1000)]))
    raw[12:14] = struct.pack(">bB", -25, 40)
    (tmp_path / "a.mid").write_bytes(raw)
    assert notes_of(probe(tmp_path / "a.mid")).duration_s == pytest.approx(4.0)


def test_midi_wrapped_in_riff_is_read(tmp_path: Path) -> None:
    """Given a .rmi file, when probed, then the MIDI file inside is."""
    inner = midi_bytes(0, [melody()])
    body = b"RMIDdata" + struct.pack("<I", len(inner)) + inner
    (tmp_path / "a.rmi").write_bytes(b"RIFF" + struct.pack("<I", len(body)) + body)
    assert notes_of(probe(tmp_path / "a.rmi")).notes == 4


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.musicxml", making.SCORE.encode()),
        ("a.xml", making.SCORE.replace("UTF-8", "UTF-16").encode("utf-16")),
        ("b.xml", making.SCORE.replace("UTF-8", "ISO-8859-1").encode("latin-1")),
        ("a.mxl", making.mxl_bytes(making.SCORE)),
    ],
    ids=["utf-8", "utf-16", "latin-1", "mxl"],
)
def test_a_score_is_counted_and_timed(tmp_path: Path, name: str, content: bytes) -> None:
    """Given a score with chord, rest, tie, backup and tempo change, when probed, then it is counted as if played."""
    (tmp_path / name).write_bytes(content)
    found = probe(tmp_path / name)
    assert found.variant == "score"
    assert notes_of(found).notes == 6
    assert notes_of(found).tracks == 2
    assert notes_of(found).duration_s == pytest.approx(6.0)
    assert found.tags == {"title": "Lüdenscheid", "composer": "A. Nobody"}


def test_a_timewise_score_is_read(tmp_path: Path) -> None:
    """Given a score by measures, when probed, then a part that rests takes time too."""
    (tmp_path / "a.musicxml").write_text(making.TIMEWISE)
    found = probe(tmp_path / "a.musicxml")
    facts = notes_of(found)
    assert (facts.notes, facts.tracks) == (3, 2)
    assert facts.duration_s == pytest.approx(4.0)
    assert found.tags["title"] == "Kurz"


def test_a_copy_goes_by_the_name_that_people_know(tmp_path: Path) -> None:
    """Given an upload under a made-up name, when probed by its own, then that one is used."""
    write(tmp_path / "upload", tone(0.1), format="WAV")
    assert probe(tmp_path / "upload", name="Kick 01.wav").variant == "audio"


def test_every_suffix_is_lower_case_with_its_dot() -> None:
    """Given the suffixes that an import of a folder looks at, then all formats have theirs among them."""
    assert {".wav", ".aif", ".flac", ".ogg", ".opus", ".mp3", ".m4a", ".mid", ".musicxml", ".mxl"} <= SUFFIXES
    assert all(suffix.startswith(".") and suffix == suffix.lower() for suffix in SUFFIXES)
