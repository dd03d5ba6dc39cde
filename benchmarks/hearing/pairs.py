"""Pieces rendered twice: by another SoundFont, at another pace and in another key, to be found by their likeness."""

from __future__ import annotations

import random

from benchmarks.hearing import arrange, corpus
from benchmarks.hearing.sheet import DRUMS, Sheet, cut, replaced

EXCERPT_S = 22.0
COUNTS = {"dev": 50, "test": 100}
SIDES = ("a", "b")
_CHORALES = (
    "245.3", "245.5", "245.11", "245.15", "245.17", "245.22", "245.26", "245.28", "245.37", "245.40", "244.3", "244.10",
    "244.15", "244.25", "244.32", "244.37", "244.40", "244.44", "244.46", "244.54", "248.5", "248.9-1", "248.17",
    "248.33-3", "248.35-3", "248.46-5", "248.59-6", "250", "251", "252", "253", "254", "255", "256", "257", "258",
    "259", "260", "261", "262", "263", "264", "265", "266", "268", "270", "271", "272", "273", "276",
)  # fmt: skip
"""Of Bach's chorales, none of those whose harmony is asked elsewhere."""


def sheets(seed: int) -> list[tuple[str, Sheet, Sheet]]:
    """Return split, and both sheets, of all pieces; every third is a chorale, the others are arrangements."""
    found: list[tuple[str, Sheet, Sheet]] = []
    chorales = iter(_CHORALES)
    for index in range(sum(COUNTS.values())):
        split = "dev" if index < COUNTS["dev"] else "test"
        chance = random.Random(f"{seed} pair {index}")
        name = f"pair-{index:03d}"
        whole = _chorale(next(chorales), chance) if index % 3 == 0 else arrange.arrangement(name, index, seed)
        found.append((split, _side(whole, name, 0, chance), _side(whole, name, 1, chance)))
    return found


def _chorale(bwv: str, chance: random.Random) -> Sheet:
    program = chance.choice(((0,), (19,), (52,), (48,), (73, 68, 71, 70), (56, 60, 57, 58)))
    return corpus.sheet_of(corpus.Work(f"bach/bwv{bwv}", None, 84, program, tags=("chorale",)), chance)


def _side(whole: Sheet, name: str, side: int, chance: random.Random) -> Sheet:
    """Return a rendering's sheet; the second one in half of the pieces in another key, in all at another pace."""
    faster = chance.uniform(0.93, 1.07) if side else 1.0
    up = chance.choice((0, 0, 0, 0, -4, -3, -2, 1, 2, 3, 5)) if side else 0
    notes = tuple(n if whole.programs[n.part] == DRUMS else n._replace(pitch=n.pitch + up) for n in whole.notes)
    tempi = tuple((place, bpm * faster) for place, bpm in whole.tempi)
    tags = (*whole.tags, f"up {up}")
    turned = replaced(whole, name=f"{name}-{SIDES[side]}", kind="retrieval", notes=notes, tempi=tempi, tags=tags)
    return cut(replaced(turned, key=None, keys=(), chords=(), numerals=()), EXCERPT_S)
