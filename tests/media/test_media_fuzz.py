"""Whatever is done to a file's bytes, reading it ends, in success or an error of ours, and crashes nothing."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from infra.pool import WorkerPool
from tests.media import making
from tests.media import pool_tasks as tasks
from tests.media.making import melody, midi_bytes, mxl_bytes, tone, write

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "60"))
TIMEOUT_S = 20.0
OUTCOMES = {"read", "malformed", "limit_exceeded", "unsupported"}
NAMES = (
    "a.wav",
    "f.wav",
    "a.aiff",
    "a.flac",
    "a.ogg",
    "a.opus",
    "a.mp3",
    "a.mid",
    "a.musicxml",
    "a.mxl",
    "a.m4a",
    "a.aac",
)
Edit = tuple[str, float, float, bytes]


def good(folder: Path, name: str) -> bytes:
    """A short good file."""
    path, sound = folder / f"good-{name}", tone(0.3)
    if name == "a.mid":
        return midi_bytes(1, [melody(tempo_us=400_000), melody()])
    if name == "a.musicxml":
        return making.SCORE.encode()
    if name == "a.mxl":
        return mxl_bytes(making.SCORE)
    if name in ("a.m4a", "a.aac"):
        if making.FFMPEG is None:
            pytest.skip("ffmpeg is not installed, so no AAC can be made or read")
        return making.convert(write(folder / "good.wav", sound), path).read_bytes()
    if name == "a.opus":
        return write(path, sound, 48000, format="OGG", subtype="OPUS").read_bytes()
    how: dict[str, Any] = {"subtype": "FLOAT"} if name == "f.wav" else {}  # Any: what soundfile takes
    return write(path, sound, **how).read_bytes()


def edited(data: bytes, edits: list[Edit]) -> bytes:
    """Cut, flip, overwrite and repeat; places are shares of the length, most of them near the start."""
    out = bytearray(data)
    for kind, place, share, raw in edits:
        at = int(place**3 * len(out))
        if kind == "cut":
            del out[at:]
        elif kind == "flip":
            out[at : at + 1] = bytes([out[at] ^ raw[0]]) if at < len(out) else b""
        elif kind == "write":
            out[at : at + len(raw)] = raw
        elif kind == "drop":
            del out[at : at + 1 + int(share * 64)]
        else:
            out[at:at] = out[at : at + 1 + int(share * 4096)]
    return bytes(out)


SHARES = st.floats(0, 1, exclude_max=True)
NUMBERS = st.sampled_from(
    [b"\0", b"\xff", b"\0" * 4, b"\xff" * 4, b"\x7f\xff\xff\xff", b"\xff\xff\xff\x7f", b"\x80" * 8]
)
EDITS = st.lists(
    st.tuples(
        st.sampled_from(["flip", "flip", "write", "cut", "drop", "repeat"]),
        SHARES,
        SHARES,
        st.one_of(NUMBERS, st.binary(min_size=1, max_size=8)),
    ),
    min_size=1,
    max_size=6,
)


@pytest.fixture(scope="module")
def pool() -> Iterator[WorkerPool]:
    """One child with little memory, so that a header cannot ask for much."""
    with WorkerPool(1, memory_bytes=1 << 30) as pool:
        yield pool


@pytest.mark.parametrize("name", NAMES)
def test_no_damage_does_more_than_an_error(tmp_path: Path, pool: WorkerPool, name: str) -> None:
    """Given bytes flipped, cut, repeated and overwritten, then reading is success or one of our errors."""
    data = good(tmp_path, name)
    slow = name in ("a.m4a", "a.aac")

    @settings(
        max_examples=EXAMPLES // 4 if slow else EXAMPLES,
        deadline=None,
        derandomize="FUZZ_EXAMPLES" not in os.environ,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(EDITS)
    def check(edits: list[Edit]) -> None:
        path = tmp_path / name
        path.write_bytes(edited(data, edits))
        assert pool.submit(tasks.read_outcome, str(path), timeout_s=TIMEOUT_S).result(60) in OUTCOMES

    path = tmp_path / name
    path.write_bytes(data)
    assert pool.submit(tasks.read_outcome, str(path)).result(60) == "read"
    check()
