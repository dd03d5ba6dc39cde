"""What people use today, for the same items in the same run. A peer that is not installed is skipped with its reason.

librosa and swift-f0 (MIT) are dependencies of ours; basic-pitch (Apache), of which we have the model alone, is not.
Put it beside, and name the folder in PYTHONPATH: `pip install --no-deps --target build/peers basic-pitch resampy
pretty_midi importlib_resources`.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from benchmarks.hearing.answers import Answer, Beats, Keys, Notes, Pitch
from benchmarks.hearing.truth import Labelled
from processors.audio.signal import ANALYSIS_RATE_HZ, HOP, Signal

NAMES = ("C", "C#", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")
_KRUMHANSL = np.array(
    [
        [6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88],
        [6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17],
    ]
)
"""Source: Krumhansl & Kessler 1982."""
_SECTION_S = 15.0
_TEMPLATES = {"maj": (0, 4, 7), "min": (0, 3, 7), "7": (0, 4, 7, 10), "maj7": (0, 4, 7, 11), "min7": (0, 3, 7, 10)}


@dataclass(frozen=True, slots=True)
class Peer:
    """Somebody else's analyses by task, the modules they need, and how many items of a kind are enough (None: all)."""

    name: str
    needs: tuple[str, ...]
    makers: dict[str, Callable[[Signal], Answer]]
    at_most: int | None = None

    def missing(self) -> str | None:
        """Why it cannot be asked here, None where it can."""
        try:
            for name in self.needs:
                import_module(name)
        except ImportError as error:
            return f"{self.name} is skipped: {error}"
        return None


def librosa_beats(signal: Signal) -> Beats:
    """librosa.beat.beat_track."""
    import librosa

    tempo, times_s = librosa.beat.beat_track(y=signal.analysis_mono, sr=ANALYSIS_RATE_HZ, units="time")
    return Beats(np.asarray(times_s, float), float(np.atleast_1d(tempo)[0]))


def _chroma(signal: Signal) -> np.ndarray:
    import librosa

    found: np.ndarray = librosa.feature.chroma_cqt(y=signal.analysis_mono, sr=ANALYSIS_RATE_HZ, hop_length=HOP)
    return found


def librosa_key(signal: Signal) -> Keys:
    """Mean chroma_cqt, correlated with Krumhansl's profiles."""
    mean = signal.once(_chroma).mean(axis=1)
    fits = [[np.corrcoef(np.roll(profile, tonic), mean)[0, 1] for tonic in range(12)] for profile in _KRUMHANSL]
    mode, tonic = np.unravel_index(int(np.argmax(fits)), (2, 12))
    return Keys((NAMES[tonic], ("major", "minor")[mode]))


def librosa_chords(signal: Signal) -> Labelled:
    """Templates of five qualities on chroma_cqt, smoothed by librosa.sequence.viterbi."""
    import librosa

    labels = [f"{NAMES[root]}:{quality}" for quality in _TEMPLATES for root in range(12)]
    rows = [np.isin((np.arange(12) - root) % 12, tones) for tones in _TEMPLATES.values() for root in range(12)]
    templates = np.array(rows, float)
    templates /= np.linalg.norm(templates, axis=1, keepdims=True)
    chroma = signal.once(_chroma)
    likeness = np.exp(20 * (templates @ librosa.util.normalize(chroma, norm=2, axis=0)))
    stay = librosa.sequence.transition_loop(len(labels), 0.98)
    path = librosa.sequence.viterbi_discriminative(likeness / likeness.sum(axis=0), stay)
    borders = [0, *(np.flatnonzero(np.diff(path)) + 1).tolist(), len(path)]
    step_s = HOP / ANALYSIS_RATE_HZ
    return [(a * step_s, b * step_s, labels[path[a]]) for a, b in pairwise(borders)]


def librosa_sections(signal: Signal) -> Labelled:
    """librosa.segment.agglomerative on chroma and MFCC a beat, a section every 15 s; it tells none that are alike.

    Spectral clustering as in librosa's gallery (McFee & Ellis 2014) finds fewer borders here: 0.47 beside 0.71.
    """
    import librosa

    heard = {"y": signal.analysis_mono, "sr": ANALYSIS_RATE_HZ}
    both = (librosa.feature.chroma_stft(**heard), librosa.feature.mfcc(**heard))
    rows = np.vstack([librosa.util.normalize(part, axis=1) for part in both])
    _, beats = librosa.beat.beat_track(**heard, trim=False)
    frames = librosa.util.fix_frames(beats, x_min=0, x_max=rows.shape[1])
    at_s = librosa.frames_to_time(frames, sr=ANALYSIS_RATE_HZ)
    count = max(2, round(signal.duration_s / _SECTION_S))
    starts_s = at_s[librosa.segment.agglomerative(librosa.util.sync(rows, beats), count)]
    return [(a, b, str(number)) for number, (a, b) in enumerate(pairwise([*starts_s.tolist(), at_s[-1]]))]


def pyin(signal: Signal) -> Pitch:
    """librosa.pyin between 65 and 1600 Hz."""
    import librosa

    hz, voiced, _ = librosa.pyin(signal.analysis_mono, fmin=65, fmax=1600, sr=ANALYSIS_RATE_HZ)
    return Pitch(np.arange(len(hz)) * HOP / ANALYSIS_RATE_HZ, np.where(voiced, np.nan_to_num(hz), 0))


def swift_f0(signal: Signal) -> Pitch:
    """swift-f0 as its authors call it."""
    found = _swift().detect(signal.mono, signal.rate_hz)
    return Pitch(np.asarray(found.timestamps), np.where(found.confidence >= 0.5, found.pitch_hz, 0))


@cache
def _swift() -> Any:  # Any: no types
    return import_module("swift_f0").SwiftF0()


def basic_pitch(signal: Signal) -> Notes:
    """basic-pitch with its own thresholds."""
    predict = import_module("basic_pitch.inference").predict
    with tempfile.TemporaryDirectory(prefix="hearing-") as folder:
        path = Path(folder, "heard.wav")
        soundfile.write(path, signal.mono, signal.rate_hz)
        _, _, events = predict(str(path), _basic_pitch_model())
    return [(float(event[0]), float(event[1]), float(event[2])) for event in events]


@cache
def _basic_pitch_model() -> Any:  # Any: no types
    inference = import_module("basic_pitch.inference")
    folder = Path(import_module("basic_pitch").__file__ or "").parent
    return inference.Model(folder / "saved_models" / "icassp_2022" / "nmp.onnx")


PEERS = (
    Peer(
        "librosa",
        ("librosa",),
        {"beats": librosa_beats, "key": librosa_key, "chords": librosa_chords, "sections": librosa_sections},
    ),
    Peer("pyin", ("librosa",), {"voice": pyin}, at_most=4),
    Peer("swift-f0", ("swift_f0", "onnxruntime"), {"voice": swift_f0}),
    Peer("basic-pitch", ("basic_pitch.inference", "onnxruntime"), {"notes": basic_pitch}),
)
