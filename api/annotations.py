"""What was heard in a recording, as annotations that other programs read: JAMS, CSV, Audacity's labels.

A layer is one kind of thing along time. What kind of analysis gives which layers is the table `LAYERS`.
Source: Humphrey et al. 2014, "JAMS: A JSON Annotated Music Specification", and its schema 0.3; Audacity's manual,
"Importing and Exporting Labels".
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import orjson

from api.heard import Heard
from domain.errors import NotFound
from domain.views import Document

Json = dict[str, Any]  # Any: JSON
Value = str | float | None

JAMS_VERSION = "0.3.4"
MOST_POINTS = 60_000
"""Of a curve that is told value by value."""


@dataclass(frozen=True, slots=True)
class Mark:
    """One thing heard: from when, for how long in seconds (0: a moment), what, and how surely, where that is known."""

    start_s: float
    duration_s: float = 0.0
    value: Value = None
    confidence: float | None = None

    @property
    def end_s(self) -> float:
        """Until when."""
        return self.start_s + self.duration_s


@dataclass(frozen=True, slots=True)
class Layer:
    """Marks of one kind; `namespace` is JAMS's name of what the values mean, `source` the processor that heard them."""

    name: str
    namespace: str
    marks: Sequence[Mark]
    source: str = ""


def layers(heard: Heard) -> dict[str, Layer]:
    """The layers of an asset by name, in the order of `LAYERS`; those with no mark left out."""
    made = [
        Layer(name, namespace, tuple(marks), heard.found[kind].source)
        for kind, read in LAYERS.items()
        if kind in heard.found
        for name, namespace, marks in read(heard)
    ]
    return {layer.name: layer for layer in made if layer.marks}


def chosen(layers: Mapping[str, Layer], names: Sequence[str]) -> list[Layer]:
    """The layers of these names, all where none is named. Raises: NotFound, naming those there are."""
    for name in names:
        if name not in layers:
            there = f"there are {', '.join(layers)}" if layers else "nothing was heard in it yet"
            raise NotFound(f"there is no layer {name!r} of this asset; {there}", field="layers")
    return [layer for name, layer in layers.items() if not names or name in names]


Read = Iterator[tuple[str, str, Sequence[Mark]]]


def _beats(heard: Heard) -> Read:
    """Beats with their number in the bar, as far as bars were heard, and the tempo along the piece."""
    data = heard.data("beats")
    beats, sure, firsts = data["beats_s"], data["confidence"], set(data["downbeats"])
    numbers: list[int | None] = []
    for index in range(len(beats)):
        before = numbers[-1] if numbers else None
        numbers.append(1 if index in firsts else None if before is None else before + 1)
    yield "beats", "beat", [Mark(at, 0.0, number, sure) for at, number in zip(beats, numbers, strict=True)]
    curve = [*data["tempo_curve"], (heard.duration_s, 0.0)]
    yield "tempo", "tempo", [Mark(at, end - at, bpm, sure) for (at, bpm), (end, _) in pairwise(curve) if end > at]


def _onsets(heard: Heard) -> Read:
    arrays = heard.arrays("onsets", "onsets", "times_s", "strengths")
    pairs = zip(arrays["times_s"].tolist(), arrays["strengths"].tolist(), strict=True)
    yield "onsets", "onset", [Mark(at, confidence=strength) for at, strength in pairs]


def _key(heard: Heard) -> Read:
    data = heard.data("key")
    whole = {"start_s": 0.0, "end_s": heard.duration_s, "tonic": data["tonic"], "mode": data["mode"]}
    spans = data["spans"] or ([whole] if data["tonic"] is not None else [])
    sure = data["confidence"]
    yield "key", "key_mode", [_span(span, f"{span['tonic']}:{span['mode']}", sure) for span in spans]


def _chords(heard: Heard) -> Read:
    data = heard.data("chords")
    line = data["line"]
    told = zip(pairwise(line["boundaries_s"]), line["labels"], data["confidences"], strict=True)
    yield "chords", "chord", [Mark(start, end - start, label, sure) for (start, end), label, sure in told]


def _harmony(heard: Heard) -> Read:
    data = heard.data("harmony")
    spans = zip(pairwise(data["boundaries_s"]), data["numerals"], strict=True)
    sure = data["confidence"]
    yield "numerals", "tag_open", [Mark(start, end - start, told, sure) for (start, end), told in spans if told]
    cadences = data["cadences"]
    yield "cadences", "tag_open", [Mark(one["at_s"], 0.0, one["kind"], one["confidence"]) for one in cadences]


def _structure(heard: Heard) -> Read:
    """Sections by what they are to the piece, else by the letter of their music; phrases numbered."""
    data = heard.data("structure")
    sections = [_span(one, one["name"] or one["label"], one["confidence"]) for one in data["sections"]]
    yield "sections", "segment_open", sections
    phrases = enumerate(data["phrases"], 1)
    yield "phrases", "segment_open", [_span(one, str(number), one["confidence"]) for number, one in phrases]


def _melody(heard: Heard) -> Read:
    """The pitch where it sounds, every 10 ms (of long sounds fewer), and the notes that it goes by."""
    names = ("hz", "voicing", "note_start_s", "note_end_s", "note_pitch", "note_confidence")
    hz, voicing, *notes = heard.arrays("melody", "frames", *names).values()
    rate_hz, step = heard.data("melody")["frame_rate_hz"], 1 + len(hz) // MOST_POINTS
    sounding = np.flatnonzero((voicing >= 0.5) & (hz > 0))[::step]
    points = zip(sounding.tolist(), hz[sounding].tolist(), voicing[sounding].tolist(), strict=True)
    yield "melody", "pitch_contour", [Mark(at / rate_hz, 0.0, round(f0, 2), sure) for at, f0, sure in points]
    yield "melody_notes", "note_midi", _notes(*notes)


