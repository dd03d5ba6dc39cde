"""`python -m benchmarks.hearing.learn_likeness`: learn the space of likeness from pieces rendered several times.

Nothing of the evaluation set's test half is in it, nor one of its SoundFonts (musescore). What was rendered and heard
is kept in build/bench/learn, so that a run that was stopped goes on. Needs FluidSynth.
"""

from __future__ import annotations

import argparse
import random
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from benchmarks.hearing import arrange, corpus, pairs, render
from benchmarks.hearing.material import items
from benchmarks.hearing.sheet import DRUMS, Sheet, cut, replaced
from processors.audio.arrays import to_npz
from processors.audio.signal import Signal
from processors.likeness import space

SEED = 7_041_776
FONTS = ("fluidr3", "timgm", "opl3")
PIECES, SIDES, EXCERPT_S = 240, 3, 20.0
SHRINKAGE = 0.6
KEPT = Path(__file__).parents[2] / "build" / "bench" / "learn" / "likeness"
WRITTEN = Path(space.__file__).with_name("space.npz")
_BATCH = 12
_CHORUS = ((0,), (19,), (16,), (52,), (48,), (73, 68, 71, 70), (56, 60, 57, 58), (40, 40, 41, 42), (24,), (11,))


def main(arguments: Sequence[str] | None = None) -> int:
    """Render, hear, learn, write; tell how often a dev piece is found by what was learnt of the others alone."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.hearing.learn_likeness", description=__doc__)
    parser.add_argument("--pieces", type=int, default=PIECES, help="so many pieces are rendered; 0: the dev half alone")
    parser.add_argument("--shrinkage", type=float, default=SHRINKAGE)
    asked = parser.parse_args(arguments)
    dev = heard_pairs()
    more = [heard for batch in batches(asked.pieces) for heard in batch]
    if more:
        _say(f"dev pieces found among {len(dev) // 2}: {found(dev, learn(more, asked.shrinkage)):.3f}\n")
    WRITTEN.write_bytes(to_npz(compact(learn([*dev, *more], asked.shrinkage))))
    _say(f"{WRITTEN}: {WRITTEN.stat().st_size} bytes\n")
    return 0


class Heard(NamedTuple):
    """A rendering: the name of its piece, and what is known of its sound."""

    name: str
    described: space.Described


def heard_pairs() -> list[Heard]:
    """The dev half of the evaluation set's pairs."""
    found = []
    for item in items("dev", "retrieval"):
        kept = KEPT / f"{item.name}.npz"
        if not kept.exists():
            _say(f"hearing {item.name}")
            _keep(kept, [(item.name[:-2], Signal(*item.audio()))])
        found += _kept(kept)
    return found


def batches(count: int) -> Iterator[list[Heard]]:
    """Pieces that are in no evaluation set, a dozen at a time, each rendered three times."""
    for first in range(0, count, _BATCH):
        kept = KEPT / f"batch-{first:04d}.npz"
        if not kept.exists():
            _say(f"rendering pieces {first} to {min(count, first + _BATCH) - 1}")
            _keep(kept, rendered(list(range(first, min(count, first + _BATCH)))))
        yield _kept(kept)


def rendered(indices: Sequence[int]) -> Iterator[tuple[str, Signal]]:
    """Play pieces by number, each by all SoundFonts in turn."""
    by_font: dict[str, list[tuple[Sheet, str, int]]] = defaultdict(list)
    for index in indices:
        chance = random.Random(f"{SEED} {index}")
        whole = piece(index, chance)
        if whole is None:
            continue
        fonts = chance.sample(FONTS, len(FONTS))
        for side in range(SIDES):
            how = "clean" if side == 0 else chance.choice(render.DEGRADATIONS)
            by_font[fonts[side % len(fonts)]].append((turned(whole, f"piece-{index:04d}", side, chance), how, index))
    for font, sheets in by_font.items():
        played = render.play([sheet for sheet, _, _ in sheets], font, jitter_s=0.006, seed=SEED + indices[0])
        for (sheet, how, index), samples in zip(sheets, played, strict=True):
            yield sheet.name, Signal(render.degrade(samples, how, seed=SEED + index), render.RATE_HZ)


