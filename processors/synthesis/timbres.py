"""Band-limited timbres for the General MIDI families, each a few bands of partials that decay on their own.

A voice is read from wavetables whose partials all lie below 20 kHz, so nothing aliases.
Source: wavetable synthesis, J. O. Smith, Physical Audio Signal Processing; General MIDI 1 sound set.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

RATE_HZ = 44_100
HIGHEST_HZ = 20_000.0
MOST_PARTIALS = 40
TABLE = 4096
_FRACTION_BITS = 32 - 12
BLOCK = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Timbre:
    """How an instrument sounds.

    tilt: partial k has the amplitude k ** -tilt. even: how loud even partials are beside odd ones.
    pluck: where along a string it is struck, which leaves out its partials there; 0 for none.
    partials: relative amplitudes that replace tilt and even, as of drawbars and bells.
    decay_per_s: the lowest band's decay at A4 (0: it sounds on); damping: how much faster each higher band decays.
    detune_cents: between two voices, 0 for one. bright: how much velocity opens the sound, as a change of tilt.
    """

    gain: float
    attack_s: float
    release_s: float
    tilt: float = 1.0
    even: float = 1.0
    pluck: float = 0.0
    partials: tuple[float, ...] = ()
    decay_per_s: float = 0.0
    damping: float = 2.5
    detune_cents: float = 0.0
    bright: float = 0.6


PIANO = Timbre(gain=1.0, attack_s=0.002, release_s=0.09, tilt=1.15, pluck=1 / 8, decay_per_s=0.9, bright=0.9)
BELL = Timbre(
    gain=0.8, attack_s=0.001, release_s=0.15, partials=(1, 0.02, 0.3, 0.45, 0, 0.1, 0.15), decay_per_s=1.6, damping=2
)
ORGAN = Timbre(gain=0.5, attack_s=0.006, release_s=0.05, partials=(1, 0.8, 0.45, 0.5, 0, 0.25, 0, 0.3), bright=0.1)
GUITAR = Timbre(gain=0.95, attack_s=0.002, release_s=0.06, tilt=1.0, pluck=1 / 5, decay_per_s=1.4, damping=3)
BASS = Timbre(gain=1.25, attack_s=0.003, release_s=0.05, tilt=1.35, pluck=1 / 4, decay_per_s=0.7, damping=3.5)
STRINGS = Timbre(gain=0.55, attack_s=0.05, release_s=0.16, tilt=1.1, detune_cents=5, bright=0.5)
CHOIR = Timbre(
    gain=0.6, attack_s=0.07, release_s=0.2, partials=(1, 0.6, 0.35, 0.12, 0.2, 0.16, 0.05, 0.03), detune_cents=6
)
BRASS = Timbre(gain=0.55, attack_s=0.025, release_s=0.07, tilt=0.8, bright=1.1)
REED = Timbre(gain=0.55, attack_s=0.015, release_s=0.06, tilt=0.9, even=0.25, bright=0.7)
FLUTE = Timbre(gain=0.8, attack_s=0.03, release_s=0.08, partials=(1, 0.28, 0.12, 0.04, 0.02), bright=0.4)
LEAD = Timbre(gain=0.45, attack_s=0.005, release_s=0.06, tilt=1.0, detune_cents=4, bright=0.8)
PAD = Timbre(gain=0.5, attack_s=0.12, release_s=0.35, tilt=1.4, detune_cents=7, bright=0.3)
THUMP = Timbre(gain=1.0, attack_s=0.001, release_s=0.1, tilt=2.0, decay_per_s=5, damping=3)

_FAMILIES = (
    *(PIANO, BELL, ORGAN, GUITAR, BASS, STRINGS, STRINGS, BRASS),  # 0 to 63
    *(REED, FLUTE, LEAD, PAD, PAD, GUITAR, THUMP, PAD),  # 64 to 127
)
_SINGLE = {45: GUITAR, 46: GUITAR, 47: THUMP, 52: CHOIR, 53: CHOIR, 54: CHOIR, 55: BRASS, 38: LEAD, 39: LEAD}


def timbre_of(program: int) -> Timbre:
    """The timbre of a General MIDI program, 0 to 127: by its family of eight, a few by themselves."""
    return _SINGLE.get(program, _FAMILIES[program // 8])


def frequency_hz(pitch: float) -> float:
    """Equal temperament, A4 (69) at 440 Hz."""
    return float(440.0 * 2.0 ** ((pitch - 69) / 12))


def voice(timbre: Timbre, pitch: int, *, loudness: float, frames: int) -> np.ndarray:
    """Play one pitch for as long as is asked, attack included, without an end.

    loudness: 0 to 1, which only brightens it. Returns shape (frames,), float32, about 1 at its peak.
    """
    blocks = -(-frames // BLOCK)
    tables = _bands(timbre, pitch, loudness)
    cents = (-timbre.detune_cents / 2, timbre.detune_cents / 2) if timbre.detune_cents else (0.0,)
    sound = np.zeros(blocks * BLOCK, dtype=np.float32)
    for of in cents:
        index, share = _phase(frequency_hz(pitch + of / 100), len(sound), first=TABLE // 3 if of > 0 else 0)
        for band, table in enumerate(tables):
            wave = table[index] + share * (table[index + 1] - table[index])
            sound += _decayed(wave, _decay_per_s(timbre, pitch, band))
    attack = max(int(timbre.attack_s * RATE_HZ), 1)
    rise = min(attack, len(sound))
    sound[:rise] *= ramp(attack)[:rise]
    return sound[:frames] / np.float32(len(cents) ** 0.5)


def ramp(frames: int) -> np.ndarray:
    """From 0 to 1 with no corner at either end: a raised cosine, shape (frames,), float32."""
    return (0.5 - 0.5 * np.cos(np.pi * (np.arange(frames) + 0.5) / frames)).astype(np.float32)


def ringing_s(timbre: Timbre, pitch: int) -> float:
    """How long it rings until it is 80 dB down, at most; infinite where it sounds on."""
    slowest = _decay_per_s(timbre, pitch, 0)
    return math.log(1e4) / slowest if slowest else math.inf


def _decay_per_s(timbre: Timbre, pitch: int, band: int) -> float:
    """Higher pitches and higher partials die sooner."""
    return float(timbre.decay_per_s * 2.0 ** ((pitch - 69) / 18) * timbre.damping**band)


def _bands(timbre: Timbre, pitch: int, loudness: float) -> list[np.ndarray]:
    """One cycle for each band of partials (1 and 2; 3 to 6; above), shape (TABLE + 1,); one band if none decays."""
    count = int(np.clip(HIGHEST_HZ / frequency_hz(pitch + 0.1), 1, MOST_PARTIALS))
    partial = np.arange(1, count + 1)
    tilt = timbre.bright * (0.7 - loudness)
    if timbre.partials:
        given = timbre.partials[:count]
        level: np.ndarray = np.pad(np.array(given, dtype=np.float64), (0, count - len(given)))
    else:
        level = partial**-timbre.tilt * np.where(partial % 2, 1.0, timbre.even)
        if timbre.pluck:
            level = level * np.abs(np.sin(np.pi * partial * timbre.pluck)) / np.sin(np.pi * timbre.pluck)
    level = level * partial**-tilt
    turned = np.where(partial == 1, 0.0, 2 * np.pi * ((partial * 0.618034) % 1.0))
    spectrum = np.zeros(TABLE // 2 + 1, dtype=np.complex128)
    spectrum[1 : count + 1] = -0.5j * TABLE * level * np.exp(1j * turned) * 0.5 / np.sqrt(np.sum(level**2) / 2)
    edges = sorted({0, min(2, count), min(6, count), count}) if timbre.decay_per_s else [0, count]
    return [_cycle(spectrum, low, high) for low, high in pairwise(edges)]


def _cycle(spectrum: np.ndarray, low: int, high: int) -> np.ndarray:
    """One cycle of the partials above `low` up to `high`, its first value again at its end."""
    band = np.zeros_like(spectrum)
    band[low + 1 : high + 1] = spectrum[low + 1 : high + 1]
    cycle = np.fft.irfft(band, TABLE)
    return np.append(cycle, cycle[0]).astype(np.float32)


def _phase(hz: float, frames: int, *, first: int) -> tuple[np.ndarray, np.ndarray]:
    """Table index and the share of the way to the next, both (frames,), in whole numbers modulo a cycle."""
    step = np.uint32(round(hz / RATE_HZ * 2**32))
    phase = np.arange(frames, dtype=np.uint32) * step + np.uint32(first << _FRACTION_BITS)
    share = (phase & np.uint32(2**_FRACTION_BITS - 1)).astype(np.float32) * np.float32(2.0**-_FRACTION_BITS)
    return (phase >> np.uint32(_FRACTION_BITS)).astype(np.intp), share


def _decayed(wave: np.ndarray, per_s: float) -> np.ndarray:
    if not per_s:
        return wave
    coarse = np.exp(-per_s * BLOCK / RATE_HZ * np.arange(len(wave) // BLOCK)).astype(np.float32)
    fine = np.exp(-per_s / RATE_HZ * np.arange(BLOCK)).astype(np.float32)
    decayed: np.ndarray = (wave.reshape(-1, BLOCK) * (coarse[:, None] * fine)).ravel()
    return decayed
