"""Install servers into the cache: side by side where they wait for the network, builds one at a time."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Protocol

from domain.errors import DiscoError
from infra.local_servers.places import Places, locked
from infra.local_servers.recipe import Recipe
from infra.local_servers.recipes import RECIPES
from infra.local_servers.steps import Steps

Tell = Callable[[str, str], None]
"""Called with a server's name and what is happening to it."""


class Installable(Protocol):
    """What has a place of its own in the cache: a server's recipe, or a tool that is none."""

    @property
    def name(self) -> str:
        """Of its folder and its lock."""
        ...

    @property
    def version(self) -> str:
        """Pinned; another one is installed beside."""
        ...

    @property
    def install(self) -> Callable[[Steps, Path], None]:
        """Fill a folder. Raises: DiscoError."""
        ...


def is_installed(recipe: Recipe, places: Places) -> bool:
    """Whether this version's programs are in the cache."""
    return places.installed(recipe.name, recipe.version).is_dir()


def install(names: Iterable[str], places: Places, tell: Tell) -> list[DiscoError]:
    """Install what is not there yet; the failures, one a server at most, for one does not stop the others."""
    missing = [RECIPES[name] for name in names if not is_installed(RECIPES[name], places)]
    fetched, built = ([one for one in missing if one.builds == which] for which in (False, True))

    def attempt(recipe: Recipe) -> DiscoError | None:
        try:
            install_one(recipe, places, tell)
        except DiscoError as error:
            tell(recipe.name, "failed")
            return error
        return None

    with ThreadPoolExecutor(max(1, len(fetched))) as fetching, ThreadPoolExecutor(1) as building:
        begun = fetching.map(attempt, fetched), building.map(attempt, built)  # both, before either is waited for
        outcomes = [outcome for kind in begun for outcome in kind]
    return [error for error in outcomes if error is not None]


def install_one(recipe: Installable, places: Places, tell: Tell) -> None:
    """Install one server or tool in a folder beside its place, and move it there when it is whole.

    Raises: DiscoError, from the step that failed.
    """
    target = places.installed(recipe.name, recipe.version)
    part, log = (target.with_name(f"{target.name}.{what}") for what in ("part", "log"))
    with locked(places.cache / f".{recipe.name}.lock"):
        if target.is_dir():
            return  # somebody else just did it
        began = time.monotonic()
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True)
        log.unlink(missing_ok=True)
        recipe.install(Steps(recipe.name, log, lambda step: tell(recipe.name, step)), part)
        part.rename(target)
        tell(recipe.name, f"installed in {time.monotonic() - began:.1f} s, {_size_mb(target)} MB")


def _size_mb(folder: Path) -> int:
    return sum(file.lstat().st_size for file in folder.rglob("*") if not file.is_dir()) // 1_000_000
