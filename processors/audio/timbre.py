"""What a spectrum is like, frame by frame: where its weight lies, how flat it is, how it changes, its cepstrum."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain, pairwise

import numpy as np

from processors.audio.spectra import AT_ONCE

ROLLOFF_SHARE = 0.85
CONTRAST_LOWEST_HZ = 200.0
CONTRAST_OCTAVES = 6
CONTRAST_QUANTILE = 0.02
_LEAST_POWER = 1e-10
_LEAST_SAMPLE = 1e-10


def spectral_shape(spectrum: np.ndarray, power: np.ndarray, *, bin_hz: float) -> dict[str, np.ndarray]:
    """Return centroid_hz, bandwidth_hz, rolloff_hz (85 %) and flatness of magnitudes, each of shape (frames,), float32.

    spectrum and its square: shape (frames, bins). A silent frame has 0 Hz and flatness 1.
    Source: Klapuri & Davy 2006, chapter 5; flatness of power by Dubnov 2004.
    """
    frequencies = np.arange(spectrum.shape[1]) * bin_hz
    moments = np.stack([np.ones_like(frequencies), frequencies, frequencies**2], axis=1)
    total, first, second = (spectrum.astype(np.float64) @ moments).T
    total = np.where(total < np.finfo(np.float32).tiny, 1.0, total)
    centroid = first / total
    running = np.cumsum(spectrum, axis=1)
    rolled = np.argmax(running >= np.float32(ROLLOFF_SHARE) * running[:, -1:], axis=1)
    floored = np.maximum(power, np.float32(_LEAST_POWER))
    shape = {
        "centroid_hz": centroid,
        "bandwidth_hz": np.sqrt(np.maximum(0, second / total - centroid**2)),
        "rolloff_hz": frequencies[rolled],
        "flatness": np.exp(np.log(floored).mean(axis=1)) / floored.mean(axis=1),
    }
    return {name: values.astype(np.float32) for name, values in shape.items()}


def peaks_and_valleys(spectrum: np.ndarray, *, bin_hz: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the mean of the strongest and of the weakest 2 % of bins in seven bands, shape (frames, 7), float32.

    spectrum: magnitudes, shape (frames, bins); the bands are 0 to 200 Hz and octaves from there.
    Source: Jiang, Lu, Zhang, Tao & Cai 2002, with the borders of librosa's bands.
    """
    found = np.empty((2, len(spectrum), CONTRAST_OCTAVES + 1), np.float32)
    for band, (low, behind, count) in enumerate(contrast_bands(spectrum.shape[1], bin_hz=bin_hz)):
        part = spectrum[:, low:behind]
        if count == 1:
            found[0, :, band], found[1, :, band] = part.max(axis=1), part.min(axis=1)
        else:
            ranked = np.partition(part, (count - 1, part.shape[1] - count), axis=1)
            found[0, :, band] = ranked[:, -count:].mean(axis=1)
            found[1, :, band] = ranked[:, :count].mean(axis=1)
    return found[0], found[1]


def contrast_bands(bins: int, *, bin_hz: float) -> list[tuple[int, int, int]]:
    """Return first bin, bin behind and how many bins are 2 %, of each band."""
    edges_hz = [0.0, *(CONTRAST_LOWEST_HZ * 2.0**octave for octave in range(CONTRAST_OCTAVES + 1))]
    bands = []
    for band, (low_hz, high_hz) in enumerate(pairwise(edges_hz)):
        last = band == CONTRAST_OCTAVES
        low = int(np.ceil(low_hz / bin_hz)) - (band > 0)
        behind = bins if last else int(np.floor(high_hz / bin_hz)) + 1
        bands.append((low, behind - (not last), max(1, int(np.rint(CONTRAST_QUANTILE * (behind - low))))))
    return bands


def flux(spectrum: np.ndarray, before: np.ndarray) -> np.ndarray:
    """Return the mean rise of magnitudes since the frame before, shape (frames,); `before` is that of the first."""
    rises = np.maximum(np.diff(spectrum, axis=0, prepend=before[None]), 0)
    strength: np.ndarray = rises.mean(axis=1)
    return strength


def wave_features(blocks: Iterable[np.ndarray], *, hop: int) -> dict[str, np.ndarray]:
    """Return rms and zero_crossing_rate in windows of four hops centred on every hop, shape (1 + n // hop,), float32.

    blocks: a stream of samples, shape (n,) each. Beyond the ends there is silence for the one, for the other the first
    and last sample hold on; what is next to nothing counts as zero.
    """
    squares, crossings, at_edges = [], [], []
    rest, was_negative, frames = np.zeros(0, np.float32), None, 0
    for block in chain(blocks, [None]):
        last = block is None
        samples = rest if block is None else np.concatenate([rest, block])
        whole = len(samples) if last else len(samples) // hop * hop
        rest, used = samples[whole:], samples[:whole]
        frames += whole
        if not whole:
            continue
        negative = used < -_LEAST_SAMPLE
        crossed = negative != np.append(negative[0] if was_negative is None else was_negative, negative[:-1])
        was_negative = negative[-1]
        starts = np.arange(0, whole, hop)
        squares.append(np.add.reduceat(used.astype(np.float64) ** 2, starts))
        crossings.append(np.add.reduceat(crossed, starts, dtype=np.int64))
        at_edges.append(crossed[starts])
    count = 1 + frames // hop
    return {
        "rms": np.sqrt(_over_four(squares, count) / (4 * hop)).astype(np.float32),
        "zero_crossing_rate": ((_over_four(crossings, count) - _at_first(at_edges, count)) / (4 * hop)).astype(
            np.float32
        ),
    }


def _over_four(parts: list[np.ndarray], count: int) -> np.ndarray:
    """Sums over the two hops before and the two behind each of `count` places, shape (count,)."""
    hops = np.concatenate(parts)
    padded = np.pad(hops, (2, 3))[: count + 3]
    sums: np.ndarray = padded[:-3] + padded[1:-2] + padded[2:-1] + padded[3:]
    return sums


def _at_first(parts: list[np.ndarray], count: int) -> np.ndarray:
    """Whether the signal crosses zero on the first sample of each window, which has no sample before it."""
    return np.pad(np.concatenate(parts), (2, 0))[:count].astype(np.int64)


def mel_cepstrum(mel_db: np.ndarray, *, coefficients: int) -> np.ndarray:
    """Return MFCC of mel bands in dB, shape (frames, coefficients): an orthonormal DCT-II. Source: Davis 1980."""
    import scipy.fft

    cepstrum = np.empty((len(mel_db), coefficients), np.float32)
    for start in range(0, len(mel_db), AT_ONCE):
        part = slice(start, start + AT_ONCE)
        cepstrum[part] = scipy.fft.dct(mel_db[part], type=2, norm="ortho", axis=1)[:, :coefficients]
    return cepstrum
