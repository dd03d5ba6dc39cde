"""The how-tos walk through real files: every excerpt is in the file it is said to be from."""

from __future__ import annotations

import re
from pathlib import Path
from textwrap import dedent

import pytest

from tests.docs.walking import ROOT

PAGES = sorted((ROOT / "docs").rglob("*.md"))
EXCERPT = re.compile(r"^( *)```python (\S+)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)


def _excerpts() -> list[tuple[Path, str, str]]:
    return [
        (page, file, "\n".join(line.removeprefix(indent) for line in text.splitlines()))
        for page in PAGES
        for indent, file, text in EXCERPT.findall(page.read_text(encoding="utf-8"))
    ]


@pytest.mark.parametrize(
    ("page", "file", "text"), [pytest.param(*found, id=f"{found[0].stem} {found[1]}") for found in _excerpts()]
)
def test_an_excerpt_is_in_its_file(page: Path, file: str, text: str) -> None:
    """Given an excerpt in a page, then its file has the very same lines, one after the other."""
    lines = (ROOT / file).read_text(encoding="utf-8").splitlines()
    wanted = text.splitlines()
    found = any(lines[at : at + len(wanted)] == wanted for at in range(len(lines) - len(wanted) + 1))
    assert found, f"{page.name}: these lines are not in {file}:\n{dedent(text)}"


@pytest.mark.parametrize("name", ["new-event", "new-processor", "new-view", "change-processor"])
def test_each_howto_has_excerpts(name: str) -> None:
    """Given a how-to, then it shows at least three pieces of real files."""
    assert sum(page.stem == name for page, _, _ in _excerpts()) >= 3


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_path_that_is_named_is_there(page: Path) -> None:
    """Given a page, then the files and folders of the tree that it names in code exist."""
    folders = "domain|events|processors|projections|api|infra|tests|docs|benchmarks|requirements"
    for path in re.findall(rf"`((?:{folders})/[\w./-]*\w/?)\*?`", page.read_text(encoding="utf-8")):
        assert list(ROOT.glob(f"{path.rstrip('/')}*")), f"{page.name} names {path}, which is not there"
