"""Sheets to sound: FluidSynth and a SoundFont, then what happens to recordings on their way to us."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import soundfile

from benchmarks.hearing.sheet import Sheet
from benchmarks.hearing.smf import write_midi

RATE_HZ = 44_100
SOUNDFONTS = {
    "fluidr3": Path("/usr/share/sounds/sf2/FluidR3_GM.sf2"),
    "timgm": Path("/usr/share/sounds/sf2/TimGM6mb.sf2"),
    "musescore": Path("/usr/share/sounds/sf3/MuseScore_General_Lite.sf3"),
    "opl3": Path("/usr/share/sounds/sf2/OPL-3_FM_128M.sf2"),
}
"""Debian's fluid-soundfont-gm, timgm6mb-soundfont, musescore-general-soundfont-small and opl3-soundfont."""
DEGRADATIONS = ("clean", "noise", "reverb", "mp3", "quiet", "narrow")
LOUD = 0.1
_PEAK = 0.98


class Unrenderable(RuntimeError):
    """What is needed to render is not on this machine."""


def missing() -> str | None:
    """Return why nothing can be rendered here, None where it can."""
    if shutil.which("fluidsynth") is None:
        return "fluidsynth is not installed (Debian: apt-get install fluidsynth)"
    return None if available() else "no SoundFont is installed (Debian: apt-get install fluid-soundfont-gm)"


def available() -> list[str]:
    """Return the names of the SoundFonts that are here."""
    return [name for name, path in SOUNDFONTS.items() if path.exists()]


def play(sheets: Sequence[Sheet], soundfont: str, *, jitter_s: float = 0.0, seed: int = 0) -> list[np.ndarray]:
    """Return sheets played by a SoundFont, each of shape (2, frames), float32, at 44.1 kHz.

    Each has its `lead_s` of silence before. They are played in one go, as to load a SoundFont may take ten seconds.
    """
    if why := missing():
        raise Unrenderable(why)
    with tempfile.TemporaryDirectory(prefix="hearing-") as folder:
        midi, wave = Path(folder, "in.mid"), Path(folder, "out.wav")
        starts_s = write_midi(sheets, midi, jitter_s=jitter_s, seed=seed)
        command = ["fluidsynth", "-ni", "-q", "-g", "0.4", "-r", str(RATE_HZ), "-R", "1", "-C", "0"]
        command += ["-o", "synth.dynamic-sample-loading=1", "-T", "wav", "-O", "float", "-F", str(wave)]
        done = subprocess.run(
            [*command, str(SOUNDFONTS[soundfont]), str(midi)], capture_output=True, check=False, timeout=900
        )
        if done.returncode or not wave.exists():
            raise Unrenderable(f"fluidsynth failed: {done.stderr.decode(errors='replace')[-300:]}")
        samples, _ = soundfile.read(wave, dtype="float32", always_2d=True)
    borders = [round(start_s * RATE_HZ) for start_s in starts_s]
    return [levelled(samples[first:behind].T) for first, behind in pairwise(borders)]


def levelled(samples: np.ndarray, rms: float = LOUD) -> np.ndarray:
    """Return samples at a usual level, soft-limited where a peak would go over full scale."""
    now = float(np.sqrt(np.mean(np.square(samples, dtype=np.float64))))
    scaled = samples * np.float32(rms / max(now, 1e-9))
    peak = float(np.abs(scaled).max())
    return (scaled * np.float32(_PEAK / peak) if peak > _PEAK else scaled).astype(np.float32)


def degrade(samples: np.ndarray, how: str, *, seed: int) -> np.ndarray:
    """Return samples after what the name says; times stay as they were.

    noise: pink, 15 to 25 dB below. reverb: decay of 0.4 to 1.2 s. mp3: 128 kb/s and back. quiet: 30 dB down with
    a little hiss. narrow: through 22,050 Hz and a telephone-like band.
    """
    rng = np.random.default_rng(seed)
    makers: dict[str, Callable[[np.ndarray, np.random.Generator], np.ndarray]] = {
        "clean": lambda heard, _: heard,
        "noise": _noisy,
        "reverb": _reverberant,
        "mp3": lambda heard, _: _through_mp3(heard),
        "quiet": _quiet,
        "narrow": lambda heard, _: _narrow(heard),
    }
    return makers[how](samples, rng).astype(np.float32)


