"""Where an audio file is silent."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from events.analyses import SilenceFound
from events.imports import AudioAdded
from processors.audio.signal import Signal
from processors.handler import processor

THRESHOLD_DBFS = -60.0
SHORTEST_S = 0.1


def quiet_stretches(
    blocks: Iterable[np.ndarray], *, rate_hz: int, threshold_dbfs: float, shortest_s: float
) -> list[tuple[float, float]]:
    """Return where no channel reaches the threshold for `shortest_s` or longer, as (start, end) in seconds.

    blocks: shape (channels, n) each. Borders are found to a millisecond. A file that is quiet throughout
    is one stretch, however short.
    """
    step = max(1, rate_hz // 1000)
    peaks, length = step_peaks(blocks, step)
    quiet = np.concatenate([[False], peaks < 10 ** (threshold_dbfs / 20), [False]])
    borders = np.flatnonzero(quiet[1:] != quiet[:-1]).reshape(-1, 2) * step
    spans = [(int(start), min(int(end), length)) for start, end in borders]
    shortest = min(shortest_s * rate_hz, length)
    return [(start / rate_hz, end / rate_hz) for start, end in spans if end - start >= shortest]


def step_peaks(blocks: Iterable[np.ndarray], step: int) -> tuple[np.ndarray, int]:
    """Return the largest magnitude over all channels of every `step` frames, shape (steps,), and how many frames."""
    parts, rest, length = [], np.zeros(0, np.float32), 0
    for block in blocks:
        length += block.shape[1]
        loudest = np.concatenate([rest, np.abs(block).max(axis=0)])
        whole = len(loudest) // step * step
        parts.append(loudest[:whole].reshape(-1, step).max(axis=1))
        rest = loudest[whole:]
    if rest.size:
        parts.append(rest.max(keepdims=True))
    return np.concatenate(parts), length


@processor("1")
def find_silence(event: AudioAdded, signal: Signal) -> SilenceFound:
    """Find stretches of at least a tenth of a second below -60 dBFS."""
    stretches = quiet_stretches(
        signal.blocks(), rate_hz=signal.rate_hz, threshold_dbfs=THRESHOLD_DBFS, shortest_s=SHORTEST_S
    )
    duration = signal.duration_s
    leading = stretches[0][1] if stretches and stretches[0][0] == 0 else 0.0
    trailing = duration - stretches[-1][0] if stretches and stretches[-1][1] == duration else 0.0
    return SilenceFound(
        asset_id=event.asset_id,
        parameters={"threshold_dbfs": THRESHOLD_DBFS, "shortest_s": SHORTEST_S},
        leading_s=round(leading, 4),
        trailing_s=round(trailing, 4),
        silent_share=round(min(1.0, sum(end - start for start, end in stretches) / duration), 4),
        stretches_s=tuple((round(start, 4), round(end, 4)) for start, end in stretches),
    )
