"""The strongest line of pitches in a sound, from its spectra: one voice by and large."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from processors.audio.signal import ANALYSIS_RATE_HZ, HOP, N_FFT, Signal
from processors.melody.comb import LOWEST_HZ, PITCHES, STEPS, axes, fits, pitches_hz

FRAME_RATE_HZ = ANALYSIS_RATE_HZ / HOP
_AT_ONCE, _AROUND = 2560, 256
"""Frames whose line is found in one go, a minute, and how many of those around are seen: what is near decides."""
_SLOPE, _LEAP = 0.08, 0.5
_HIGHEST_HZ = 5000.0


@dataclass(frozen=True, slots=True)
class Tune:
    """A line of pitches, frame k at k / FRAME_RATE_HZ seconds; shape (frames,) each.

    hz: of each frame, whether there is one or not. fit: how well it explains the spectrum, -1 to 1. share: of the power
    that its harmonics have. level: root of the spectrum's power from 45 Hz to 5 kHz.
    """

    hz: np.ndarray
    fit: np.ndarray
    share: np.ndarray
    level: np.ndarray


def tune_of(signal: Signal) -> Tune:
    """Find the strongest line of a signal."""
    return line_of(signal)


def line_of(signal: Signal, favoured: np.ndarray | None = None) -> Tune:
    """Find the strongest line, where `favoured` is given with more evidence for those pitches, (frames, 2).

    favoured: Hz and how much speaks for it, in units of `fits`, frame by frame.
    """
    from processors.melody.lines import likeliest, measured

    found: list[tuple[np.ndarray, ...]] = []
    for place, inside, magnitudes in stretches(signal):
        evidence = fits(axes(magnitudes))
        if favoured is not None:
            _favour(evidence, favoured[place : place + len(evidence)])
        line = likeliest(evidence, _SLOPE, _LEAP)[inside]
        rows = magnitudes[inside]
        bin_hz = ANALYSIS_RATE_HZ / N_FFT
        hz, share = measured(rows, pitches_hz()[line], bin_hz, LOWEST_HZ, _HIGHEST_HZ)
        fit = evidence[inside][np.arange(len(line)), line]
        seen = rows[:, round(LOWEST_HZ / bin_hz) : round(_HIGHEST_HZ / bin_hz)]
        found.append((hz, fit, share, np.sqrt(np.einsum("ij,ij->i", seen, seen))))
    return Tune(*(np.concatenate(parts).astype(np.float32) for parts in zip(*found, strict=True)))


def stretches(signal: Signal) -> Iterator[tuple[int, slice, np.ndarray]]:
    """Give a minute of spectra at a time with those around: which frame is first, which of them are new, and they."""
    held: list[np.ndarray] = []
    count, place, behind = 0, 0, 0
    for block in signal.spectra(N_FFT, HOP):
        held.append(block)
        count += len(block)
        if count - behind >= _AT_ONCE + _AROUND:
            rows = np.concatenate(held)
            yield place, slice(behind, behind + _AT_ONCE), rows[: behind + _AT_ONCE + _AROUND]
            dropped = behind + _AT_ONCE - _AROUND
            held, place = [rows[dropped:].copy()], place + dropped
            count, behind = count - dropped, _AROUND
    if count > behind:
        yield place, slice(behind, count), np.concatenate(held)


def _favour(evidence: np.ndarray, favoured: np.ndarray) -> None:
    """Add to each frame's evidence what speaks for its favoured pitch, and less for the neighbours, in place."""
    told = np.flatnonzero((favoured[:, 0] > 0) & (favoured[:, 1] > 0))
    places = np.rint(STEPS * np.log2(favoured[told, 0] / LOWEST_HZ)).astype(int)
    for step, share in ((-2, 0.3), (-1, 0.8), (0, 1.0), (1, 0.8), (2, 0.3)):
        inside = (places + step >= 0) & (places + step < PITCHES)
        evidence[told[inside], places[inside] + step] += (share * favoured[told[inside], 1]).astype(np.float32)
