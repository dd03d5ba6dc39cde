"""What was heard in a recording, drawn: one function a picture, over the findings and their blobs; PNG or SVG.

The same findings give the same bytes.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import numpy as np

from api.annotations import Layer, Value, layers
from api.heard import Heard
from domain.errors import NotFound
from domain.ids import ResourceId
from domain.service import Service
from domain.views import NOW, AsOf

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FORMATS: Mapping[str, str] = {"png": "image/png", "svg": "image/svg+xml"}
WIDTH_IN, ROW_IN, DPI = 12.0, 2.6, 110
SQUARE_IN, BAND_IN = 9.6, 0.18
MOST_BINS = 4_000
MOST_FRAMES = 2_000
MOST_LABELS = 120
MOST_LINES = 128
NOTE_NAMES = ("C", "C♯", "D", "E♭", "E", "F", "F♯", "G", "A♭", "A", "B♭", "B")
_INK, _SOFT, _STRONG, _BLACK = "#33506b", "#9fb4c7", "#c8553d", "#111111"
_KINDS = ("#3b6a93", "#b5533c", "#5f8a4b", "#8a5a9e", "#b08830", "#4a8f8f", "#9c4a6b", "#6b6b6b")
_LEAST_SHARE = 0.01
"""What share of the width a letter takes."""


def waveform(heard: Heard, figure: Figure) -> None:
    """The wave of every channel with beats (downbeats strong), and chords and sections where there are any."""
    data = heard.data("waveform")
    arrays = heard.arrays("waveform", "pyramid", *(f"level_{number}" for number in range(data["levels"])))
    levels = list(arrays.values())
    number = next((number for number, level in enumerate(levels) if level.shape[1] <= MOST_BINS), len(levels) - 1)
    wave = levels[number].astype(np.float64) / 32768
    bin_s = data["samples_per_bin"] * 2**number / heard.document["facts"]["rate_hz"]
    at = np.minimum((np.arange(wave.shape[1]) + 0.5) * bin_s, heard.duration_s)
    found = layers(heard)
    for axes, channel in zip(_rows(figure, len(wave)), wave, strict=True):
        axes.fill_between(at, channel[:, 0], channel[:, 1], color=_INK, linewidth=0)
        axes.set(ylim=(-1.05, 1.05), xlim=(0, heard.duration_s), ylabel="full scale")
        _beats(axes, found)
    if "sections" in found:
        _sections(figure, found["sections"], heard.duration_s, colour=_BLACK)
    else:
        _labels(figure.axes[0], found.get("chords"))
    figure.axes[-1].set_xlabel("seconds")


def chroma(heard: Heard, figure: Figure) -> None:
    """How strongly each pitch class sounds, with the chords on top."""
    frames = heard.arrays("features", "frames", "chroma")["chroma"]
    shown = _thinned(frames)
    (axes,) = _rows(figure, 1, height_in=4.0)
    end_s = len(frames) / heard.data("features")["frame_rate_hz"]
    axes.imshow(
        shown.T, aspect="auto", origin="lower", extent=(0, end_s, -0.5, 11.5), cmap="magma", interpolation="nearest"
    )
    axes.set(xlabel="seconds", ylabel="pitch class", yticks=range(12), yticklabels=NOTE_NAMES)
    _labels(axes, layers(heard).get("chords"))


def loudness(heard: Heard, figure: Figure) -> None:
    """Momentary and short-term loudness, with the integrated loudness as a line."""
    data, curves = heard.data("loudness"), heard.arrays("loudness", "curves", "momentary_lufs", "short_term_lufs")
    (axes,) = _rows(figure, 1, height_in=3.6)
    for name, window_s, colour in (("momentary", 0.4, _SOFT), ("short_term", 3.0, _INK)):
        values = curves[f"{name}_lufs"]
        at = window_s + np.arange(len(values)) / data["curves_rate_hz"]
        axes.plot(at, np.where(values > -100, values, np.nan), color=colour, linewidth=1, label=name.replace("_", "-"))
    if data["integrated_lufs"] is not None:
        told = f"integrated {data['integrated_lufs']:.1f} LUFS"
        axes.axhline(data["integrated_lufs"], color=_STRONG, linewidth=1, label=told)
    axes.set(xlabel="seconds", ylabel="LUFS", xlim=(0, max(heard.duration_s, 1e-3)))
    figure.legend(loc="outside lower center", ncols=3, frameon=False)


def structure(heard: Heard, figure: Figure) -> None:
    """How alike every moment is to every other, by timbre and pitch classes; sections where they are known."""
    frames = heard.arrays("features", "frames", "mfcc", "chroma")
    joined = [_thinned(part, 600) for part in frames.values()]
    scaled = [(part - part.mean(axis=0)) / (part.std(axis=0) + 1e-9) for part in joined]
    points = np.concatenate(scaled, axis=1)
    points /= np.linalg.norm(points, axis=1, keepdims=True) + 1e-9
    end_s = len(frames["mfcc"]) / heard.data("features")["frame_rate_hz"]
    (axes,) = _rows(figure, 1)
    figure.set_size_inches(SQUARE_IN, SQUARE_IN + 0.3)
    axes.imshow(points @ points.T, origin="lower", extent=(0, end_s, 0, end_s), cmap="viridis", vmin=-0.2, vmax=1)
    axes.set(xlabel="seconds", ylabel="seconds")
    sections = layers(heard).get("sections")
    if sections is None:
        return
    for mark in sections.marks[1:]:
        axes.axhline(mark.start_s, color="white", linewidth=1.2)
    _sections(figure, sections, end_s, colour="white")


def melody(heard: Heard, figure: Figure) -> None:
    """The pitch of the voice or tune as a line, over the notes that were written down, the surer the darker."""
    from matplotlib.collections import LineCollection

    hz, voicing = heard.arrays("melody", "frames", "hz", "voicing").values()
    (axes,) = _rows(figure, 1, height_in=4.5)
    notes = layers(heard).get("notes")
    for_notes = notes.marks if notes else ()
    spans = [(mark.start_s, mark.end_s, mark.value) for mark in for_notes if isinstance(mark.value, float)]
    bars = [np.array([(start_s, pitch), (end_s, pitch)]) for start_s, end_s, pitch in spans]
    shades = [0.15 + 0.6 * (mark.confidence or 0.0) for mark in for_notes]
    axes.add_collection(LineCollection(bars, colors=_SOFT, alpha=shades or None, linewidths=4.0, capstyle="butt"))
    step = 1 + len(hz) // (10 * MOST_FRAMES)
    line = np.where((voicing >= 0.5) & (hz > 0), 69 + 12 * np.log2(np.maximum(hz, 1.0) / 440), np.nan)[::step]
    axes.plot(np.arange(len(line)) * step / heard.data("melody")["frame_rate_hz"], line, color=_STRONG, linewidth=1.1)
    axes.autoscale_view()
    low, high = axes.get_ylim()
    octaves = np.arange(12 * int(np.ceil(low / 12)), high, 12)
    axes.set(xlabel="seconds", ylabel="pitch", xlim=(0, max(heard.duration_s, 1e-3)), ylim=(low, high))
    axes.set_yticks(octaves, [f"C{round(pitch / 12) - 1}" for pitch in octaves])
    axes.grid(axis="y", linewidth=0.4, color=_SOFT)


Draw = Callable[[Heard, "Figure"], None]
PLOTS: Mapping[str, Draw] = {plot.__name__: plot for plot in (waveform, chroma, loudness, structure, melody)}
"""What can be drawn, by name."""


def plotted(service: Service, id: ResourceId, name: str, format: str, *, moment: AsOf = NOW) -> bytes:
    """One picture of an asset. Raises: NotFound, for an unknown one, and where what it draws was not found (yet)."""
    for known, what, said in ((PLOTS, "plot", name), (FORMATS, "form of plots", format)):
        if said not in known:
            raise NotFound(f"there is no {what} {said!r}; there are {', '.join(known)}", field="plot")
    return drawn(Heard.of(service, id, moment), name, format)


def drawn(heard: Heard, name: str, format: str) -> bytes:
    """One picture as bytes. Raises: NotFound, where what it draws was not found (yet)."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context({"svg.hashsalt": heard.document["id"], "svg.fonttype": "none", "font.size": 9}):
        figure = Figure(dpi=DPI, layout="constrained")
        PLOTS[name](heard, figure)
        figure.suptitle(f"{heard.document['name']}: {name}", fontsize=11)
        written = io.BytesIO()
        metadata = {"Date": None} if format == "svg" else {"Software": "Disco Musica"}
        figure.savefig(written, format=format, metadata=metadata)
    return written.getvalue()


