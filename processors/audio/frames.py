"""All that is told of each frame of the shared spectrogram, found in one pass over it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from processors.audio import chroma, pitch_classes, spectra, timbre
from processors.audio.arrays import Growing

if TYPE_CHECKING:
    from processors.audio.signal import Signal

RATE_HZ = 22_050
BIN_HZ = RATE_HZ / spectra.N_FFT
MEL_BANDS = 128
MFCC = 20
_DELAY_FRAMES = spectra.N_FFT // (2 * spectra.HOP)
"""By how much a centred window sees an onset too early."""


@dataclass(frozen=True, slots=True)
class Frames:
    """Compact results of the pass; float32.

    mel_db: shape (frames, 128); mel_power: shape (frames,); contrast is in `features`, with all else that is a feature.
    """

    mel_db: np.ndarray
    mel_power: np.ndarray
    features: dict[str, np.ndarray]
    tones: chroma.Tones
    tuning_semitones: float


def hear_frames(signal: Signal) -> Frames:
    """Go over the spectrogram once."""
    count = signal.spectral_frames
    mel_db, mel_power = np.empty((count, MEL_BANDS), np.float32), np.empty(count, np.float32)
    filterbank = spectra.mel_filterbank(rate_hz=RATE_HZ, n_fft=spectra.N_FFT, bands=MEL_BANDS)
    features = {name: np.empty(count, np.float32) for name in ("centroid_hz", "bandwidth_hz", "rolloff_hz", "flatness")}
    extremes = np.empty((2, count, timbre.CONTRAST_OCTAVES + 1), np.float32)
    rises = np.zeros(count + _DELAY_FRAMES, np.float32)
    tones, peaks_hz, peak_powers = chroma.ToneList(), Growing(np.float32), Growing(np.float32)
    before: np.ndarray | None = None
    for at, block in spectra.placed(signal.spectra()):
        part = slice(at, at + len(block))
        power = block * block
        mel = power @ filterbank.T
        mel_db[part], mel_power[part] = spectra.decibels(mel), mel.sum(axis=1)
        for name, values in timbre.spectral_shape(block, power, bin_hz=BIN_HZ).items():
            features[name][part] = values
        extremes[:, part] = timbre.peaks_and_valleys(block, bin_hz=BIN_HZ)
        before = block[0] if before is None else before
        rises[at + _DELAY_FRAMES : part.stop + _DELAY_FRAMES] = timbre.flux(block, before)
        before = block[-1].copy()
        for column, values in zip(
            (peaks_hz, peak_powers), pitch_classes.pitch_peaks(power, bin_hz=BIN_HZ), strict=True
        ):
            column.add(values)
        tones.add(chroma.find_tones(block, bin_hz=BIN_HZ, first_frame=at))
    spectra.limited(mel_db)
    highest, lowest = (spectra.limited(spectra.decibels(each)) for each in extremes)
    features["contrast_db"] = highest - lowest
    features["flux"] = rises[:count]
    features |= timbre.wave_features(signal.analysis_blocks(), hop=spectra.HOP)
    features["onset_strength"] = spectra.onset_strength(mel_db, delay_frames=_DELAY_FRAMES)
    features["mfcc"] = timbre.mel_cepstrum(mel_db, coefficients=MFCC)
    tuning = pitch_classes.tuning_of(peaks_hz.values(), peak_powers.values())
    return Frames(mel_db, mel_power, features, tones.tones(), tuning)


def tone_chroma(signal: Signal) -> np.ndarray:
    """The strength of the twelve pitch classes a step, from the tones; see `chroma.chromagram`."""
    steps = -(-signal.spectral_frames // chroma.STEP_FRAMES)
    return chroma.chromagram(signal.once(hear_frames).tones, steps=steps)


def harmonic_features(signal: Signal) -> dict[str, np.ndarray]:
    """Pitch classes in the sound's own tuning and their tonal centroids, which need a pass of their own."""
    filterbank = pitch_classes.chroma_filterbank(
        rate_hz=RATE_HZ, n_fft=spectra.N_FFT, tuning_semitones=signal.once(hear_frames).tuning_semitones
    )
    classes = np.empty((signal.spectral_frames, 12), np.float32)
    for at, block in spectra.placed(signal.spectra()):
        classes[at : at + len(block)] = pitch_classes.pitch_classes(block * block, filterbank)
    return {"chroma": classes, "tonnetz": pitch_classes.tonal_centroids(classes)}


def features(signal: Signal) -> dict[str, np.ndarray]:
    """Every feature a frame by name."""
    return signal.once(hear_frames).features | harmonic_features(signal)
