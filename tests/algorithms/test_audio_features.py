"""Spectrogram, features and onset strength against librosa."""

from __future__ import annotations

import io

import librosa
import numpy as np
import pytest
from audio_material import analyse, chord, clicks, load_loop, noise

from processors.audio import spectra
from processors.audio.features import extract_features
from processors.audio.signal import ANALYSIS_RATE_HZ, HOP, N_FFT, Signal

NAMED = ("centroid_hz", "bandwidth_hz", "rolloff_hz", "flatness", "zero_crossing_rate", "mfcc")


@pytest.fixture(scope="module", params=["music", "noise", "half silent", "loop"])
def signal(request) -> Signal:
    """Sounds to compare by."""
    if request.param == "loop":
        return load_loop("garzul")
    music = chord([48, 55, 64, 71], 3) + clicks(120, 3)[0][0]
    samples = {"music": music[None], "noise": noise(2, channels=2), "half silent": np.pad(music, (0, 44_100))[None]}
    return Signal(samples[request.param].astype(np.float32), 44_100)


def by_librosa(signal: Signal) -> dict[str, np.ndarray]:
    """The same features by librosa, of the same spectrogram."""
    spectrum, rate = signal.spectrogram.T, {"sr": ANALYSIS_RATE_HZ}
    mono = signal.analysis_mono
    return {
        "centroid_hz": librosa.feature.spectral_centroid(S=spectrum, **rate)[0],
        "bandwidth_hz": librosa.feature.spectral_bandwidth(S=spectrum, **rate)[0],
        "rolloff_hz": librosa.feature.spectral_rolloff(S=spectrum, **rate)[0],
        "flatness": librosa.feature.spectral_flatness(S=spectrum)[0],
        "zero_crossing_rate": librosa.feature.zero_crossing_rate(mono, frame_length=N_FFT, hop_length=HOP)[0],
        "mfcc": librosa.feature.mfcc(S=signal.mel_db.T, n_mfcc=20).T,
    }


def test_the_spectrogram_is_librosas(signal):
    """Given a sound, when its spectrogram is made, then it is librosa's within float32."""
    expected = np.abs(librosa.stft(signal.analysis_mono, n_fft=N_FFT, hop_length=HOP)).T
    np.testing.assert_allclose(signal.spectrogram, expected, rtol=1e-4, atol=1e-5 * expected.max())


def test_the_mel_bands_are_librosas(signal):
    """Given a spectrogram, when its mel bands are taken, then power and decibels are librosa's."""
    expected = librosa.feature.melspectrogram(S=signal.spectrogram.T**2, sr=ANALYSIS_RATE_HZ).T
    np.testing.assert_allclose(signal.mel, expected, rtol=1e-4, atol=1e-9)
    np.testing.assert_allclose(signal.mel_db, librosa.power_to_db(expected), rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize(("rate_hz", "bands"), [(22_050, 128), (44_100, 64), (8000, 40)])
def test_the_filterbank_is_slaneys(rate_hz, bands):
    """Given a rate and a number of bands, when filters are made, then they are librosa's."""
    expected = librosa.filters.mel(sr=rate_hz, n_fft=2048, n_mels=bands)
    np.testing.assert_allclose(
        spectra.mel_filterbank(rate_hz=rate_hz, n_fft=2048, bands=bands), expected, rtol=1e-4, atol=1e-8
    )


@pytest.mark.parametrize("name", NAMED)
def test_a_feature_is_librosas(signal, name):
    """Given the same spectrogram, when a feature is taken, then librosa's is the same within 1e-4."""
    expected = by_librosa(signal)[name]
    np.testing.assert_allclose(signal.features[name], expected, rtol=1e-4, atol=1e-4 * np.abs(expected).max())


def test_onset_strength_is_librosas(signal):
    """Given mel bands in decibels, when onsets are weighed, then librosa's are the same."""
    expected = librosa.onset.onset_strength(S=signal.mel_db.T, sr=ANALYSIS_RATE_HZ, hop_length=HOP)
    np.testing.assert_allclose(signal.onset_strength, expected, rtol=1e-4, atol=1e-4)


def test_the_event_holds_the_means_of_what_the_blob_holds(signal, blobs):
    """Given a sound, when features are extracted, then the event's figures are the means of the blob's arrays."""
    found = analyse(extract_features, signal, blobs)
    frames = np.load(io.BytesIO(blobs.open(found.frames.sha256).read()), allow_pickle=False)
    assert set(frames) == set(NAMED)
    assert found.frame_rate_hz == pytest.approx(22_050 / 512, abs=1e-4)
    for name in NAMED[:-1]:
        assert frames[name].shape == (len(signal.spectrogram),)
        assert getattr(found, name) == pytest.approx(frames[name].mean(dtype=float), abs=1e-4)
    assert found.mfcc_mean == pytest.approx(frames["mfcc"].mean(axis=0, dtype=float), abs=1e-3)
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
