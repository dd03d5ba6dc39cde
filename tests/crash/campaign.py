"""A service killed again and again: `python -m tests.crash.campaign HOME KILLS SEED PROCESSORS SHORTEST_S LONGEST_S`.

Each cycle forks a child that imports, changes and rebuilds at random until kill -9; what the child was told is done it
writes to a pipe first. At the end a last child settles, and says as JSON what is in the log and in the views.
Forking from a process that has imported everything, and started nothing, makes a cycle as quick as opening the file.
"""

from __future__ import annotations

import io
import json
import os
import random
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mido
import numpy as np
import soundfile

from domain import ids
from domain.access import Actor
from domain.commands import Command, CreateProject, CreateTrack, DescribeResource, RenameResource, TagResource
from domain.errors import Conflict, NotFound
from domain.service import Failure
from events.analyses import Analysis
from infra.disco import Disco, open_disco
from infra.embedded.views import VIEWS
from infra.settings import Settings
from tests.crash import cheap

ADA = Actor(name="ada")
FILES = 60
PROJECTS = ("one", "two")


def make_files(folder: Path) -> None:
    """Short audio and MIDI files, and one that is neither."""
    folder.mkdir()
    generator = np.random.default_rng(1)
    for number in range(FILES):
        if number % 5 == 4:
            (folder / f"{number:03}.mid").write_bytes(midi(40 + number))
        else:
            soundfile.write(folder / f"{number:03}.wav", generator.uniform(-0.5, 0.5, 400), 44_100)
    (folder / "bad.wav").write_bytes(b"RIFF but no music")


def midi(pitch: int) -> bytes:
    """A file with one note."""
    file, track, out = mido.MidiFile(type=0), mido.MidiTrack(), io.BytesIO()
    track += [mido.Message("note_on", note=pitch), mido.Message("note_off", note=pitch, time=480)]
    file.tracks.append(track)
    file.save(file=out)
    return out.getvalue()


class Life:
    """One child: does things in several threads until it is killed."""

    def __init__(self, disco: Disco, files: list[Path], seed: int, pipe: int) -> None:
        self.disco = disco
        self.files = files
        self.seed = seed
        self.pipe = pipe
        self.number = 0

    def acknowledge(self, **what: Any) -> None:  # Any: JSON
        """Say that something is done; one write of a short line is whole or not there."""
        os.write(self.pipe, json.dumps(what).encode() + b"\n")

    def run(self) -> None:
        """Do things for ever."""
        steps: tuple[Callable[[random.Random], None], ...] = (self.bring, self.change, self.rebuild)
        for index, step in enumerate(steps):
            threading.Thread(
                target=self._repeat, args=(step, random.Random(self.seed * 3 + index)), daemon=True
            ).start()
        time.sleep(600)

    def _repeat(self, step: Callable[[random.Random], None], chance: random.Random) -> None:
        while True:
            step(chance)

    def bring(self, chance: random.Random) -> None:
        """Import some files."""
        project = chance.choice(PROJECTS)
        some = chance.sample(self.files, 3)

        def on_file(result: Any, done: int, total: int) -> None:  # Any: Imported or Failure
            if isinstance(result, Failure):
                self.acknowledge(failed=Path(result.path).name, code=result.code)
            else:
                self.acknowledge(asset=result.asset_id)

        self.disco.import_paths(some, actor=ADA, project=project, on_file=on_file)

    def change(self, chance: random.Random) -> None:
        """Send a command with an id of its own."""
        self.number += 1
        command_id = f"{self.seed}-{self.number}"
        try:
            done = self.disco.execute(self._command(chance), actor=ADA, command_id=command_id)
        except (NotFound, Conflict):
            return
        if done.types:
            self.acknowledge(command=command_id, position=done.token.position, project=done.token.project)
        time.sleep(chance.random() * 0.01)

    def _command(self, chance: random.Random) -> Command:
        if chance.random() < 0.2:
            return CreateProject(name=chance.choice(PROJECTS))
        project = ids.project_id(chance.choice(PROJECTS))
        number = chance.randrange(10)
        return chance.choice(
            (
                CreateTrack(project_id=project, name=f"track {self.seed} {self.number}"),
                RenameResource(resource_id=project, name=f"name {number} {self.seed}"),
                TagResource(resource_id=project, add=(f"t{number}",), remove=(f"t{number - 1}",)),
                DescribeResource(resource_id=project, changes={f"k{number}": self.seed}),
            )
        )

    def rebuild(self, chance: random.Random) -> None:
        """Build a view or two anew."""
        time.sleep(chance.random() * 0.1)
        names = chance.sample([view.name for view in VIEWS], chance.choice((1, 2, len(VIEWS))))
        self.disco.rebuild(names)
        self.acknowledge(rebuilt=names)


