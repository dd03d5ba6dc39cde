"""What single notes are like: their envelope, cepstrum and partials."""

from __future__ import annotations

from functools import cache

import numpy as np

from processors.audio.signal import ANALYSIS_RATE_HZ
from processors.audio.spectra import decibels, magnitudes, mel_filterbank

RATE_HZ = ANALYSIS_RATE_HZ
LONGEST_S = 1.5
_N_FFT, _HOP = 1024, 256
_FRAME_S = _HOP / RATE_HZ
_BANDS, _CEPSTRUM = 40, 14
_RANGE_DB = 60.0
_NEARLY_DB = 2.0
"""The top of a lasting sound might be anywhere: the first frame that is nearly as loud counts."""
_ATTACK, _BODY, _LATE = (-6, 3), (3, 26), (26, 80)
"""Frames of 11.6 ms from the loudest on."""
_LONG = 8192
_HARMONICS = 12
_LOWEST_HZ, _HIGHEST_HZ, _STEPS_AN_OCTAVE = 36.0, 2200.0, 72
_QUIETEST = 1e-7


def note_numbers(samples: np.ndarray) -> np.ndarray | None:
    """Return what a note is like, shape (79,); None where it is silent.

    samples: of one note at 22,050 Hz, from a little before it begins to at most 1.5 s, shape (n,).
    """
    import scipy.fft

    if len(samples) < _N_FFT or float(np.abs(samples).max()) < _QUIETEST:
        return None
    spectra = np.concatenate(list(magnitudes([samples.astype(np.float32)], n_fft=_N_FFT, hop=_HOP)))
    mel = (spectra**2) @ mel_filterbank(rate_hz=RATE_HZ, n_fft=_N_FFT, bands=_BANDS).T
    level_db = decibels(mel.sum(axis=1), floor=1e-20)
    top = int(np.argmax(level_db >= level_db.max() - _NEARLY_DB))
    mel_db = np.maximum(decibels(mel, floor=1e-20) - decibels(mel.max(), floor=1e-20), -_RANGE_DB)
    cepstrum = scipy.fft.dct(mel_db, type=2, norm="ortho", axis=1)[:, :_CEPSTRUM]
    body_at = min(len(samples) - 1, (top + 6) * _HOP)
    return np.concatenate(
        [
            _cepstra(cepstrum, top),
            _course(np.maximum(level_db - level_db[top], -_RANGE_DB), top),
            _partials(samples, body_at),
        ]
    )


def _span(top: int, span: tuple[int, int], count: int) -> slice:
    """The frames of a span; the last ones where the note is over before."""
    first = int(np.clip(top + span[0], 0, count - 1))
    return slice(first, max(first + 1, min(count, top + span[1])))


def _cepstra(cepstrum: np.ndarray, top: int) -> np.ndarray:
    """Means of attack and body, what changes until late, and how it moves meanwhile; shape (13 * 4,)."""
    attack, body, late = (cepstrum[_span(top, span, len(cepstrum))] for span in (_ATTACK, _BODY, _LATE))
    moves = np.abs(np.diff(body, axis=0)).mean(axis=0) if len(body) > 1 else np.zeros(_CEPSTRUM)
    means = [part.mean(axis=0)[1:] for part in (attack, body, late)]
    return np.concatenate([means[0] - means[1], means[1], means[2] - means[1], moves[1:]])


def _course(level_db: np.ndarray, top: int) -> np.ndarray:
    """How the level rises and falls, in dB below the top, shape (8,)."""
    rise = level_db[: top + 1]
    started = int(np.argmax(rise > -20))
    after = [float(level_db[_span(top, (at, at + 4), len(level_db))].mean()) for at in (4, 9, 17, 34, 60)]
    body = level_db[_span(top, (3, 60), len(level_db))]
    slope = np.polyfit(np.arange(len(body)), body, 1) if len(body) > 2 else np.zeros(2)
    uneven = float(np.std(body - np.polyval(slope, np.arange(len(body)))))
    return np.array([np.log(top - started + 1), *after, uneven, 10 * slope[0]])


@cache
def _candidates() -> tuple[np.ndarray, np.ndarray]:
    """Fundamentals in Hz, and the bins of their partials and of what lies between, shape (n, 2, 12)."""
    count = int(np.log2(_HIGHEST_HZ / _LOWEST_HZ) * _STEPS_AN_OCTAVE)
    f0_hz = _LOWEST_HZ * 2 ** (np.arange(count) / _STEPS_AN_OCTAVE)
    places = np.stack([np.arange(1, _HARMONICS + 1), np.arange(_HARMONICS) + 0.5])
    bins = np.rint(f0_hz[:, None, None] * places * _LONG / RATE_HZ).astype(int)
    return f0_hz, bins


def _partials(samples: np.ndarray, at: int) -> np.ndarray:
    """The pitch and its partials: levels in dB (12), odd over even, slope, how pure, f0, centroid over f0, noise."""
    part = samples[max(0, at - _LONG // 8) :][:_LONG]
    spectrum = np.abs(np.fft.rfft(part * np.hanning(len(part)), _LONG))
    spectrum[: int(25 * _LONG / RATE_HZ)] = 0
    total = float((spectrum**2).sum())
    if total <= 0:
        return np.zeros(19)
    wide = np.maximum(spectrum, np.maximum(np.roll(spectrum, 1), np.roll(spectrum, -1)))
    padded = np.append(np.sqrt(wide), 0.0)
    f0_hz, bins = _candidates()
    weights = 0.87 ** np.arange(_HARMONICS)
    gathered = padded[np.minimum(bins, len(padded) - 1)]
    salience = (gathered[:, 0] - 0.8 * gathered[:, 1]) @ weights
    best = int(np.argmax(salience))
    f0 = f0_hz[best]
    reach = np.maximum(1, np.rint(np.arange(1, _HARMONICS + 1) * f0 * 0.015 * _LONG / RATE_HZ)).astype(int)
    powers, nearest = np.zeros(_HARMONICS), np.zeros(_HARMONICS)
    for harmonic, (centre, width) in enumerate(zip(bins[best, 0], reach, strict=True)):
        around = spectrum[max(0, centre - width) : centre + width + 1]
        if around.size:
            powers[harmonic] = float((around**2).sum())
            nearest[harmonic] = (int(np.argmax(around)) + max(0, centre - width)) * RATE_HZ / _LONG / f0
    levels = np.maximum(10 * np.log10(np.maximum(powers / max(float(powers.max()), 1e-30), 1e-12)), -_RANGE_DB)
    heard = levels > -40
    off = np.abs(nearest / np.arange(1, _HARMONICS + 1) - 1)
    frequencies = np.arange(len(spectrum)) * RATE_HZ / _LONG
    centroid = float(frequencies @ spectrum / spectrum.sum())
    purity = float(np.clip(powers.sum() / total, 0, 1))
    slope = float(np.polyfit(np.log2(np.arange(1, _HARMONICS + 1)), levels, 1)[0])
    flat = float(np.mean(np.log(spectrum[20:2000] + 1e-9)) - np.log(np.mean(spectrum[20:2000]) + 1e-9))
    return np.array(
        [
            *levels,
            float(levels[[2, 4, 6]].mean() - levels[[1, 3, 5]].mean()),
            slope,
            purity,
            np.log2(f0 / 100),
            np.log2(max(centroid, 1) / f0),
            100 * float(off[heard].mean()),
            flat,
        ]
    )
