"""`python -m benchmarks.hearing.learn_notes`: grow the trees that tell which of the proposed notes are there."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from benchmarks.hearing.learning import KEPT, grow, pieces, say
from benchmarks.hearing.material import items
from benchmarks.hearing.truth import Truth
from processors.audio.signal import Signal
from processors.transcription import belief
from processors.transcription.posteriors import FRAME_RATE_HZ, LOWEST
from processors.transcription.written import proposals

TREES, LEAVES, RATE = 160, 16, 0.08
_NEAR_S, _NEAR_SEMITONES = 0.05, 0.5
_FOLDER = KEPT / "notes"
PLACE = Path(belief.__file__).with_name("belief.npz")


def material() -> Iterator[tuple[str, Signal, Truth]]:
    """Give the pieces, and the scores of the evaluation set's development half: no seed makes other scores."""
    yield from pieces()
    for item in items("dev", "score"):
        yield item.name, Signal(*item.audio()), item.truth


def learnt(name: str, signal: Signal, truth: Truth) -> tuple[np.ndarray, np.ndarray]:
    """Return what speaks for each proposed note of a piece and whether it is there; kept for the next time."""
    path = _FOLDER / f"{name}.npz"
    if path.exists():
        with np.load(path) as held:
            return held["told"], held["true"]
    notes, told = proposals(signal)
    true = np.zeros(len(notes), bool)
    for start_s, _, pitch in truth.notes or []:
        near = np.abs(notes[:, 1] / FRAME_RATE_HZ - start_s) <= _NEAR_S
        true |= near & (np.abs(notes[:, 0] + LOWEST - pitch) <= _NEAR_SEMITONES)
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(path, told=told, true=true)
    return told, true


def main(arguments: Sequence[str] | None = None) -> int:
    """Learn from all of the material and write the trees."""
    argparse.ArgumentParser(prog="python -m benchmarks.hearing.learn_notes", description=__doc__).parse_args(arguments)
    found = []
    for name, signal, truth in material():
        told, true = learnt(name, signal, truth)
        say(f"{name}: {np.count_nonzero(true)} of {len(true)} notes")
        found.append((told, true, np.full(len(true), max(1, len(true)) ** -0.5)))
    told, true, weights = (np.concatenate(parts) for parts in zip(*found, strict=True))
    assert told.shape[1] == len(belief.FEATURES)
    grow(told, true, weights, PLACE, trees=TREES, leaves=LEAVES, rate=RATE)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
