"""Values as people read them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console


def time_text(time_us: int) -> str:
    """A time in the zone of whoever reads, to the second."""
    return datetime.fromtimestamp(time_us / 1e6, UTC).astimezone().strftime("%Y-%m-%d %H:%M:%S")


def seconds_text(duration_s: float | None) -> str:
    """A length as minutes and seconds; nothing for none."""
    if duration_s is None:
        return ""
    minutes, seconds = divmod(duration_s, 60)
    return f"{int(minutes)}:{seconds:04.1f}"


def one_line(value: object) -> str:
    """A JSON value on one line, without the quotes and braces that people can do without."""
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {one_line(item)}" for key, item in value.items())
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return ", ".join(one_line(item) for item in value)
    return "none" if value is None else " ".join(str(value).split())


def table(console: Console, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print a table; numbers stand to the right."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    listed = [[Text(one_line(cell)) for cell in row] for row in rows]
    drawn = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for at, column in enumerate(columns):
        cells = [str(row[at]) for row in listed]
        numbers = bool(cells) and all(cell.replace(".", "").replace("-", "").isdecimal() for cell in cells)
        drawn.add_column(column, justify="right" if numbers else "left", overflow="fold")
    for row in listed:
        drawn.add_row(*row)
    console.print(drawn if listed else "nothing")
