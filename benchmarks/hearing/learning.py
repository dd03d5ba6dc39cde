"""Pieces to learn from, none of them of the evaluation set, and trees that are grown of what was heard in them.

Arrangements and tunes of other seeds, played by the SoundFonts of the evaluation set's development half; drums alone
and noise, in which there is nothing to be found. Kept in build/bench/learn/pieces. Needs FluidSynth and scikit-learn.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import soundfile

from benchmarks.hearing import arrange, melodies, recipes
from benchmarks.hearing.material import ROOT, write_json
from benchmarks.hearing.render import RATE_HZ
from benchmarks.hearing.sheet import DRUMS, Sheet
from benchmarks.hearing.truth import Truth, from_json
from processors.audio.signal import Signal

SEEDS = (71,)
KEPT = ROOT.parent / "learn"
_FOLDER = KEPT / "pieces"
_KINDS = {"feature": np.uint8, "edge": np.float32, "left": np.uint8, "right": np.uint8, "value": np.float32}


def pieces() -> Iterator[tuple[str, Signal, Truth]]:
    """Give each piece's name, sound and truth; those that are not kept yet are rendered."""
    for seed in SEEDS:
        made = _recipes(seed)
        missing = [one for one in made if not (_FOLDER / f"{one.name}.json").exists()]
        _FOLDER.mkdir(parents=True, exist_ok=True)
        for recipe, samples, truth in recipes.rendered(missing):
            say(f"rendering {recipe.name}")
            soundfile.write(_FOLDER / f"{recipe.name}.flac", samples.T, RATE_HZ, compression_level=0.2)
            write_json(_FOLDER / f"{recipe.name}.json", asdict(truth))
        for recipe in made:
            samples, rate_hz = soundfile.read(_FOLDER / f"{recipe.name}.flac", dtype="float32", always_2d=True)
            truth = from_json(json.loads((_FOLDER / f"{recipe.name}.json").read_text(encoding="utf-8")))
            yield recipe.name, Signal(np.ascontiguousarray(samples.T), rate_hz), truth
    yield from _noises()


def _recipes(seed: int) -> list[recipes.Recipe]:
    sheets = [replace(one, name=f"{one.name}-{seed}") for one in (*arrange.sheets(seed), *melodies.sheets(seed))]
    sheets += [_drums_alone(sheet) for sheet in sheets if sheet.kind == "arrangement"][:4]
    fonts = recipes.DEV_FONTS
    return [replace(one, soundfont=fonts[turn % len(fonts)]) for turn, one in enumerate(recipes.dealt(sheets))]


def _drums_alone(sheet: Sheet) -> Sheet:
    """The same without a note."""
    heard = tuple(note for note in sheet.notes if sheet.programs[note.part] == DRUMS)
    return replace(sheet, name=f"{sheet.name}-drums", notes=heard, melody=None)


def _noises() -> Iterator[tuple[str, Signal, Truth]]:
    """Noise of several colours, even and in bursts."""
    rng = np.random.default_rng(SEEDS[0])
    for number in range(9):
        spectrum = np.fft.rfft(rng.standard_normal(20 * RATE_HZ))
        coloured = np.fft.irfft(spectrum / np.maximum(1, np.arange(len(spectrum))) ** (number % 3 / 2))
        bursts = np.repeat(rng.random(200) ** (number // 3), len(coloured) // 200)
        samples = coloured * bursts / np.abs(coloured).max() * rng.uniform(0.05, 0.9)
        yield f"noise-{number}", Signal(samples[None].astype(np.float32), RATE_HZ), Truth(20.0)


def grow(
    told: np.ndarray, true: np.ndarray, weights: np.ndarray, place: Path, *, trees: int, leaves: int, rate: float
) -> None:
    """Grow trees that tell rows that are true from the others, and write them; see `processors.audio.trees`."""
    from sklearn.ensemble import HistGradientBoostingClassifier

    model = HistGradientBoostingClassifier(
        max_iter=trees, max_leaf_nodes=leaves, learning_rate=rate, min_samples_leaf=40, l2_regularization=1.0,
        early_stopping=False, random_state=0,
    )  # fmt: skip
    model.fit(told, true, sample_weight=weights / weights.mean())
    grown = [stage[0].nodes for stage in model._predictors]
    size = max(len(nodes) for nodes in grown)
    held = {name: np.zeros((len(grown), size), kind) for name, kind in _KINDS.items()}
    for row, nodes in enumerate(grown):
        count, leaf, own = len(nodes), nodes["is_leaf"].astype(bool), np.arange(len(nodes))
        held["feature"][row, :count] = np.where(leaf, 0, nodes["feature_idx"])
        held["edge"][row, :count] = np.where(leaf, 0, nodes["num_threshold"])
        held["value"][row, :count] = nodes["value"]
        for side in ("left", "right"):
            held[side][row, :count] = np.where(leaf, own, nodes[side])
    np.savez_compressed(place, **held, first=np.float32(model._baseline_prediction.item()))


def say(text: str) -> None:
    """Tell how far it is."""
    sys.stderr.write(f"\r\033[K{text}")
    sys.stderr.flush()
