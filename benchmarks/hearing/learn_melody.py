"""`python -m benchmarks.hearing.learn_melody`: grow the trees that tell the tune of a mix from what goes with it."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks.hearing.learning import KEPT, grow, pieces, say
from benchmarks.hearing.truth import HOP_S, Truth
from processors.audio.signal import Signal
from processors.melody import lead
from processors.melody.comb import pitches_hz
from processors.melody.tune import FRAME_RATE_HZ, stretches

TREES, LEAVES, RATE = 80, 24, 0.12
_EVERY = 3
_NEAR_CENTS = 50
_FOLDER = KEPT / "melody"
PLACE = Path(lead.__file__).with_name("lead.npz")


def learnt(name: str, signal: Signal, truth: Truth) -> tuple[np.ndarray, np.ndarray]:
    """Return what is told of the pitches proposed for every third frame, and which are the tune's; kept."""
    path = _FOLDER / f"{name}.npz"
    if path.exists():
        with np.load(path) as held:
            return held["told"], held["true"]
    found: list[tuple[np.ndarray, np.ndarray]] = []
    for first, inside, magnitudes in stretches(signal):
        places, told = lead.candidates(magnitudes)
        kept = (places[:, 0] >= inside.start) & (places[:, 0] < inside.stop) & (places[:, 0] % _EVERY == 0)
        at_s = (first + places[kept, 0]) / FRAME_RATE_HZ
        found.append((told[kept], _right(at_s, pitches_hz()[places[kept, 1]], truth)))
    told, true = (np.concatenate(parts) for parts in zip(*found, strict=True))
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(path, told=told, true=true)
    return told, true


def _right(at_s: np.ndarray, hz: np.ndarray, truth: Truth) -> np.ndarray:
    """Whether each pitch is the tune's at that time."""
    known = np.array(truth.melody_hz or [0.0])
    here = known[np.minimum(np.rint(at_s / HOP_S).astype(int), len(known) - 1)]
    return np.asarray((here > 0) & (np.abs(1200 * np.log2(hz / np.maximum(here, 1))) < _NEAR_CENTS))


def main(arguments: Sequence[str] | None = None) -> int:
    """Learn from all arrangements, drums alone and noises, and write the trees."""
    argparse.ArgumentParser(prog="python -m benchmarks.hearing.learn_melody", description=__doc__).parse_args(arguments)
    found = []
    for name, signal, truth in pieces():
        if name.startswith(("arrangement", "noise")):
            found.append(learnt(name, signal, truth))
            say(f"{name}: {found[-1][1].mean():.2f}")
    told, true = (np.concatenate(parts) for parts in zip(*found, strict=True))
    grow(told, true, np.ones(len(true)), PLACE, trees=TREES, leaves=LEAVES, rate=RATE)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
