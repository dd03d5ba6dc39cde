"""How two channels go together: correlation, what is lost in mono, and by how much one comes later."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from processors.quality.faults import FRAME, Piece
from processors.quality.longterm import LONGEST_DELAY_S, LongTerm

DELAYED = 0.25
"""A delay is told where so much of what both channels hold agrees on it, and on nothing else."""
INVERTED = -0.25
SHORTEST_S = 0.00015
_ALONE = 0.6


@dataclass(frozen=True, slots=True)
class Stereo:
    """correlation: -1 to 1. mono_loss_db: of power, in the mean of both channels, 0 where they are the same.

    delay_s: by how much the second channel comes later. agreed: -1 to 1, how much of the sound agrees with it, negative
    where one channel is turned over.
    """

    correlation: float
    mono_loss_db: float
    delay_s: float
    agreed: float
    delayed: bool
    inverted: bool


@dataclass
class Sums:
    """Powers of the first two channels and of their product."""

    products: np.ndarray = field(default_factory=lambda: np.zeros((2, 2)))

    def add(self, piece: Piece) -> None:
        """Take a piece."""
        core = piece.core[:2]
        if len(core) > 1:
            self.products += (core @ core.T).astype(float)


def stereo(sums: Sums, spectrum: LongTerm) -> Stereo | None:
    """Compare the channels; None where one of them is silent.

    Source: Knapp & Carter 1976, "The generalized correlation method for estimation of time delay".
    """
    (left, both), (_, right) = sums.products
    if min(left, right) <= 1e-9 * max(left, right) or not spectrum.weight:
        return None
    correlation = float(both / np.sqrt(left * right))
    loss = 10 * np.log10(max(1e-6, (left + right + 2 * both) / (2 * (left + right))))
    delay, agreed, alone = _delay(spectrum)
    delayed = abs(delay) >= SHORTEST_S and abs(agreed) >= DELAYED and alone
    inverted = agreed <= INVERTED or (correlation < 2 * INVERTED and abs(delay) < SHORTEST_S)
    return Stereo(correlation, -float(loss), delay if delayed else 0.0, agreed, delayed, inverted)


def _delay(spectrum: LongTerm) -> tuple[float, float, bool]:
    """The lag on which most agrees, in seconds, how much that is, and whether no other lag comes near."""
    fine = 4
    agreement = np.fft.irfft(spectrum.phases.conj(), fine * FRAME) * fine * FRAME / 2 / spectrum.weight
    reach = min(round(LONGEST_DELAY_S * spectrum.rate_hz), FRAME // 2 - 1) * fine
    lags = np.concatenate([agreement[-reach:], agreement[: reach + 1]])
    at = int(np.argmax(np.abs(lags)))
    rate = fine * spectrum.rate_hz
    near = round(SHORTEST_S * 2 * rate)
    others = np.concatenate([lags[: max(0, at - near)], lags[at + near + 1 :]])
    alone = not others.size or float(np.abs(others).max()) < _ALONE * abs(float(lags[at]))
    return (at - reach) / rate, float(lags[at]), alone