def _rows(figure: Figure, count: int, height_in: float = 0.0) -> list[Axes]:
    figure.set_size_inches(WIDTH_IN, max(height_in, 0.6 + ROW_IN * count / (1 + 0.25 * (count - 1))))
    return list(figure.subplots(count, 1, sharex=True, squeeze=False)[:, 0])


def _beats(axes: Axes, found: Mapping[str, Layer]) -> None:
    """Lines behind the wave at beats, the first of a bar strong; firsts alone, or none, where they would be a wall."""
    beats = found["beats"].marks if "beats" in found else ()
    firsts = [mark for mark in beats if mark.value == 1]
    shown = next((some for some in (beats, firsts) if len(some) <= MOST_LINES), ())
    for mark in shown:
        strong = mark.value == 1 and shown is not firsts
        axes.axvline(mark.start_s, color=_STRONG, linewidth=1.4 if strong else 0.7, alpha=0.8, zorder=0)


def _labels(axes: Axes, layer: Layer | None) -> None:
    """The values of a layer above the axes, where there is room for them."""
    if layer is None or len(layer.marks) > MOST_LABELS:
        return
    for mark in layer.marks:
        axes.annotate(
            str(mark.value),
            (mark.start_s, 1.0),
            xycoords=("data", "axes fraction"),
            xytext=(1, 2),
            textcoords="offset points",
            fontsize=7,
            rotation=45 if len(layer.marks) > 16 else 0,
            annotation_clip=False,
        )