def piece(index: int, chance: random.Random) -> Sheet | None:
    """Every fourth piece is a score that no evaluation set has, the others are arrangements."""
    if index % 4:
        return arrange.arrangement(f"likeness-{index:04d}", index, SEED)
    works = _works()
    path = works[(index // 4 * 7) % len(works)]
    try:
        return corpus.sheet_of(corpus.Work(path, None, 92, chance.choice(_CHORUS)), chance)
    except Exception as error:  # some scores of the corpus are broken; they are left out
        _say(f"{path} is left out: {error}\n")
        return None


def _works() -> list[str]:
    """Bach's chorales but those of the evaluation set, in a shuffled order."""
    import music21

    known = {f"bwv{number}" for number in pairs._CHORALES} | {Path(work.path).name for work in corpus.WORKS}
    paths = [Path(str(path)) for path in music21.corpus.getComposer("bach")]
    named = sorted({f"bach/{path.stem}" for path in paths if path.suffix == ".mxl" and path.stem not in known})
    random.Random(SEED).shuffle(named)
    return named


def turned(whole: Sheet, name: str, side: int, chance: random.Random) -> Sheet:
    """Return one rendering: all but the first at another pace and in another key, a third of them by other players."""
    faster = chance.uniform(0.87, 1.15) if side else 1.0
    up = chance.randint(-5, 6) if side else 0
    programs = whole.programs
    if side and chance.random() < 0.35:
        others = {program: chance.choice(arrange.COMPS + arrange.LEADS) for program in set(programs)}
        programs = tuple(one if one == DRUMS or one in arrange.LOW else others[one] for one in programs)
    notes = tuple(n if programs[n.part] == DRUMS else n._replace(pitch=n.pitch + up) for n in whole.notes)
    tempi = tuple((place, bpm * faster) for place, bpm in whole.tempi)
    changed = {
        "name": name,
        "programs": programs,
        "notes": notes,
        "tempi": tempi,
        "key": None,
        "keys": (),
        "chords": (),
    }
    return cut(replaced(whole, **changed, numerals=(), tuning_cents=chance.choice((0, 0, -20, 25))), EXCERPT_S)


def learn(heard: Sequence[Heard], shrinkage: float) -> space.Learnt:
    """Return the directions in which pieces differ most and renderings of one least.

    Source: Fisher 1936, linear discriminants, with the scatter within pieces shrunk towards an even one (Ledoit &
    Wolf 2004), as there are fewer renderings than numbers.
    """
    rows = np.stack([one.described.piece for one in heard])
    mean, scale = rows.mean(axis=0), np.maximum(rows.std(axis=0), 1e-3 * rows.std(axis=0).max())
    sound_mean = np.stack([one.described.sound for one in heard]).mean(axis=0)
    spread = space.Learnt(mean, scale, np.zeros((len(mean), space.LEARNT)), sound_mean)
    standard = space.standard(rows, spread)
    pieces: dict[str, list[int]] = defaultdict(list)
    for row, one in enumerate(heard):
        pieces[one.name].append(row)
    means = np.stack([standard[held].mean(axis=0) for held in pieces.values()])
    rest = np.concatenate([standard[held] - standard[held].mean(axis=0) for held in pieces.values()])
    within = rest.T @ rest / max(1, len(rest) - len(pieces))
    within = (1 - shrinkage) * within + shrinkage * np.trace(within) / len(within) * np.eye(len(within))
    values, vectors = np.linalg.eigh(within)
    white = vectors / np.sqrt(values)
    turns = np.linalg.svd((means - means.mean(axis=0)) @ white, full_matrices=False)[2]
    return replace(spread, directions=white @ turns[: space.LEARNT].T)


def found(dev: Sequence[Heard], learnt: space.Learnt) -> float:
    """Return the share of dev pieces whose second rendering is nearest to their first."""
    vectors = np.stack([space.placed(one.described, learnt) for one in dev])
    likeness = vectors[1::2] @ vectors[0::2].T
    return float(np.mean(likeness.argmax(axis=1) == np.arange(len(likeness))))


def compact(learnt: space.Learnt) -> dict[str, np.ndarray]:
    """Return arrays to be written: half precision is far finer than what they are estimated from."""
    halves = learnt.directions.astype(np.float16)
    singles = {name: getattr(learnt, name).astype(np.float32) for name in ("mean", "scale", "sound_mean")}
    return {**singles, "directions": halves}


def _keep(path: Path, signals: Iterable[tuple[str, Signal]]) -> None:
    rows = [Heard(name, space.described(signal)) for name, signal in signals]
    path.parent.mkdir(parents=True, exist_ok=True)
    arrays = {
        "names": np.array([one.name for one in rows]),
        "piece": np.array([one.described.piece for one in rows], np.float32),
        "sound": np.array([one.described.sound for one in rows], np.float32),
        "tonal": np.array([one.described.tonal for one in rows]),
    }
    path.write_bytes(to_npz(arrays))


def _kept(path: Path) -> list[Heard]:
    with np.load(path, allow_pickle=False) as held:
        rows = zip(held["names"].tolist(), held["piece"], held["sound"], held["tonal"], strict=True)
        return [
            Heard(name, space.Described(piece.astype(float), sound.astype(float), float(tonal)))
            for name, piece, sound, tonal in rows
        ]


def _say(text: str) -> None:
    sys.stderr.write(f"\r\033[K{text}")
    sys.stderr.flush()


if __name__ == "__main__":
    raise SystemExit(main())
