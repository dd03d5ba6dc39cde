"""Writes the documents that are made from the code: `python -m infra.documentation` brings them up to date."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

from events.schemas import asyncapi, schema_files

ROOT = Path(__file__).parent.parent


def documents() -> dict[Path, str]:
    """Path under the project's root -> text, of every document made from the code."""
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    texts = {Path("docs/asyncapi.json"): asyncapi(version)}
    texts |= {Path("docs/events") / name: schema for name, schema in schema_files().items()}
    return {path: json.dumps(text, indent=2, ensure_ascii=False) + "\n" for path, text in texts.items()}


def main() -> None:
    """Write every document; those of older event versions stay as they are."""
    for path, text in documents().items():
        (ROOT / path).parent.mkdir(parents=True, exist_ok=True)
        (ROOT / path).write_text(text)


if __name__ == "__main__":
    main()
