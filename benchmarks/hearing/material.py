"""The evaluation set: what is in it, how it is rendered and kept, and how it is read.

    from benchmarks.hearing import items
    for item in items(split="dev", kind="arrangement"):
        samples, rate_hz = item.audio()      # (channels, frames), float32
        item.truth.beats_s                   # see benchmarks.hearing.truth.Truth

Kinds: score, arrangement, melody (an instrument alone), sung (a voice of exact pitch), note (single notes by family),
retrieval (pairs of renderings of one piece). The first call renders what is not in build/bench/hearing yet.
"""

from __future__ import annotations

import fcntl
import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
import soundfile

from benchmarks.hearing import recipes, render
from benchmarks.hearing.truth import Truth, from_json

ROOT = Path(__file__).parents[2] / "build" / "bench" / "hearing"
KINDS = ("score", "arrangement", "melody", "sung", "note", "retrieval")
Split = Literal["dev", "test"]


@dataclass(frozen=True)
class Item:
    """One piece of sound with its truth. how: what was done to it; see `render.degrade`."""

    name: str
    kind: str
    split: str
    soundfont: str
    how: str
    tags: tuple[str, ...]
    folder: Path

    @property
    def path(self) -> Path:
        """Its FLAC, 44.1 kHz, stereo, 16 bits."""
        return self.folder / f"{self.name}.flac"

    def audio(self) -> tuple[np.ndarray, int]:
        """Return samples of shape (channels, frames), float32, and their rate."""
        samples, rate_hz = soundfile.read(self.path, dtype="float32", always_2d=True)
        return np.ascontiguousarray(samples.T), int(rate_hz)

    @cached_property
    def truth(self) -> Truth:
        """What is true of it."""
        return from_json(json.loads((self.folder / f"{self.name}.json").read_text(encoding="utf-8")))


def items(split: Split | None = "dev", kind: str | None = None, *, root: Path = ROOT) -> list[Item]:
    """Return items of a split (None: both) and kind (None: all but retrieval), rendered if they are not yet.

    Raises: Unrenderable, where something is to be rendered and FluidSynth or all SoundFonts are missing.
    """
    kinds = [one for one in KINDS if one != "retrieval"] if kind is None else [kind]
    found: list[Item] = []
    for one in kinds:
        found += [item for item in _of_kind(one, root) if split in (None, item.split)]
    return found


def _of_kind(kind: str, root: Path) -> list[Item]:
    if kind not in KINDS:
        raise ValueError(f"there is no kind {kind!r}; there are {', '.join(KINDS)}")
    folder = root / kind
    digest = recipes.digest(kind)
    index = folder / "index.json"
    held = _read(index)
    if held.get("digest") != digest:
        folder.mkdir(parents=True, exist_ok=True)
        with _alone(folder):
            held = _read(index)
            if held.get("digest") != digest:
                rows = _rendered(kind, folder)
                held = {"digest": digest, "items": rows}
                write_json(index, held)
    return [Item(**(row | {"tags": tuple(row["tags"])}), folder=folder) for row in held["items"]]


def _read(path: Path) -> dict[str, Any]:  # Any: JSON
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    return found


def write_json(path: Path, value: object) -> None:
    """Write a file of JSON at once, so that no reader meets half of it."""
    partial = path.with_suffix(".part")
    partial.write_text(json.dumps(value), encoding="utf-8")
    partial.replace(path)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Hold the folder's lock: several runs may begin at once, one renders, the others wait."""
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _rendered(kind: str, folder: Path) -> list[dict[str, Any]]:  # Any: JSON
    """Render what is missing or was made by another recipe, soundfont by soundfont, in one process."""
    say = _teller(kind)
    made = recipes.of_kind(kind)
    missing = [one for one in made if _read(folder / f"{one.name}.json").get("recipe") != one.digest]
    for done, (recipe, samples, truth) in enumerate(recipes.rendered(missing), 1):
        say(f"{done} of {len(missing)}  {recipe.name}")
        partial = folder / f"{recipe.name}.part"
        soundfile.write(partial, samples.T, render.RATE_HZ, format="FLAC", subtype="PCM_16", compression_level=0.2)
        partial.replace(folder / f"{recipe.name}.flac")
        write_json(folder / f"{recipe.name}.json", asdict(truth) | {"recipe": recipe.digest})
    say("ready\n")
    _swept(folder, {one.name for one in made})
    return [one.row() for one in made]


def _swept(folder: Path, names: set[str]) -> None:
    for path in folder.iterdir():
        if path.suffix in (".flac", ".json") and path.stem not in names and path.stem != "index":
            path.unlink()


def _teller(kind: str) -> Callable[[str], None]:
    def say(text: str) -> None:
        sys.stderr.write(f"\r\033[Krendering {kind}: {text}")
        sys.stderr.flush()

    return say
