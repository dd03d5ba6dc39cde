"""The form of a sound: its sections, which of them are the same music, what they are to the piece, and its phrases."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from events.imports import AudioAdded
from events.structure import Section as HeardSection
from events.structure import SectionPhrase, StructureAnalysed
from processors.audio.signal import SPECTRUM, Signal
from processors.handler import processor
from processors.rhythm.evidence import evidence_of
from processors.structure.borders import border_odds
from processors.structure.content import Content, content_of
from processors.structure.grid import Grid, grid_of
from processors.structure.groups import compared, grouped, letters, names, sameness
from processors.structure.parting import Parting, parted, section_lengths
from processors.structure.phrases import Phrase, phrases_of

_SHORTEST_S = 2.0
_FORM_SECTIONS = 64
_DECIMALS = 3


@dataclass(frozen=True, slots=True)
class Section:
    """A section in seconds, and how sure it is, 0 to 1.

    label: which music it is, A, B, …; semitones: by how much higher than where that came first, -5 to 6.
    name: what it is to the piece, None where that cannot be told.
    """

    start_s: float
    end_s: float
    label: str
    semitones: int
    name: str | None
    confidence: float


@dataclass(frozen=True, slots=True)
class Structure:
    """Sections one after the other, and phrases, from where a sound begins to where it ends; none where nothing is."""

    sections: tuple[Section, ...]
    phrases: tuple[Phrase, ...]

    @property
    def confidence(self) -> float:
        """The mean of the sections, each by its length; 0 without any."""
        if not self.sections:
            return 0.0
        lengths_s = [one.end_s - one.start_s for one in self.sections]
        return float(np.average([one.confidence for one in self.sections], weights=lengths_s))

    @property
    def form(self) -> str | None:
        """The labels in order, "A A B A"; of the first 64 sections; None without any."""
        return " ".join(one.label for one in self.sections[:_FORM_SECTIONS]) or None


NO_STRUCTURE = Structure((), ())


def structure_of(signal: Signal) -> Structure:
    """Find sections and phrases; none in what is silent, even or below two seconds."""
    if not signal.once(evidence_of).heard:
        return NO_STRUCTURE
    grid = grid_of(signal)
    if grid is None or grid.edges_s[-1] - grid.edges_s[0] < _SHORTEST_S:
        return NO_STRUCTURE
    return structured(signal, grid)


def structured(signal: Signal, grid: Grid) -> Structure:
    """Find sections that begin at units of a grid, and their phrases."""
    content = content_of(signal, grid)
    found = parted(border_odds(content, grid), section_lengths(grid.units, unit_s=grid.unit_s, bars=grid.bars))
    return Structure(_sections(content, grid, found), phrases_of(signal, grid.edges_s[found.borders]))


def _sections(content: Content, grid: Grid, found: Parting) -> tuple[Section, ...]:
    borders_s = grid.edges_s[found.borders]
    pairs = compared(content, found.borders, grid)
    groups = grouped(sameness(pairs)).tolist()
    levels_db = [float(content.level_db[a:b].mean()) for a, b in zip(found.borders, found.borders[1:], strict=False)]
    told = names(groups, np.diff(borders_s).tolist(), levels_db)
    firsts = {group: groups.index(group) for group in groups}
    return tuple(
        Section(
            start_s=float(borders_s[place]),
            end_s=float(borders_s[place + 1]),
            label=letters(group),
            semitones=_nearest(int(pairs.semitones[firsts[group], place])),
            name=told[place],
            confidence=float(found.probabilities[place]),
        )
        for place, group in enumerate(groups)
    )


def _nearest(semitones: int) -> int:
    """Return an interval the nearer way, -5 to 6."""
    return semitones - 12 if semitones > 6 else semitones


@processor("1")
def analyse_structure(event: AudioAdded, signal: Signal) -> StructureAnalysed:
    """Tell sections, which are the same music, and phrases; all is empty where nothing begins that stands out."""
    found = signal.once(structure_of)
    return StructureAnalysed(
        asset_id=event.asset_id,
        parameters=dict(SPECTRUM),
        confidence=round(found.confidence, 3),
        form=found.form,
        section_count=len(found.sections),
        phrase_count=len(found.phrases),
        sections=tuple(
            HeardSection(
                start_s=round(one.start_s, _DECIMALS),
                end_s=round(one.end_s, _DECIMALS),
                label=one.label,
                semitones=one.semitones,
                name=one.name,
                confidence=round(one.confidence, 3),
            )
            for one in found.sections
        ),
        phrases=tuple(
            SectionPhrase(
                start_s=round(one.start_s, _DECIMALS),
                end_s=round(one.end_s, _DECIMALS),
                confidence=round(one.confidence, 3),
            )
            for one in found.phrases
        ),
    )
