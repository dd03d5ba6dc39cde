"""Real pieces for the demonstration and the figures: works in the public domain, from the corpus that music21 brings.

Together they are read in about two seconds, and music21 itself takes one more.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

PIECES: tuple[tuple[str, str], ...] = (
    ('Bach: Chorale "Christ ist erstanden", BWV 66.6', "bach/bwv66.6.mxl"),
    ("Mozart: String quartet K. 458, minuet", "mozart/k458/movement2.mxl"),
    ("Joplin: Maple Leaf Rag", "joplin/maple_leaf_rag.mxl"),
    ("Liliʻuokalani: Aloha ʻOe", "liliuokalani/aloha_oe.mxl"),
)
"""Title, and place within the corpus; all are compressed MusicXML."""
MEDIA_TYPE = "application/vnd.recordare.musicxml"


def corpus_paths() -> list[Path]:
    """The files of `PIECES`, in their order, found without importing music21.

    Raises: FileNotFoundError, if music21 or one of the files is not installed.
    """
    found = find_spec("music21")
    if found is None or not found.submodule_search_locations:
        raise FileNotFoundError("music21 is not installed; install the dependencies")
    corpus = Path(found.submodule_search_locations[0]) / "corpus"
    paths = [corpus / place for _, place in PIECES]
    for path in paths:
        if not path.is_file():
            raise FileNotFoundError(f"{path} is missing from music21's corpus; reinstall music21")
    return paths
