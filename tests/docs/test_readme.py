"""The README, the tutorial and the reference say what is so: their commands and queries are run, their tables held."""

from __future__ import annotations

import ast
import re
import socket
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import pytest
from typer.main import get_command

from api.cli.main import app
from api.graphql.schema import SCHEMA
from docs.draw_lineage import draw
from infra.disco import open_disco
from infra.settings import Settings
from tests.docs.walking import ROOT, Walk

DOCS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]
PACKAGES = ("domain", "events", "processors", "projections", "api", "infra", "docs", "benchmarks")


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


@pytest.fixture
def walk(tmp_path: Path) -> Iterator[Walk]:
    """A reader with a shell in an empty folder."""
    with Walk(tmp_path / "reader", port=_free_port()) as reader:
        yield reader


def test_the_tutorial_and_the_reference_are_so(walk: Walk) -> None:
    """Given an empty folder, when the tutorial and then the reference are typed, then each answers as it says."""
    walk.document(ROOT / "docs/tutorial.md")
    with open_disco(Settings(home=walk.source / "build/tutorial/data", workers=2)) as service:
        assert service.settle(60)
        found = service.views.documents.search("accompaniment rendered", first=1)[0].id
        picture = ElementTree.fromstring(draw(service, found))  # noqa: S314  # our own
    texts = {text.text for text in picture.iter("{http://www.w3.org/2000/svg}text")}
    assert {"generation · accompaniment", "analysis · key", "seed 7, style swing"} <= texts
    walk.type("disco serve > serve.log &")
    walk.type(f"curl -s --retry 30 --retry-connrefused --retry-delay 1 http://127.0.0.1:{walk.port}/healthz")
    walk.document(ROOT / "docs/graphql.md")


def test_the_readme_is_so(walk: Walk) -> None:
    """Given an empty folder, when the README's commands and queries are typed, then each answers as it says."""
    walk.document(ROOT / "README.md")


def test_make_demo_is_what_the_readme_was_walked_with() -> None:
    """Given the Makefile, then its demo is the command that stands for it in the walk, and its test is there."""
    makefile = (ROOT / "Makefile").read_text()
    assert "-m api.cli.main demo --into build/demo" in makefile
    assert re.search(r"^test:", makefile, re.MULTILINE)


def _verbs() -> list[str]:
    group = get_command(app)
    found = []
    for name, command in sorted(getattr(group, "commands", {}).items()):
        inner = getattr(command, "commands", None)
        found += [f"{name} {under}" for under in inner] if inner else [] if command.hidden else [name]
    return found


@pytest.mark.parametrize("verb", _verbs())
def test_every_verb_is_in_the_readmes_table(verb: str) -> None:
    """Given a verb of the command line, then the README's table has it."""
    assert re.search(rf"^\| `{re.escape(verb)}\b", (ROOT / "README.md").read_text(), re.MULTILINE), verb


@pytest.mark.parametrize("name", sorted(Settings.model_fields))
def test_every_setting_is_told_with_its_default(name: str) -> None:
    """Given a setting, then the README and the operator's page name its variable, and the page its default."""
    variable = f"DISCO_{name.upper()}"
    assert variable in (ROOT / "README.md").read_text()
    (row,) = [line for line in (ROOT / "docs/how-to/operate.md").read_text().splitlines() if f"`{variable}` |" in line]
    default = Settings.model_fields[name].default
    if name not in ("home", "workers"):
        assert f"| {str(default).removesuffix('.0').lower()} |" in row.lower()


def _root_fields() -> list[str]:
    schema = SCHEMA._schema
    return [
        f"{kind.name}.{field}"
        for kind in (schema.query_type, schema.mutation_type, schema.subscription_type)
        if kind is not None
        for field in kind.fields
    ]


@pytest.mark.parametrize("field", _root_fields())
def test_every_root_field_of_graphql_is_in_the_reference(field: str) -> None:
    """Given a root field, then docs/graphql.md has a row for it."""
    name = field.partition(".")[2]
    assert f"| `{name}" in (ROOT / "docs/graphql.md").read_text(), field


def _modules() -> list[Path]:
    return [path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))]


def test_every_module_says_what_it_is_for() -> None:
    """Given every module, then it begins with a docstring whose first line is a sentence."""
    silent = [
        str(path.relative_to(ROOT))
        for path in _modules()
        if not (ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or "").strip()
    ]
    assert not silent


@pytest.mark.parametrize("path", DOCS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_leads_somewhere(path: Path) -> None:
    """Given a document, then every relative link and picture in it is there, with the heading it names."""
    text = path.read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)\s]+)\)", text) + re.findall(r'(?:src|href)="([^"]+)"', text):
        if re.match(r"[a-z]+:", target):
            continue
        file, _, heading = target.partition("#")
        found = (path.parent / file) if file else path
        assert found.exists(), f"{path.name} leads to {target}, which is not there"
        if heading:
            headings = re.findall(r"^#+ (.+)$", found.read_text(encoding="utf-8"), re.MULTILINE)
            anchors = {re.sub(r"[^\w -]", "", name).lower().replace(" ", "-") for name in headings}
            assert heading in anchors, f"{path.name} leads to {target}, which has no such heading"


def test_every_decision_is_listed() -> None:
    """Given the decisions, then their index lists each under its title."""
    index = (ROOT / "docs/adr/README.md").read_text()
    for path in sorted((ROOT / "docs/adr").glob("0*.md")):
        assert f"]({path.name})" in index
