"""Where an audio file is silent."""

from __future__ import annotations

import numpy as np

from events.analyses import SilenceFound
from events.imports import AudioAdded
from processors.audio.signal import Signal
from processors.handler import processor

THRESHOLD_DBFS = -60.0
SHORTEST_S = 0.1


def quiet_stretches(
    samples: np.ndarray, *, rate_hz: int, threshold_dbfs: float, shortest_s: float
) -> list[tuple[float, float]]:
    """Return where no channel reaches the threshold for `shortest_s` or longer, as (start, end) in seconds.

    samples: shape (channels, frames). Borders are found to a millisecond. A file that is quiet throughout
    is one stretch, however short.
    """
    step = max(1, rate_hz // 1000)
    starts = np.arange(0, samples.shape[1], step)
    peaks = np.max([np.maximum.reduceat(np.abs(channel), starts) for channel in samples], axis=0)
    quiet = np.concatenate([[False], peaks < 10 ** (threshold_dbfs / 20), [False]])
    borders = np.flatnonzero(quiet[1:] != quiet[:-1]).reshape(-1, 2) * step
    length = samples.shape[1]
    spans = [(int(start), min(int(end), length)) for start, end in borders]
    shortest = min(shortest_s * rate_hz, length)
    return [(start / rate_hz, end / rate_hz) for start, end in spans if end - start >= shortest]


@processor("1")
def find_silence(event: AudioAdded, signal: Signal) -> SilenceFound:
    """Find stretches of at least a tenth of a second below -60 dBFS."""
    stretches = quiet_stretches(
        signal.samples, rate_hz=signal.rate_hz, threshold_dbfs=THRESHOLD_DBFS, shortest_s=SHORTEST_S
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
