"""The tasks that are not asked item by item: tempo of recorded loops, and finding a piece again."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import soundfile

from benchmarks.hearing.material import Split, items
from benchmarks.hearing.measuring import Maker, Run
from processors.audio.signal import Signal

LOOPS = Path(__file__).parents[3] / "shared" / "audio"
BEATS_OF_LOOPS = {
    "loop_amen": 4, "loop_amen_full": 16, "loop_compus": 16, "loop_electric": 4, "loop_garzul": 16,
    "loop_mehackit1": 4, "loop_mika": 16, "loop_safari": 16, "loop_tabla": 16,
}  # fmt: skip
"""How many beats a loop holds in its exact length, counted by how people count it (60 to 160 a minute)."""
_TOLERANCE = 0.04
OTHERS_MEAN = {
    "loops.tempo": "tempo of a recorded loop within 4 %, up to an octave",
    "loops.exact": "tempo of a recorded loop within 4 %, at the level that people count",
    "retrieval.recall_1": "the other rendering of a piece is the nearest of all",
    "retrieval.recall_5": "it is among the five nearest",
}
OTHERS_TARGETS = {"loops.tempo": 14 / 16, "retrieval.recall_1": 0.90}


def loops(run: Run, maker: Maker, folder: Path = LOOPS) -> None:
    """Score the tempo of each loop. Raises: FileNotFoundError, where there are none."""
    found = sorted(path for path in folder.glob("loop_*.flac") if path.stem in BEATS_OF_LOOPS)
    if not found:
        raise FileNotFoundError(f"no loops in {folder}")
    for path in found:
        samples, rate_hz = soundfile.read(path, dtype="float32", always_2d=True)
        signal = Signal(np.ascontiguousarray(samples.T), rate_hz)
        tempo = maker(signal).tempo_bpm
        known = 60 * BEATS_OF_LOOPS[path.stem] / signal.duration_s
        ratio = (tempo or 1e-9) / known
        run.add("loops.exact", path.stem, float(abs(ratio - 1) <= _TOLERANCE))
        run.add("loops.tempo", path.stem, float(any(abs(ratio / level - 1) <= _TOLERANCE for level in (0.5, 1, 2))))


def retrieval(run: Run, maker: Maker, split: Split, say: Callable[[str], None]) -> None:
    """Ask with each piece's second rendering for its first among all first ones of the split."""
    vectors: dict[str, np.ndarray] = {}
    for item in items(split, "retrieval"):
        say(f"retrieval  {item.name}")
        vector = np.asarray(maker(Signal(*item.audio())), float)
        vectors[item.name] = vector / max(float(np.linalg.norm(vector)), 1e-12)
    names = sorted(name for name in vectors if name.endswith("-a"))
    kept = np.stack([vectors[name] for name in names])
    for place, name in enumerate(names):
        likeness = kept @ vectors[name[:-1] + "b"]
        rank = int(np.sum(likeness > likeness[place]))
        run.add("retrieval.recall_1", name[:-2], float(rank < 1))
        run.add("retrieval.recall_5", name[:-2], float(rank < 5))