def _noisy(samples: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    channels, frames = samples.shape
    spectrum = np.fft.rfft(rng.normal(size=(channels, 2 ** int(np.ceil(np.log2(frames))))), axis=1)
    spectrum /= np.sqrt(np.maximum(1, np.arange(spectrum.shape[1])))
    noise = np.fft.irfft(spectrum, axis=1)[:, :frames]
    snr_db = rng.uniform(15, 25)
    noise *= np.std(samples) / np.std(noise) * 10 ** (-snr_db / 20)
    return samples + noise


def _reverberant(samples: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Convolve with noise that decays by 60 dB, the direct sound in front and unmoved."""
    from scipy.signal import oaconvolve

    decay_s = rng.uniform(0.4, 1.2)
    at_s = np.arange(int(decay_s * RATE_HZ)) / RATE_HZ
    tail = rng.normal(size=(samples.shape[0], len(at_s))) * 10 ** (-3 * at_s / decay_s)
    tail[:, : int(0.008 * RATE_HZ)] = 0
    tail *= rng.uniform(0.25, 0.6) / np.sqrt(np.sum(tail**2, axis=1, keepdims=True))
    tail[:, 0] = 1
    return levelled(np.stack([oaconvolve(x, t)[: len(x)] for x, t in zip(samples, tail, strict=True)]))


def _through_mp3(samples: np.ndarray) -> np.ndarray:
    """Encode and decode by libsndfile, whose decoder takes the encoder's delay away; what is left is measured."""
    with tempfile.TemporaryDirectory(prefix="hearing-") as folder:
        path = Path(folder, "through.mp3")
        _write_mp3(samples, path)
        heard, _ = soundfile.read(path, dtype="float32", always_2d=True)
    late = _delay(samples[0], heard[:, 0])
    back = heard.T[:, max(0, late) :]
    return np.pad(back, ((0, 0), (max(0, -late), max(0, samples.shape[1] - back.shape[1]))))[:, : samples.shape[1]]


def _write_mp3(samples: np.ndarray, path: Path) -> None:
    if shutil.which("ffmpeg"):
        raw = np.ascontiguousarray(samples.T, dtype="<f4").tobytes()
        shape = ["-f", "f32le", "-ar", str(RATE_HZ), "-ac", str(samples.shape[0])]
        subprocess.run(
            ["ffmpeg", "-v", "error", "-y", *shape, "-i", "-", "-b:a", "128k", str(path)],
            input=raw, check=True, timeout=300,
        )  # fmt: skip
    else:
        soundfile.write(path, samples.T, RATE_HZ, format="MP3", subtype="MPEG_LAYER_III", compression_level=0.5)


def _delay(before: np.ndarray, after: np.ndarray) -> int:
    """By how many samples the second comes later, within 0.1 s, from the first five seconds."""
    from scipy.signal import correlate

    count = min(len(before), len(after), 5 * RATE_HZ)
    around = correlate(after[:count], before[:count], method="fft")
    reach = RATE_HZ // 10
    return int(np.argmax(around[count - 1 - reach : count + reach])) - reach


def _quiet(samples: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return samples * 10 ** (-30 / 20) + rng.normal(scale=10 ** (-75 / 20), size=samples.shape)


def _narrow(samples: np.ndarray) -> np.ndarray:
    from scipy.signal import butter, resample_poly, sosfiltfilt

    halved = resample_poly(resample_poly(samples, 1, 2, axis=1), 2, 1, axis=1)[:, : samples.shape[1]]
    return sosfiltfilt(butter(2, (120, 6000), "bandpass", fs=RATE_HZ, output="sos"), halved, axis=1)
