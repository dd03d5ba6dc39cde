"""Writes the recordings of the tutorial, the same bytes every time: `python docs/make_song.py FOLDER`.

song.wav and the folder demos/ with verse.wav, chorus.wav and notes.wav, which is text under a wrong name.
"""

from __future__ import annotations

import math
import random
import sys
import wave
from array import array
from pathlib import Path

RATE_HZ = 22_050
LEVEL = 7000
NOTES = ["C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B"]
SONGS: dict[str, tuple[float, str]] = {
    "song.wav": (120.0, "Am F C G Am F C G"),
    "demos/verse.wav": (96.0, "Em C G D Em C G D"),
    "demos/chorus.wav": (120.0, "C G Am F C G Am F"),
}
"""File -> tempo in beats a minute, and a chord a bar."""
NOT_AUDIO = "demos/notes.wav"


def pitches_hz(chord: str) -> list[float]:
    """The triad of a label such as "Am", its root an octave below, in Hz."""
    root = NOTES.index(chord.removesuffix("m")) + 57 - 9
    third = 3 if chord.endswith("m") else 4
    return [440.0 * 2 ** ((pitch - 69) / 12) for pitch in (root - 12, root, root + third, root + 7)]


def beat(chord: str, frames: int, noise: random.Random) -> list[int]:
    """One beat of a chord that dies away, with a click at its start."""
    found = []
    for frame in range(frames):
        time_s = frame / RATE_HZ
        tone = sum(math.sin(2 * math.pi * hz * time_s) for hz in pitches_hz(chord)) / 4
        click = noise.uniform(-1, 1) * math.exp(-200 * time_s)
        found.append(round(LEVEL * (tone * math.exp(-3 * time_s) + click)))
    return found


def song(tempo_bpm: float, chords: str) -> array[int]:
    """Samples of a song in common time, 16 bit."""
    samples = array("h")
    frames = round(RATE_HZ * 60 / tempo_bpm)
    made = {chord: beat(chord, frames, random.Random(1)) for chord in sorted(set(chords.split()))}
    for chord in chords.split():
        for _ in range(4):
            samples.extend(made[chord])
    return samples


def write(path: Path, samples: array[int]) -> None:
    """Write a mono WAV file."""
    if sys.byteorder == "big":
        samples.byteswap()
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, RATE_HZ, len(samples), "NONE", ""))
        file.writeframes(samples.tobytes())


def main(folder: Path) -> None:
    """Write all files under a folder."""
    (folder / "demos").mkdir(parents=True, exist_ok=True)
    for name, (tempo_bpm, chords) in SONGS.items():
        write(folder / name, song(tempo_bpm, chords))
    (folder / NOT_AUDIO).write_text("a list of things to do, not audio\n")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "."))
