"""DC offset: the mean that a recording keeps all along."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from processors.quality.faults import Piece, share

LEAST = 0.004
_PARTS = 16
_ERRORS = 5.0
_ALWAYS = 0.2
_KEPT = 0.4


@dataclass
class Offsets:
    """Gathers the means of each channel over a sixteenth of every piece, shape (parts, channels)."""

    means: list[np.ndarray] = field(default_factory=list)

    def add(self, piece: Piece) -> None:
        """Take a piece; a very short one is one part."""
        core = piece.core
        length = core.shape[1] // _PARTS
        if length > piece.rate_hz // 10:
            core = core[:, : length * _PARTS].reshape(len(core), _PARTS, length)
            self.means.append(core.mean(axis=2, dtype=np.float64).T)
        elif core.shape[1] > piece.rate_hz // 10 or not self.means:
            self.means.append(core.mean(axis=1, dtype=np.float64, keepdims=True).T)

    def found(self) -> tuple[float, float]:
        """The offset of the channel that has most, and how surely it is one.

        That of a lopsided instrument comes and goes with its notes.
        """
        means = np.concatenate(self.means)
        offsets = np.median(means, axis=0)
        most = int(np.argmax(np.abs(offsets)))
        offset, spread = float(offsets[most]), float(np.median(np.abs(means[:, most] - offsets[most])))
        error = 1.25 * 1.48 * spread / np.sqrt(len(means))
        kept = float(np.quantile(means[:, most] * np.sign(offset), _ALWAYS))
        if (
            len(means) < _PARTS // 4
            or kept < _KEPT * abs(offset)
            or abs(offset) < LEAST
            or abs(offset) < _ERRORS * error
        ):
            return offset, 0.0
        return offset, share(abs(offset), 0, 2 * LEAST)
