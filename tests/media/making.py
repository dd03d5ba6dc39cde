"""Files made by code, for the tests of reading them."""

from __future__ import annotations

import io
import shutil
import struct
import subprocess
import zipfile
from pathlib import Path
from typing import Any

import mido
import numpy as np
import soundfile

RATE_HZ = 44100
FFMPEG = shutil.which("ffmpeg")


def tone(seconds: float = 1.0, *, channels: int = 2, rate_hz: int = RATE_HZ) -> np.ndarray:
    """A decaying 440 Hz tone with a little noise; float32, shape (frames, channels)."""
    time_s = np.arange(round(seconds * rate_hz)) / rate_hz
    noise = np.random.default_rng(7).standard_normal((len(time_s), channels)) * 0.01
    wave = 0.4 * np.sin(2 * np.pi * 440 * time_s) * np.exp(-time_s)
    return (wave[:, None] + noise).astype(np.float32)


def write(path: Path, samples: np.ndarray, rate_hz: int = RATE_HZ, **how: Any) -> Path:  # Any: what soundfile takes
    """Write audio by libsndfile, in the format of the suffix unless told otherwise."""
    soundfile.write(path, samples, rate_hz, **how)
    return path


def convert(wav: Path, path: Path, *options: str) -> Path:
    """Write audio by ffmpeg."""
    assert FFMPEG
    subprocess.run(
        [FFMPEG, "-nostdin", "-v", "error", "-y", "-i", str(wav), *options, str(path)], check=True, timeout=60
    )
    return path


def wav_bytes(
    data: bytes, *, channels: int = 1, rate_hz: int = RATE_HZ, bits: int = 16, tag: int = 1, sizes: int | None = None
) -> bytes:
    """A WAV file by hand; `sizes` replaces the sizes of the file and of the data in their headers."""
    block = channels * bits // 8
    head = struct.pack("<HHIIHH", tag, channels, rate_hz, rate_hz * block & 0xFFFFFFFF, block, bits)
    outer = 36 + len(data) if sizes is None else sizes
    inner = len(data) if sizes is None else sizes
    return (
        b"RIFF"
        + struct.pack("<I4s4sI", outer, b"WAVE", b"fmt ", 16)
        + head
        + struct.pack("<4sI", b"data", inner)
        + data
    )


def aiff_bytes(data: bytes, *, channels: int = 1, frames: int | None = None, rate: bytes | None = None) -> bytes:
    """A 16-bit AIFF file by hand, at 44.1 kHz unless told otherwise (an 80-bit number)."""
    count = len(data) // (2 * max(1, channels)) if frames is None else frames
    comm = struct.pack(">hIh", channels, count, 16) + (rate or b"\x40\x0e\xac\x44" + bytes(6))
    body = b"AIFFCOMM" + struct.pack(">I", 18) + comm + b"SSND" + struct.pack(">III", len(data) + 8, 0, 0) + data
    return b"FORM" + struct.pack(">I", len(body)) + body


def midi_bytes(type_: int, tracks: list[list[mido.Message]], ticks_per_beat: int = 480) -> bytes:
    """A MIDI file by mido."""
    file = mido.MidiFile(type=type_, ticks_per_beat=ticks_per_beat)
    file.tracks.extend(mido.MidiTrack(track) for track in tracks)
    out = io.BytesIO()
    file.save(file=out)
    return out.getvalue()


def melody(*, tempo_us: int | None = None, notes: int = 4, ticks: int = 480) -> list[mido.Message]:
    """Notes of equal length one after another, with a tempo before them."""
    track: list[mido.Message] = []
    if tempo_us is not None:
        track.append(mido.MetaMessage("set_tempo", tempo=tempo_us))
    for number in range(notes):
        track.append(mido.Message("note_on", note=60 + number, velocity=80))
        track.append(mido.Message("note_off", note=60 + number, time=ticks))
    return track


def note(step: str, duration: int, inside: str = "") -> str:
    """One note of a score."""
    return f"<note>{inside}<pitch><step>{step}</step><octave>4</octave></pitch><duration>{duration}</duration></note>"


SCORE = (
    '<?xml version="1.0" encoding="UTF-8"?>\n'
    '<!DOCTYPE score-partwise PUBLIC "-//Recordare//DTD MusicXML 4.0 Partwise//EN" '
    '"http://www.musicxml.org/dtds/partwise.dtd">\n'
    '<score-partwise version="4.0"><work><work-title>Lüdenscheid</work-title></work>'
    '<identification><creator type="composer">A. Nobody</creator></identification>'
    '<part-list><score-part id="P1"><part-name>A</part-name></score-part>'
    '<score-part id="P2"><part-name>B</part-name></score-part></part-list>'
    '<part id="P1"><measure number="1"><attributes><divisions>2</divisions></attributes>'
    '<direction><sound tempo="60"/></direction>'
    + note("C", 2)
    + note("E", 2, "<chord/>")
    + "<note><rest/><duration>2</duration></note>"
    + note("G", 4)
    + '</measure><measure number="2"><direction><sound tempo="120"/></direction>'
    + "<note><pitch><step>G</step><octave>4</octave></pitch><duration>8</duration><tie type='stop'/></note>"
    + '</measure></part><part id="P2"><measure number="1"><attributes><divisions>1</divisions></attributes>'
    + note("C", 4)
    + "<backup><duration>4</duration></backup>"
    + note("E", 2)
    + '</measure><measure number="2">'
    + note("C", 4)
    + "</measure></part></score-partwise>"
)
"""Two parts of two bars of four quarters, the first at 60, the second at 120 quarters a minute: 6 s and 6 notes."""

TIMEWISE = (
    '<score-timewise version="4.0"><movement-title>Kurz</movement-title>'
    '<measure number="1"><part id="P1"><attributes><divisions>1</divisions></attributes>'
    + note("C", 4)
    + '</part><part id="P2"><attributes><divisions>1</divisions></attributes>'
    + note("C", 2)
    + "</part></measure>"
    '<measure number="2"><part id="P1">' + note("C", 4) + "</part></measure></score-timewise>"
)
"""Two bars at the 120 that hold where no tempo is marked: 4 s, 3 notes, 2 parts."""


def mxl_bytes(score: str | bytes, *, root: str = "score.xml", container: str | None = None) -> bytes:
    """Compressed MusicXML."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(
            "META-INF/container.xml",
            container or f'<container><rootfiles><rootfile full-path="{root}"/></rootfiles></container>',
        )
        archive.writestr("score.xml", score)
    return out.getvalue()


def zip_bytes() -> bytes:
    """A zip archive that is no score."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("drums/kick.txt", "boom")
    return out.getvalue()
