"""The table in docs/analysis.md, between its markers, and the file of figures that a check compares with."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from benchmarks.hearing.measuring import Run, Table, fallen, mean_and_noise
from benchmarks.hearing.others import OTHERS_MEAN, OTHERS_TARGETS
from benchmarks.hearing.tasks import TASKS

PAGE = Path(__file__).parents[2] / "docs" / "analysis.md"
KEPT = Path(__file__).with_name("figures.json")
BEGIN, END = "<!-- figures -->", "<!-- end of figures -->"
LEAST_FALL = 0.002


def meaning(measure: str) -> str:
    """Return what a measure tells, with the kind of items it is about."""
    if measure in OTHERS_MEAN:
        return OTHERS_MEAN[measure]
    task, name, *kind = measure.split(".")
    told = next(one.means[name] for one in TASKS if one.name == task)
    return told + (f"; {kind[0]} alone" if kind else "")


def target(measure: str) -> float | None:
    """Return what a measure should reach, None where nothing was asked."""
    if measure in OTHERS_TARGETS:
        return OTHERS_TARGETS[measure]
    task, name = measure.split(".", 1)
    return next((one.targets.get(name) for one in TASKS if one.name == task), None)


def table(ours: Run, peers: dict[str, Run]) -> str:
    """Return the figures as a Markdown table, a measure a row."""
    held = sorted(set(ours.table) | {name for peer in peers.values() for name in peer.table}, key=_order)
    head = ["measure", "what it is", "ours", "± noise", "should be", *peers]
    lines = ["| " + " | ".join(head) + " |", "| --- | --- | ---: | ---: | ---: " + "| ---: " * len(peers) + "|"]
    for name in held:
        aim = target(name)
        cells = [f"`{name}`", meaning(name), *_cells(ours.table, name), f"≥ {aim:.3g}" if aim is not None else ""]
        lines.append("| " + " | ".join([*cells, *(_cells(peer.table, name)[0] for peer in peers.values())]) + " |")
    return "\n".join(lines) + "\n"


def _cells(held: Table, name: str) -> tuple[str, str]:
    if name not in held:
        return "", ""
    mean, noise = mean_and_noise(held[name])
    return f"{mean:.3f}", f"{noise:.3f}" if len(held[name]) > 1 else "one piece"


def _order(name: str) -> tuple[int, str]:
    names = [task.name for task in TASKS]
    task = name.split(".")[0]
    return (names.index(task) if task in names else len(names), name)


def write_page(text: str, page: Path = PAGE) -> None:
    """Put text between the markers, at the end of the page where there are none."""
    whole = page.read_text(encoding="utf-8") if page.exists() else "# What is heard\n"
    if BEGIN not in whole or END not in whole:
        whole = f"{whole.rstrip()}\n\n## Figures\n\n{BEGIN}\n{END}\n"
    before, rest = whole.split(BEGIN, 1)
    behind = rest.split(END, 1)[1]
    page.write_text(f"{before}{BEGIN}\n{text}{END}{behind}", encoding="utf-8")


def to_json(ours: Run, split: str) -> dict[str, Any]:  # Any: JSON
    """Return figures with mean, noise and each item's score."""
    figures = {}
    for name in sorted(ours.table, key=_order):
        mean, noise = mean_and_noise(ours.table[name])
        items = dict(sorted(ours.table[name].items()))
        figures[name] = {"mean": round(mean, 4), "noise": round(noise, 4), "items": items}
    return {"split": split, "figures": figures}


def write_kept(ours: Run, split: str, path: Path = KEPT) -> None:
    """Write the figures; those that were not measured now stay as they were."""
    now = to_json(ours, split)
    if path.exists():
        before = json.loads(path.read_text(encoding="utf-8"))
        if before.get("split") == split:
            now["figures"] = before["figures"] | now["figures"]
    lines = [f"{json.dumps(name)}: {json.dumps(figure)}" for name, figure in sorted(now["figures"].items())]
    path.write_text(f'{{"split": "{split}", "figures": {{\n' + ",\n".join(lines) + "\n}}\n", encoding="utf-8")


def complaints(ours: Run, split: str, path: Path = KEPT) -> list[str]:
    """Return the figures that fell by more than twice the noise of their fall, told in words."""
    if not path.exists():
        return [f"there is no {path.name} to compare with; --write makes it"]
    kept = json.loads(path.read_text(encoding="utf-8"))
    if kept["split"] != split:
        return [f"{path.name} is about the split {kept['split']}, not {split}"]
    found = []
    for name, scores in ours.table.items():
        before = kept["figures"].get(name)
        if before is None:
            continue
        fall, noise = fallen(before["items"], scores)
        if fall > max(LEAST_FALL, 2 * noise):
            found.append(f"{name} fell by {fall:.3f} ± {noise:.3f} to {mean_and_noise(scores)[0]:.3f}")
    return found
