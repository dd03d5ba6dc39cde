"""A decoded asset and what its analyses share: each is computed once, when the first of them asks."""

from __future__ import annotations

from functools import cached_property

import numpy as np

from domain.errors import Malformed
from processors.audio import chroma, spectra, timbre

ANALYSIS_RATE_HZ = 22_050
N_FFT = 2048
HOP = 512
FRAME_RATE_HZ = ANALYSIS_RATE_HZ / HOP
MEL_BANDS = 128
MFCC = 20
SPECTRUM: dict[str, int] = {"rate_hz": ANALYSIS_RATE_HZ, "n_fft": N_FFT, "hop": HOP}
"""How the shared spectrogram is made, for the parameters of events that come of it."""

_LOUDEST = 1e9


class Signal:
    """Samples of one asset with lazily filled views of them; none of the arrays is to be written to.

    samples: shape (channels, frames), float32, full scale at 1.
    Raises: Malformed, for another shape, for no samples, and for samples that are not numbers.
    """

    def __init__(self, samples: np.ndarray, rate_hz: int) -> None:
        self.samples = np.ascontiguousarray(samples, dtype=np.float32)
        self.rate_hz = rate_hz
        if self.samples.ndim != 2 or not self.samples.size:
            raise Malformed(f"audio of shape {samples.shape}, not (channels, frames) with at least one of each")
        if not self.peak <= _LOUDEST:
            raise Malformed("audio has samples that are not finite or past 180 dB over full scale", rate_hz=rate_hz)

    @property
    def channels(self) -> int:
        """How many channels."""
        return int(self.samples.shape[0])

    @property
    def frames(self) -> int:
        """How many samples a channel."""
        return int(self.samples.shape[1])

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return self.frames / self.rate_hz

    @cached_property
    def peak(self) -> float:
        """The largest magnitude of any sample."""
        return float(max(self.samples.max(), -self.samples.min()))

    @cached_property
    def channel_means(self) -> np.ndarray:
        """The mean of each channel, shape (channels,), float64."""
        means: np.ndarray = self.samples.mean(axis=1, dtype=np.float64)
        return means

    @cached_property
    def mono(self) -> np.ndarray:
        """The mean of the channels, shape (frames,); the strongest channel where they cancel each other."""
        if self.channels == 1:
            only: np.ndarray = self.samples[0]
            return only
        mixed: np.ndarray = self.samples.mean(axis=0, dtype=np.float32)
        powers = [float(np.dot(channel, channel)) for channel in self.samples]
        cancelled = float(np.dot(mixed, mixed)) < 1e-4 * sum(powers) / self.channels**2
        strongest: np.ndarray = self.samples[int(np.argmax(powers))]
        return strongest if cancelled else mixed

    @cached_property
    def analysis_mono(self) -> np.ndarray:
        """Mono without its mean at 22,050 Hz, shape (n,), float32."""
        centred = self.mono - np.float32(self.mono.mean(dtype=np.float64))
        if self.rate_hz == ANALYSIS_RATE_HZ:
            return centred
        import soxr

        resampled: np.ndarray = soxr.resample(centred, self.rate_hz, ANALYSIS_RATE_HZ, quality="HQ")
        return resampled if resampled.size else np.zeros(1, np.float32)

    @cached_property
    def spectrogram(self) -> np.ndarray:
        """The one magnitude STFT, shape (frames, 1025), float32; frame k is centred on k / FRAME_RATE_HZ seconds."""
        return spectra.magnitude_spectrogram(self.analysis_mono, n_fft=N_FFT, hop=HOP)

    @cached_property
    def mel(self) -> np.ndarray:
        """Power in 128 mel bands, shape (frames, 128), float32."""
        filterbank = spectra.mel_filterbank(rate_hz=ANALYSIS_RATE_HZ, n_fft=N_FFT, bands=MEL_BANDS)
        return spectra.mel_spectrogram(self.spectrogram, filterbank)

    @cached_property
    def mel_db(self) -> np.ndarray:
        """The mel bands in dB, within 80 dB of the loudest, shape (frames, 128), float32."""
        return spectra.decibels(self.mel)

    @cached_property
    def features(self) -> dict[str, np.ndarray]:
        """Features a frame by name: `mfcc` of shape (frames, 20), the others of `timbre` of shape (frames,)."""
        return {
            **timbre.spectral_shape(self.spectrogram, bin_hz=ANALYSIS_RATE_HZ / N_FFT),
            "zero_crossing_rate": timbre.zero_crossing_rate(self.analysis_mono, window=N_FFT, hop=HOP),
            "mfcc": timbre.mel_cepstrum(self.mel_db, coefficients=MFCC),
        }

    @cached_property
    def onset_strength(self) -> np.ndarray:
        """Mean rise of the mel bands in dB, shape (frames,), float32."""
        return spectra.onset_strength(self.mel_db, delay_frames=N_FFT // (2 * HOP))

    @cached_property
    def tones(self) -> chroma.Tones:
        """The spectral peaks that stand out as tones."""
        return chroma.find_tones(self.spectrogram, bin_hz=ANALYSIS_RATE_HZ / N_FFT)

    @cached_property
    def chroma(self) -> np.ndarray:
        """Strength of the twelve pitch classes from C, in the file's own tuning, shape (steps, 12), float32.

        A step is 8 frames of the spectrogram; one without a tone is all zeros.
        """
        return chroma.chromagram(self.tones, steps=-(-len(self.spectrogram) // chroma.STEP_FRAMES))