def _sections(figure: Figure, layer: Layer, end_s: float, *, colour: str) -> None:
    """A band over the first of the axes, in a colour a kind of section, and lines where sections begin."""
    rows = figure.axes
    top, high = rows[0], BAND_IN * len(rows) / (0.85 * figure.get_figheight())
    colours = {value: _KINDS[number % len(_KINDS)] for number, value in enumerate(_values(layer))}
    for mark in layer.marks:
        kind = colours[mark.value]
        top.axvspan(mark.start_s, mark.end_s, 1.0, 1.0 + high, clip_on=False, fc=kind, ec="white", linewidth=0.6)
        for axes in rows if mark.start_s > 0 else ():
            axes.axvline(mark.start_s, color=colour, linewidth=1.2)
        if mark.duration_s > end_s * _LEAST_SHARE * len(str(mark.value)):
            middle_s = (mark.start_s + mark.end_s) / 2
            top.text(
                middle_s, 1.0 + high / 2, str(mark.value), transform=top.get_xaxis_transform(),
                ha="center", va="center_baseline", fontsize=8, color="white",
            )  # fmt: skip


def _values(layer: Layer) -> list[Value]:
    return list(dict.fromkeys(mark.value for mark in layer.marks))


def _thinned(frames: np.ndarray, most: int = MOST_FRAMES) -> np.ndarray:
    """Means of runs of frames, so that at most so many are left; shape (frames, values)."""
    step = -(-len(frames) // most)
    starts = np.arange(0, len(frames), step)
    lengths = np.diff(np.append(starts, len(frames)))
    means: np.ndarray = np.add.reduceat(frames.astype(np.float64), starts, axis=0) / lengths[:, None]
    return means
