"""What a sound is like, in four numbers: how bright, rough and warm it is, how quickly it speaks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from events.imports import AudioAdded
from events.timbre import TimbreDescribed
from processors.audio.signal import ANALYSIS_RATE_HZ, Signal
from processors.handler import processor
from processors.rhythm.onsets import onsets_of
from processors.timbre.attack import STEP, attacks_s, envelope
from processors.timbre.roughness import partials, roughness

N_FFT = 8192
_WARM_HZ, _PRESENT_HZ = (100.0, 500.0), (500.0, 5000.0)
_MOST_DB = 60.0
_MOST_ONSETS = 400
_SILENT = 1e-5
_SURE_S = 0.5


@dataclass(frozen=True, slots=True)
class Timbre:
    """As `TimbreDescribed`; Nones where it is silent."""

    brightness_hz: float | None
    roughness: float | None
    warmth_db: float | None
    attack_ms: float | None
    confidence: float


SILENT = Timbre(None, None, None, None, 0.0)


def timbre_of(signal: Signal) -> Timbre:
    """Measure the timbre of a signal: every 0.19 s of spectrum as much as it is loud, and the median of its attacks."""
    if float((signal.levels.powers - signal.levels.means**2).max()) < _SILENT**2:
        return SILENT
    bin_hz = ANALYSIS_RATE_HZ / N_FFT
    magnitudes, powers = np.zeros(N_FFT // 2 + 1), np.zeros(N_FFT // 2 + 1)
    rough, weight = 0.0, 0.0
    for block in signal.spectra(N_FFT, N_FFT // 2):
        squares = block.astype(np.float64) ** 2
        magnitudes += block.sum(axis=0, dtype=np.float64)
        powers += squares.sum(axis=0)
        loud = squares[:, 1:].sum(axis=1)
        rough += float(loud @ roughness(*partials(block, bin_hz=bin_hz)))
        weight += float(loud.sum())
    if weight <= 0:
        return SILENT
    frequencies = np.arange(len(powers)) * bin_hz
    return Timbre(
        brightness_hz=float(frequencies[1:] @ magnitudes[1:] / magnitudes[1:].sum()),
        roughness=rough / weight,
        warmth_db=band_ratio_db(powers, frequencies, _WARM_HZ, _PRESENT_HZ),
        attack_ms=_attack_ms(signal),
        confidence=min(1.0, signal.duration_s / _SURE_S),
    )


def band_ratio_db(
    powers: np.ndarray, frequencies_hz: np.ndarray, band: tuple[float, float], against: tuple[float, float]
) -> float:
    """Return the power of one band over that of another in dB, -60 to 60."""
    one, other = (
        float(powers[(frequencies_hz >= low) & (frequencies_hz < high)].sum()) for low, high in (band, against)
    )
    least = (one + other) * 10 ** (-_MOST_DB / 10) + 1e-30
    return float(np.clip(10 * np.log10(max(one, least) / max(other, least)), -_MOST_DB, _MOST_DB))


def _attack_ms(signal: Signal) -> float | None:
    onsets = signal.once(onsets_of)
    strongest = np.sort(np.argsort(-onsets.strengths, kind="stable")[:_MOST_ONSETS])
    power = envelope(signal.analysis_blocks())
    found = attacks_s(power, onsets.times_s[strongest], step_s=STEP / ANALYSIS_RATE_HZ)
    return 1000 * float(np.median(found)) if len(found) else None


@processor("1")
def describe_timbre(event: AudioAdded, signal: Signal) -> TimbreDescribed:
    """Measure brightness, roughness, warmth and attack; nothing of silence."""
    found = signal.once(timbre_of)
    return TimbreDescribed(
        asset_id=event.asset_id,
        parameters={"rate_hz": ANALYSIS_RATE_HZ, "n_fft": N_FFT, "hop": N_FFT // 2},
        brightness_hz=_rounded(found.brightness_hz, 1),
        roughness=_rounded(found.roughness, 3),
        warmth_db=_rounded(found.warmth_db, 2),
        attack_ms=_rounded(found.attack_ms, 1),
        confidence=round(found.confidence, 3),
    )


def _rounded(value: float | None, digits: int) -> float | None:
    return None if value is None else round(value, digits)
