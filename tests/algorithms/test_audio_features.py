"""Spectrogram, features and onset strength against librosa, called as people call it."""

from __future__ import annotations

import io

import librosa
import numpy as np
import pytest
from audio_material import LOOP_NAMES, analyse, chord, clicks, load_loop, loop_path, noise, sine

from processors.audio import spectra
from processors.audio.features import extract_features
from processors.audio.signal import ANALYSIS_RATE_HZ, HOP, N_FFT, Signal

NAMED = (
    "centroid_hz",
    "bandwidth_hz",
    "rolloff_hz",
    "flatness",
    "contrast_db",
    "flux",
    "rms",
    "zero_crossing_rate",
    "onset_strength",
    "mfcc",
    "chroma",
    "tonnetz",
)
MADE = ("music", "noise", "half silent", "DC and clicks", "at 48 kHz", "at 8 kHz", "one sample", "silence")
pytestmark = pytest.mark.filterwarnings("ignore:Trying to estimate tuning:UserWarning", "ignore:n_fft:UserWarning")


def made(name: str) -> tuple[np.ndarray, int]:
    """A synthetic sound, shape (channels, frames), and its rate."""
    music = (chord([48, 55, 64, 71], 3) + clicks(120, 3)[0][0])[None]
    return {
        "music": (music, 44_100),
        "noise": (noise(2, channels=2), 44_100),
        "half silent": (np.pad(music, ((0, 0), (0, 44_100))), 44_100),
        "DC and clicks": (clicks(90, 3)[0] + 0.25, 44_100),
        "at 48 kHz": (sine(311, 2) + noise(2, rate_hz=48_000) / 10, 48_000),
        "at 8 kHz": (noise(2, rate_hz=8000), 8000),
        "one sample": (np.full((1, 1), 0.5), 44_100),
        "silence": (np.zeros((2, 44_100)), 44_100),
    }[name]


@pytest.fixture(scope="module", params=[*MADE, *LOOP_NAMES])
def sound(request) -> tuple[Signal, np.ndarray]:
    """A sound, and the samples that librosa would load of it."""
    if request.param in LOOP_NAMES:
        return load_loop(request.param), librosa.load(loop_path(request.param))[0]
    samples, rate_hz = made(request.param)
    mono = librosa.to_mono(samples.astype(np.float32))
    return Signal(samples.astype(np.float32), rate_hz), librosa.resample(
        mono, orig_sr=rate_hz, target_sr=ANALYSIS_RATE_HZ
    )


@pytest.fixture(scope="module")
def by_librosa(sound) -> dict[str, np.ndarray]:
    """The same features by librosa, each from the samples, frames first."""
    y = sound[1]
    feature, magnitudes = librosa.feature, np.abs(librosa.stft(y))
    found = {
        "centroid_hz": feature.spectral_centroid(y=y),
        "bandwidth_hz": feature.spectral_bandwidth(y=y),
        "rolloff_hz": feature.spectral_rolloff(y=y),
        "flatness": feature.spectral_flatness(y=y),
        "contrast_db": feature.spectral_contrast(y=y),
        "flux": librosa.onset.onset_strength(S=magnitudes),
        "rms": feature.rms(y=y),
        "zero_crossing_rate": feature.zero_crossing_rate(y),
        "onset_strength": librosa.onset.onset_strength(y=y),
        "mfcc": feature.mfcc(y=y),
        "chroma": feature.chroma_stft(y=y),
        "tonnetz": feature.tonnetz(chroma=feature.chroma_stft(y=y)),
    }
    several = {name for name, values in found.items() if values.ndim == 2 and len(values) > 1}
    return {name: values.T if name in several else np.ravel(values) for name, values in found.items()}


def test_the_spectrogram_is_librosas(sound):
    """Given a sound, when its spectrogram is made, then it is librosa's."""
    expected = np.abs(librosa.stft(sound[1], n_fft=N_FFT, hop_length=HOP)).T
    np.testing.assert_allclose(sound[0].spectrogram, expected, rtol=1e-5, atol=1e-6 * expected.max())


def test_the_mel_bands_are_librosas(sound):
    """Given a sound, when its mel bands are taken, then their decibels are librosa's."""
    expected = librosa.power_to_db(librosa.feature.melspectrogram(y=sound[1])).T
    np.testing.assert_allclose(sound[0].mel_db, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(("rate_hz", "bands"), [(22_050, 128), (44_100, 64), (8000, 40)])
def test_the_filterbank_is_slaneys(rate_hz, bands):
    """Given a rate and a number of bands, when filters are made, then they are librosa's."""
    expected = librosa.filters.mel(sr=rate_hz, n_fft=2048, n_mels=bands)
    np.testing.assert_allclose(
        spectra.mel_filterbank(rate_hz=rate_hz, n_fft=2048, bands=bands), expected, rtol=1e-4, atol=1e-8
    )


@pytest.mark.parametrize("name", NAMED)
def test_a_feature_is_librosas(sound, by_librosa, name):
    """Given a sound, when a feature is taken, then librosa's, from the same file, is the same within 1e-4."""
    found, expected = sound[0].features[name], by_librosa[name]
    assert found.shape == expected.shape
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4 * min(1, np.abs(expected).max()))


def test_the_event_holds_the_means_of_what_the_blob_holds(blobs):
    """Given a sound, when features are extracted, then the event's figures are the means of the blob's arrays."""
    signal = Signal(made("music")[0].astype(np.float32), 44_100)
    found = analyse(extract_features, signal, blobs)
    frames = np.load(io.BytesIO(blobs.open(found.frames.sha256).read()), allow_pickle=False)
    assert set(frames) == set(NAMED)
    assert found.frame_rate_hz == pytest.approx(22_050 / 512, abs=1e-4)
    for name in NAMED:
        assert len(frames[name]) == len(signal.spectrogram)
        assert getattr(found, name) == pytest.approx(frames[name].mean(axis=0, dtype=float), abs=1e-3, rel=1e-4)
    assert found.mfcc_std == pytest.approx(frames["mfcc"].std(axis=0, dtype=float), abs=1e-3)


def test_a_sine_has_its_centroid_at_its_frequency():
    """Given a sine of 1 kHz, when features are taken, then centroid, rolloff and zero crossings say so."""
    times = np.arange(44_100) / 44_100
    features = Signal(np.sin(2 * np.pi * 1000 * times)[None].astype(np.float32), 44_100).features
    middle = slice(4, -4)
    assert features["centroid_hz"][middle] == pytest.approx(1000, rel=0.01)
    assert features["rolloff_hz"][middle] == pytest.approx(1000, abs=2 * 22_050 / 2048)
    assert features["zero_crossing_rate"][middle] == pytest.approx(2000 / 22_050, rel=0.01)
    assert features["flatness"][middle].max() < 1e-3