def _transcription(heard: Heard) -> Read:
    names = ("start_s", "end_s", "pitch", "confidence")
    yield "notes", "note_midi", _notes(*heard.arrays("transcription", "table", *names).values())


def _notes(start_s: np.ndarray, end_s: np.ndarray, pitch: np.ndarray, confidence: np.ndarray) -> list[Mark]:
    rows = zip(*(column.tolist() for column in (start_s, end_s, pitch, confidence)), strict=True)
    return [Mark(start, end - start, round(float(height), 2), round(sure, 3)) for start, end, height, sure in rows]


def _silence(heard: Heard) -> Read:
    stretches = heard.data("silence")["stretches_s"]
    yield "silence", "segment_open", [Mark(start, end - start, "silence") for start, end in stretches]


def _lyrics(heard: Heard) -> Read:
    """Lines that are timed, each from when to when it is sung."""
    lines = [line for line in heard.data("lyrics")["lines"] if line["start_s"] is not None]
    yield "lyrics", "lyrics", [Mark(line["start_s"], line["end_s"] - line["start_s"], line["text"]) for line in lines]


def _quality(heard: Heard) -> Read:
    faults = heard.data("quality")["faults"]
    yield "faults", "tag_open", [_span(fault, fault["kind"], fault["confidence"]) for fault in faults]


def _span(span: Json, value: Value, confidence: float) -> Mark:
    return Mark(span["start_s"], span["end_s"] - span["start_s"], value, confidence)


LAYERS: Mapping[str, Callable[[Heard], Read]] = {
    "beats": _beats,
    "onsets": _onsets,
    "key": _key,
    "chords": _chords,
    "harmony": _harmony,
    "structure": _structure,
    "melody": _melody,
    "transcription": _transcription,
    "silence": _silence,
    "quality": _quality,
    "lyrics": _lyrics,
}
"""Kind of analysis -> what of it lies along time, as (name, JAMS's namespace, marks)."""


def to_jams(document: Document, layers: Sequence[Layer]) -> str:
    """One JAMS document."""
    duration_s = document.get("facts", {}).get("duration_s") or 0.0
    tags = document["metadata"]
    return orjson.dumps(
        {
            "file_metadata": {
                "title": tags.get("tag:title") or document["name"],
                "artist": tags.get("tag:artist") or "",
                "release": tags.get("tag:album") or "",
                "duration": duration_s,
                "identifiers": {"disco_musica": document["id"]},
                "jams_version": JAMS_VERSION,
            },
            "annotations": [_annotation(layer, duration_s) for layer in layers],
            "sandbox": {},
        },
        option=orjson.OPT_INDENT_2,
    ).decode()


def _annotation(layer: Layer, duration_s: float) -> Json:
    return {
        "namespace": layer.namespace,
        "data": [
            {
                "time": mark.start_s,
                "duration": mark.duration_s,
                "value": _VALUES.get(layer.namespace, _as_is)(mark.value),
                "confidence": mark.confidence,
            }
            for mark in layer.marks
        ],
        "annotation_metadata": {
            "curator": {"name": "", "email": ""},
            "annotator": {},
            "version": layer.source.rpartition("/")[2],
            "corpus": "",
            "annotation_tools": f"Disco Musica{layer.source}",
            "annotation_rules": "",
            "validation": "",
            "data_source": "program",
        },
        "sandbox": {"layer": layer.name},
        "time": 0,
        "duration": duration_s,
    }


def _as_is(value: Value) -> Any:  # Any: JSON
    return value


def _contour(hz: Value) -> Json:
    return {"index": 0, "frequency": hz, "voiced": True}


_VALUES: Mapping[str, Callable[[Value], Any]] = {"pitch_contour": _contour}  # Any: JSON
"""How values are written where a namespace wants more than themselves."""


def to_csv(_: Document, layers: Sequence[Layer]) -> str:
    """One row a mark, with a head line; seconds."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("layer", "start_s", "end_s", "value", "confidence"))
    for layer in layers:
        for mark in layer.marks:
            writer.writerow((layer.name, _second(mark.start_s), _second(mark.end_s), mark.value, mark.confidence))
    return text.getvalue()


def to_audacity(_: Document, layers: Sequence[Layer]) -> str:
    """A label track: each label with its layer's name before it where there are several layers, in order of time."""
    rows = sorted(
        (mark.start_s, mark.end_s, _label(layer, mark, several=len(layers) > 1, number=number))
        for layer in layers
        for number, mark in enumerate(layer.marks, 1)
    )
    return "".join(f"{_second(start)}\t{_second(end)}\t{label}\n" for start, end, label in rows)


def _label(layer: Layer, mark: Mark, *, several: bool, number: int) -> str:
    value = str(number) if mark.value is None else str(mark.value)
    return f"{layer.name}: {value}" if several else value


def _second(value: float) -> str:
    return f"{value:.6f}"


FORMATS: Mapping[str, Callable[[Document, Sequence[Layer]], str]] = {
    "jams": to_jams,
    "csv": to_csv,
    "audacity": to_audacity,
}
"""Forms of annotations, and how each is written."""


def annotated(heard: Heard, format: str, names: Sequence[str] = ()) -> str:
    """The annotations of an asset, of all layers or of those named. Raises: NotFound."""
    return FORMATS[format](heard.document, chosen(layers(heard), names))
