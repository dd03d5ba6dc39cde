"""A drum kit out of sines and noise, by General MIDI's percussion map; each drum is one short sound.

Source: General MIDI 1 percussion map; the drums after the analogue circuits of the TR-808.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from processors.synthesis.timbres import RATE_HZ, ramp

OPEN_HATS, CLOSED_HATS = (46,), (42, 44)
_KICKS, _SNARES = (35, 36), (38, 40)
_TOMS_HZ = {41: 75.0, 43: 90.0, 45: 110.0, 47: 135.0, 48: 160.0, 50: 190.0}
_HANDS_HZ = {60: 420.0, 61: 300.0, 62: 380.0, 63: 330.0, 64: 240.0, 65: 500.0, 66: 390.0}
_TUNED_HZ = {37: 1700.0, 56: 560.0, 67: 900.0, 68: 680.0, 75: 2500.0, 76: 1100.0, 77: 820.0}
_CRASHES, _RIDES = (49, 52, 55, 57), (51, 53, 59)
_CLAP, _TAMBOURINE, _SHAKERS = 39, 54, (58, 69, 70, 73, 74, 82)


def drum(pitch: int) -> np.ndarray:
    """The whole sound of a drum at full level, (frames,), float32, peak about 1; the same at every call."""
    sound = _made(pitch)
    soft = min(len(sound), RATE_HZ // 100)
    sound[-soft:] *= ramp(soft)[::-1]
    rise = RATE_HZ // 2000
    sound[:rise] *= ramp(rise)
    return np.asarray(sound / np.abs(sound).max() * _level(pitch), dtype=np.float32)


def _level(pitch: int) -> float:
    if pitch in _KICKS:
        return 1.2
    if pitch in _SNARES or pitch in _TOMS_HZ or pitch == _CLAP:
        return 0.85
    return 0.55 if pitch in _CRASHES else 0.35


def _made(pitch: int) -> np.ndarray:
    sound: np.ndarray
    if pitch in _KICKS:
        sound = _swept(0.6, from_hz=160, to_hz=48, sweep_s=0.03, decay_s=0.09)
        sound += _noise(0.6, pitch, 0.004, 800) * 0.25
    elif pitch in _SNARES:
        sound = _swept(0.4, from_hz=260, to_hz=185, sweep_s=0.02, decay_s=0.06)
        sound += _noise(0.4, pitch, 0.055, 1200) * 0.8
    elif pitch in _TOMS_HZ:
        hz = _TOMS_HZ[pitch]
        sound = _swept(0.85, from_hz=hz * 1.6, to_hz=hz, sweep_s=0.04, decay_s=0.12)
        sound += _noise(0.85, pitch, 0.01, 500) * 0.1
    elif pitch in _HANDS_HZ:
        hz = _HANDS_HZ[pitch]
        sound = _swept(0.35, from_hz=hz * 1.2, to_hz=hz, sweep_s=0.01, decay_s=0.05)
    elif pitch in _TUNED_HZ:
        sound = _swept(0.2, from_hz=_TUNED_HZ[pitch], to_hz=_TUNED_HZ[pitch], sweep_s=1, decay_s=0.03)
    elif pitch == _CLAP:
        sound = _clap(pitch)
    else:
        sound = _cymbal(pitch)
    return sound


def _cymbal(pitch: int) -> np.ndarray:
    """Crashes, rides, hats, shakers, and whatever has no sound of its own."""
    if pitch in _CRASHES:
        return _metal(1.8, pitch, 0.4, 0.2)
    if pitch in _RIDES:
        return _metal(1.2, pitch, 0.25, 0.5)
    decay_s = {46: 0.13, _TAMBOURINE: 0.08}.get(pitch, 0.05 if pitch in _SHAKERS else 0.025)
    return _metal(decay_s * 7, pitch, decay_s, 0.35)


def _time_s(length_s: float) -> np.ndarray:
    return np.arange(int(length_s * RATE_HZ)) / RATE_HZ


def _swept(length_s: float, *, from_hz: float, to_hz: float, sweep_s: float, decay_s: float) -> np.ndarray:
    """A sine whose pitch falls exponentially while it decays; its phase begins at 0."""
    at = _time_s(length_s)
    cycles = to_hz * at + (from_hz - to_hz) * sweep_s * (1 - np.exp(-at / sweep_s))
    return np.asarray(np.sin(2 * np.pi * cycles) * np.exp(-at / decay_s))


def _noise(length_s: float, seed: int, decay_s: float, above_hz: float) -> np.ndarray:
    """Decaying white noise between `above_hz` and 16 kHz."""
    at = _time_s(length_s)
    white = np.random.Generator(np.random.PCG64(seed)).uniform(-1.0, 1.0, len(at))
    return _passed(white, lambda hz: (hz > above_hz) & (hz < 16_000)) * np.exp(-at / decay_s)


def _metal(length_s: float, seed: int, decay_s: float, ring: float) -> np.ndarray:
    """Noise with six inharmonic squares of a cymbal in it, above 4 kHz."""
    at = _time_s(length_s)
    squares = sum(np.sign(np.sin(2 * np.pi * hz * at)) for hz in (205.3, 304.4, 369.6, 522.7, 540.0, 800.0))
    bright = _passed(np.asarray(squares) / 3, lambda hz: (hz > 4_000) & (hz < 16_000))
    return ring * bright * np.exp(-at / decay_s) + (1 - ring) * _noise(length_s, seed, decay_s, 4_000)


def _clap(seed: int) -> np.ndarray:
    sound = _noise(0.3, seed, 0.06, 900) * 0.6
    for hand in range(3):
        frames = _noise(0.02, seed + hand + 1, 0.004, 900)
        at = hand * RATE_HZ // 100
        sound[at : at + len(frames)] += frames
    return sound


def _passed(signal: np.ndarray, keep: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    spectrum = np.fft.rfft(signal)
    return np.fft.irfft(spectrum * keep(np.fft.rfftfreq(len(signal), 1 / RATE_HZ)), len(signal))
