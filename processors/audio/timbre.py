"""What a spectrum is like, frame by frame: where its weight lies, how flat it is, its cepstrum."""

from __future__ import annotations

import numpy as np

ROLLOFF_SHARE = 0.85
_BLOCK_FRAMES = 256
_LEAST_POWER = 1e-10
_LEAST_SAMPLE = 1e-10


def spectral_shape(spectrogram: np.ndarray, *, bin_hz: float) -> dict[str, np.ndarray]:
    """Return centroid_hz, bandwidth_hz, rolloff_hz (85 %) and flatness of magnitudes, each of shape (frames,), float32.

    spectrogram: shape (frames, bins). A silent frame has 0 Hz and flatness 1.
    Source: Klapuri & Davy 2006, chapter 5; flatness of power by Dubnov 2004.
    """
    frequencies = np.arange(spectrogram.shape[1]) * bin_hz
    moments = np.stack([np.ones_like(frequencies), frequencies, frequencies**2], axis=1)
    names = ("centroid_hz", "bandwidth_hz", "rolloff_hz", "flatness")
    shape = {name: np.empty(len(spectrogram), np.float32) for name in names}
    for start in range(0, len(spectrogram), _BLOCK_FRAMES):
        part = slice(start, start + _BLOCK_FRAMES)
        block = spectrogram[part]
        total, first, second = (block.astype(np.float64) @ moments).T
        total = np.where(total < np.finfo(np.float32).tiny, 1.0, total)
        centroid = first / total
        shape["centroid_hz"][part] = centroid
        shape["bandwidth_hz"][part] = np.sqrt(np.maximum(0, second / total - centroid**2))
        running = np.cumsum(block, axis=1)
        shape["rolloff_hz"][part] = frequencies[
            np.argmax(running >= np.float32(ROLLOFF_SHARE) * running[:, -1:], axis=1)
        ]
        power = np.maximum(block * block, np.float32(_LEAST_POWER))
        shape["flatness"][part] = np.exp(np.log(power).mean(axis=1)) / power.mean(axis=1)
    return shape


def zero_crossing_rate(samples: np.ndarray, *, window: int, hop: int) -> np.ndarray:
    """Return the share of samples that change sign, in windows centred as the spectrogram's, shape (frames,), float32.

    samples: shape (n,). The first and last sample hold on beyond the ends; what is next to nothing counts as zero.
    """
    negative = samples < -_LEAST_SAMPLE
    crossings = np.zeros(len(samples) + 1, np.int32)
    np.cumsum(negative[1:] != negative[:-1], out=crossings[2:])
    centres = np.arange(1 + len(samples) // hop) * hop
    first = np.clip(centres - window // 2 + 1, 1, len(samples))
    behind = np.clip(centres + window // 2, 1, len(samples))
    return ((crossings[behind] - crossings[first]) / window).astype(np.float32)


def mel_cepstrum(mel_db: np.ndarray, *, coefficients: int) -> np.ndarray:
    """Return MFCC of mel bands in dB, shape (frames, coefficients): an orthonormal DCT-II. Source: Davis 1980."""
    import scipy.fft

    cepstrum: np.ndarray = scipy.fft.dct(mel_db, type=2, norm="ortho", axis=1)[:, :coefficients]
    return cepstrum
