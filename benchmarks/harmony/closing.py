"""Whole chorales with their keys, for what tells the key of a piece that is heard to its end."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

from benchmarks.harmony.material import ROOT, SEED, Heard, heard_sheets
from benchmarks.hearing import corpus
from benchmarks.hearing.arrange import NAMES
from benchmarks.hearing.sheet import Sheet, replaced

_SOUNDS = ((0,), (16,), (53,), (73, 68, 71, 70), (56, 60, 57, 58), (48,), (40, 40, 41, 42), (19,), (6,))
_MINOR = 9
"""Semitones from a major tonic up to its relative minor's."""
LONGEST_S = 75.0


def chorales(count: int, *, say: Callable[[str], None], root: Path = ROOT / "chorales") -> list[Heard]:
    """So many chorales of four voices that end on the tonic of their signature; none of the evaluation set."""
    return list(heard_sheets(f"chorales-{count}", lambda: _sheets(count), root=root, say=say))


def _sheets(count: int) -> list[Sheet]:
    from music21 import corpus as library

    evaluated = {work.path.split("/")[-1] for work in corpus.WORKS}
    paths = sorted(path for path in map(Path, library.getComposer("bach")) if path.name.startswith("bwv"))
    chance = random.Random(SEED)
    chance.shuffle(paths)
    found: list[Sheet] = []
    for path in paths:
        if len(found) == count:
            break
        if path.suffix != ".mxl" or path.stem in evaluated or path.stem == "bwv66.6":
            continue
        work = corpus.Work(f"bach/{path.stem}", None, 84, chance.choice(_SOUNDS))
        sheet = corpus.sheet_of(work, chance)
        key = _key(work.path, sheet)
        if len(sheet.programs) == 4 and key and sheet.length_s < LONGEST_S:
            found.append(replaced(sheet, key=key))
    return found


def _key(path: str, sheet: Sheet) -> tuple[str, str] | None:
    """The key whose signature is written and whose tonic lies below at the end; None where they disagree."""
    from music21 import key

    signature = corpus.parsed(path).parts[0].recurse().getElementsByClass(key.KeySignature).first()
    if signature is None or not sheet.notes:
        return None
    end_q = max(note.end_q for note in sheet.notes)
    last = min(note.pitch for note in sheet.notes if note.end_q > end_q - 0.1) % 12
    major = 7 * signature.sharps % 12
    modes = {major: "major", (major + _MINOR) % 12: "minor"}
    return (NAMES[last], modes[last]) if last in modes else None