def open_for(home: Path) -> Disco:
    """The service as every child opens it."""
    return open_disco(Settings(home=home / "data", workers=2))


def child(home: Path, seed: int, pipe: int) -> None:
    """Live until killed."""
    disco = open_for(home)
    os.write(pipe, b'{"opened": true}\n')
    Life(disco, sorted((home / "files").iterdir()), seed, pipe).run()


def fork(work: Callable[[int], None]) -> tuple[int, int]:
    """Run in a child that inherits nothing but what is imported; returns its pid and where it can be heard."""
    hear, say = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(hear)
        try:
            work(say)
        except BaseException as error:
            os.write(say, json.dumps({"error": repr(error)}).encode() + b"\n")
        finally:
            os._exit(0)
    os.close(say)
    return pid, hear


def wait_for(word: bytes, pipe: int) -> bytes:
    """Hear until this is said, so that a slow machine is not always killed before it has done anything."""
    said = b""
    while word not in said and (more := os.read(pipe, 65536)):
        said += more
    return said


def heard(pipe: int, before: bytes = b"") -> list[dict[str, Any]]:
    """Everything that was said, whole lines only."""
    with open(pipe, "rb") as said:
        return [json.loads(line) for line in (before + said.read()).split(b"\n")[:-1]]


def judge(home: Path, say: int) -> None:
    """Settle, and tell what there is."""
    disco = open_for(home)
    settled = disco.settle(120)
    live = disco.views.digests()
    differences = [repr(difference) for difference in disco.differences()]
    events = disco.log.read(0, limit=1_000_000)
    disco.rebuild()
    findings = Counter((event.subject, event.data.KIND) for event in events if isinstance(event.data, Analysis))
    assets = {event.subject for event in events if event.type.endswith(("imported", "rendered"))}
    told = {
        "settled": settled,
        "differences": differences,
        "digests_equal": live == disco.views.digests(),
        "ids": [event.id for event in events],
        "positions_whole": [event.position for event in events] == list(range(1, len(events) + 1)),
        "commands": sorted({event.id for event in events if event.source.startswith("/commands")}),
        "assets": sorted(assets),
        "findings": [[*key, times] for key, times in findings.items()],
        "failures": [[e.data.resource_id, e.data.processor] for e in events if e.type == "disco.processing.failed"],
        "added": [event.subject for event in events if event.type in ("disco.audio.imported", "disco.midi.imported")],
        "letters": len(disco.views.dead_letters.page(first=10_000)[0]),
        "blobs_missing": [
            event.subject
            for event in events
            if (content := getattr(event.data, "content", None)) is not None and not disco.blobs.has(content.sha256)
        ],
        "imported": sorted({e.subject for e in events if e.type == "disco.audio.imported"}),
        "rendered": sorted({e.subject for e in events if e.type == "disco.audio.rendered"}),
        "notes": sorted({e.subject for e in events if e.type == "disco.midi.imported"}),
    }
    disco.close()
    (home / "verdict.json").write_text(json.dumps(told))


def main() -> None:
    """Kill so many times, then judge."""
    home, kills, seed = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    if sys.argv[4] == "cheap":
        cheap.install()
    shortest_s, longest_s = float(sys.argv[5]), float(sys.argv[6])
    chance = random.Random(seed)
    make_files(home / "files")
    said: list[dict[str, Any]] = []
    for cycle in range(kills):
        pid, pipe = fork(lambda say, cycle=cycle: child(home, seed * 1000 + cycle, say))
        before = wait_for(b'"asset"', pipe) if cycle % 5 == 0 else b""
        time.sleep(shortest_s + chance.random() ** 2 * (longest_s - shortest_s))
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        said += heard(pipe, before)
    pid, pipe = fork(lambda say: judge(home, say))
    os.waitpid(pid, 0)
    said += heard(pipe)
    (home / "said.json").write_text(json.dumps(said))


if __name__ == "__main__":
    main()
