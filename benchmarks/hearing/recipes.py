"""What each item is made by: a sheet, its split, its SoundFont, and what is done to the sound."""

from __future__ import annotations

import ast
import hashlib
import random
import zlib
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.hearing import arrange, corpus, instruments, melodies, pairs, render
from benchmarks.hearing.sheet import Sheet, replaced
from benchmarks.hearing.truth import Truth, truth_of

SEED = 20261123
DEV_FONTS = ("fluidr3", "timgm", "fluidr3", "opl3", "timgm", "fluidr3")
TEST_FONTS = ("musescore", "timgm", "fluidr3", "musescore", "opl3", "fluidr3")
"""A third of the held-out half is played by a SoundFont that the other has not."""
HOW = ("clean", "noise", "clean", "reverb", "clean", "mp3", "clean", "quiet", "clean", "narrow")
_BATCH_S = 480.0


@dataclass(frozen=True)
class Recipe:
    """How an item is made."""

    name: str
    sheet: Sheet
    split: str
    soundfont: str
    how: str
    family: str | None = None

    @cached_property
    def seed(self) -> int:
        """A number of its own."""
        return zlib.crc32(f"{SEED} {self.name}".encode())

    @cached_property
    def digest(self) -> str:
        """What tells it from every other recipe."""
        return hashlib.sha256(f"{self!r} {sources('render', 'smf', 'truth', 'melodies')}".encode()).hexdigest()

    def row(self) -> dict[str, Any]:  # Any: JSON
        """What the index tells of it."""
        kind = self.sheet.kind
        tags = [*self.sheet.tags, self.how, self.soundfont]
        return {
            "name": self.name, "kind": kind, "split": self.split, "soundfont": self.soundfont, "how": self.how,
            "tags": tags,
        }  # fmt: skip


def sources(*names: str) -> str:
    """Return a digest of modules beside this one, whose layout and comments change nothing."""
    found = hashlib.sha256()
    for name in names:
        tree = ast.parse(Path(__file__).with_name(f"{name}.py").read_text(encoding="utf-8"))
        tree.body = [node for node in tree.body if not isinstance(node, ast.Expr)]
        found.update(ast.unparse(tree).encode())
    return found.hexdigest()


def digest(kind: str) -> str:
    """Return what a kind's items depend on: code and the SoundFonts that are here."""
    names = ("recipes", "render", "smf", "truth", "sheet", "tempo", "arrange", "styles", "melodies")
    extra = {"score": ("corpus",), "note": ("instruments",), "retrieval": ("corpus", "pairs")}.get(kind, ())
    return f"{sources(*names, *extra)} {' '.join(render.available())}"


def of_kind(kind: str) -> list[Recipe]:
    """Return the recipes of a kind."""
    if kind == "note":
        return _notes()
    if kind == "retrieval":
        return _pairs()
    makers = {"score": corpus.sheets, "arrangement": arrange.sheets}
    made = makers[kind](SEED) if kind in makers else [s for s in melodies.sheets(SEED) if s.kind == kind]
    return dealt(made)


def dealt(sheets: Sequence[Sheet]) -> list[Recipe]:
    """Split sheets by piece into halves alike in their tags, and deal out SoundFonts and degradations in each."""
    chance = random.Random(SEED)
    groups: dict[tuple[str, ...], list[Sheet]] = defaultdict(list)
    for sheet in sheets:
        groups[sheet.tags[1:2]].append(sheet)
    halves: dict[str, list[Sheet]] = {"dev": [], "test": []}
    for group in groups.values():
        chance.shuffle(group)
        for sheet in group:
            halves["dev" if len(halves["dev"]) <= len(halves["test"]) else "test"].append(sheet)
    fonts = {"dev": DEV_FONTS, "test": TEST_FONTS}
    return [
        Recipe(sheet.name, settled(sheet), split, font_or_other(fonts[split][turn % 6], turn), HOW[turn % len(HOW)])
        for split, half in halves.items()
        for turn, sheet in enumerate(half)
    ]


def settled(sheet: Sheet) -> Sheet:
    """Return a sheet that begins when it likes and, one of two that are played, in a tuning of its own."""
    chance = random.Random(f"{SEED} settled {sheet.name}")
    cents = 0.0 if sheet.kind == "sung" else chance.choice((0.0, 0.0, 0.0, 0.0, -30.0, -18.0, 22.0, 35.0))
    return replaced(sheet, lead_s=round(chance.uniform(0.05, 0.9), 3), tuning_cents=cents)


def font_or_other(name: str, turn: int) -> str:
    """Return the SoundFont, or one of those that are here."""
    here = render.available()
    return name if name in here or not here else here[turn % len(here)]


def _notes() -> list[Recipe]:
    """Every note by every SoundFont: two of them for development, two held out."""
    split = {"fluidr3": "dev", "musescore": "dev", "timgm": "test", "opl3": "test"}
    return [
        Recipe(f"{sheet.name}-{font}", sheet, split[font], font, "clean", family)
        for font in render.available()
        for family, sheet in instruments.sheets()
    ]


def _pairs() -> list[Recipe]:
    """Both renderings of every piece, by two SoundFonts, one of them degraded."""
    found: list[Recipe] = []
    for turn, (split, one, other) in enumerate(pairs.sheets(SEED)):
        fonts = random.Random(f"{SEED} {turn}").sample(render.available(), min(2, len(render.available())))
        for sheet, font, how in ((one, fonts[0], "clean"), (other, fonts[-1], HOW[turn % len(HOW)])):
            found.append(Recipe(sheet.name, sheet, split, font, how))
    return found


def rendered(wanted: Sequence[Recipe]) -> Iterator[tuple[Recipe, np.ndarray, Truth]]:
    """Yield recipes with their sound and truth, those of one SoundFont and jitter played in one go."""
    groups: dict[tuple[str, float], list[Recipe]] = defaultdict(list)
    for recipe in wanted:
        if recipe.sheet.kind == "sung":
            yield _sung(recipe)
        else:
            groups[recipe.soundfont, _jitter_s(recipe)].append(recipe)
    for (font, jitter_s), group in groups.items():
        for batch in _batches(group):
            heard = render.play([one.sheet for one in batch], font, jitter_s=jitter_s, seed=batch[0].seed)
            for recipe, samples in zip(batch, heard, strict=True):
                truth = replace(truth_of(recipe.sheet), family=recipe.family)
                if recipe.sheet.kind == "melody":
                    truth = replace(truth, melody_hz=np.round(melodies.ringing(recipe.sheet, samples), 3).tolist())
                yield recipe, _finished(samples, recipe), truth


def _jitter_s(recipe: Recipe) -> float:
    """Hands are not exact: 8 ms, but for machines (steady arrangements) and single notes."""
    return 0.0 if recipe.sheet.kind == "note" or "steady" in recipe.sheet.tags else 0.008


def _batches(group: Sequence[Recipe]) -> Iterator[list[Recipe]]:
    batch: list[Recipe] = []
    for recipe in group:
        batch.append(recipe)
        if sum(one.sheet.length_s + 2 for one in batch) > _BATCH_S:
            yield batch
            batch = []
    if batch:
        yield batch


def _finished(samples: np.ndarray, recipe: Recipe) -> np.ndarray:
    return render.degrade(samples, recipe.how, seed=recipe.seed)


def _sung(recipe: Recipe) -> tuple[Recipe, np.ndarray, Truth]:
    samples, hz = melodies.sing(recipe.sheet, recipe.seed)
    truth = replace(truth_of(recipe.sheet), melody_hz=np.round(hz, 3).tolist())
    return recipe, _finished(samples, recipe), truth
