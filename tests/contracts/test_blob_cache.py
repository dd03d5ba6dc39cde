"""The local copies of blobs: right, bounded, and safe with several processes."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from domain.errors import Corrupted
from infra import spool
from infra.server.blob_cache import HELD, BlobCache


def _fill(cache: BlobCache, data: bytes) -> Path:
    return cache.fill(hashlib.sha256(data).hexdigest(), len(data), [data])


def _total(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def test_the_least_recently_used_go_once_the_limit_is_passed(tmp_path: Path) -> None:
    """Given room for three, when six come and the first is used again and again, then it and the newest are there."""
    contents = [bytes([number]) * 100 for number in range(6)]
    names = [hashlib.sha256(content).hexdigest() for content in contents]
    for content in contents:
        _fill(BlobCache(tmp_path, 300), content)
        time.sleep(0.01)  # last use is told by the file system's clock
        assert BlobCache(tmp_path, 300).path(names[0]) is not None
        assert _total(tmp_path) <= 300
        time.sleep(0.01)
    there = [name for name in names if BlobCache(tmp_path, 300).path(name) is not None]
    assert there == [names[0], names[4], names[5]]


def test_what_a_holder_was_given_stays_until_it_is_done(tmp_path: Path) -> None:
    """Given a file another process was given, when more comes than fits, then it stays till that process is gone."""
    name = hashlib.sha256(b"a" * 100).hexdigest()
    code = (
        "import sys; from pathlib import Path; from infra.server.blob_cache import BlobCache;"
        "cache = BlobCache(Path(sys.argv[1]), 250); print(cache.fill(sys.argv[2], 100, [b'a' * 100]), flush=True);"
        "sys.stdin.read()"
    )
    command = [sys.executable, "-c", code, str(tmp_path), name]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        path = Path(child.stdout.readline().strip())
        for number in range(10):
            _fill(BlobCache(tmp_path, 250), b"%100d" % number)
        assert path.read_bytes() == b"a" * 100
        child.kill()
    for number in range(3):
        _fill(BlobCache(tmp_path, 250), b"%100d" % (20 + number))
    assert not path.exists()


def test_one_that_is_larger_than_the_limit_is_still_given(tmp_path: Path) -> None:
    """Given a limit of 10 bytes, then a blob of 1,000 is there while it is held, and goes for the next."""
    cache = BlobCache(tmp_path, 10)
    large = _fill(cache, b"x" * 1000)
    assert large.read_bytes() == b"x" * 1000
    del cache
    _fill(BlobCache(tmp_path, 10), b"y")
    assert not large.exists()


def test_what_hashes_to_something_else_is_not_taken_in(tmp_path: Path) -> None:
    """Given content that is not its name's, then Corrupted, and nothing of it is left."""
    cache, name = BlobCache(tmp_path, 1000), hashlib.sha256(b"right").hexdigest()
    with pytest.raises(Corrupted, match=name):
        cache.fill(name, 5, [b"wr", b"ong"])
    assert cache.path(name) is None
    assert _total(tmp_path) == 0


def test_a_handle_lets_go_of_what_it_was_asked_for_long_ago(tmp_path: Path) -> None:
    """Given one handle that is asked for many files, then it keeps no more of them open than it says."""
    cache = BlobCache(tmp_path, 0)
    before = len(os.listdir("/proc/self/fd"))
    for number in range(3 * HELD):
        _fill(cache, b"%d" % number)
    assert len(os.listdir("/proc/self/fd")) - before <= HELD
    assert sum(len(path.name) == 64 for path in tmp_path.rglob("*")) <= HELD + 1


HAMMER = """
import hashlib, random, sys
from pathlib import Path
from infra.server.blob_cache import BlobCache
random.seed(sys.argv[2])
contents = [bytes([number]) * 1000 for number in range(12)]
for _ in range(300):
    cache, data = BlobCache(Path(sys.argv[1]), 4000), random.choice(contents)
    name = hashlib.sha256(data).hexdigest()
    path = cache.path(name) or cache.fill(name, len(data), [data[:500], data[500:]])
    assert path.read_bytes() == data
print("right")
"""


def test_processes_that_fill_and_clear_it_at_once_always_read_what_they_asked_for(tmp_path: Path) -> None:
    """Given four processes over a cache that holds a third of what they want, then every read is whole and right."""
    command = [sys.executable, "-c", HAMMER, str(tmp_path)]
    children = [
        subprocess.Popen([*command, str(seed)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for seed in range(4)
    ]
    ends = [child.communicate(timeout=120) for child in children]
    assert [out.strip() for out, _ in ends] == ["right"] * 4, ends
    BlobCache(tmp_path, 4000).make_room(0)
    assert _total(tmp_path) <= 4000


def test_half_a_copy_of_days_ago_is_swept_and_one_under_way_is_not(tmp_path: Path) -> None:
    """Given what a killed process left and what another writes now, when room is made, then only the old one goes."""
    cache = BlobCache(tmp_path, 1000)
    old, fresh = tmp_path / f"{spool.INCOMING}old", tmp_path / f"{spool.INCOMING}fresh"
    for half in (old, fresh):
        half.write_bytes(b"half")
    os.utime(old, (0, 0))
    cache.make_room(0)
    assert (old.exists(), fresh.exists()) == (False, True)
