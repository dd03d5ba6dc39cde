"""Another process on the same folder: `python -m tests.features.another HOME VERB…`; says on a line what happens.

hold: run until told to stop; says when it leads. append PROJECT COUNT: create a project and rename it so many times,
each time with the moment it was acknowledged. listen: say of whose work, of which job, progress is heard.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from domain.access import Actor
from domain.commands import CreateProject, RenameResource
from infra.disco import Disco, open_disco
from infra.settings import Settings
from tests.crash import cheap

ADA = Actor(name="ada")


def _hold(disco: Disco) -> None:
    while not disco._runner.leads:
        time.sleep(0.01)
    print("leads", flush=True)
    sys.stdin.read()


def _append(disco: Disco, name: str, count: int) -> None:
    project = disco.execute(CreateProject(name=name), actor=ADA).resource_id
    for number in range(count):
        done = disco.execute(RenameResource(resource_id=project, name=f"{name} {number}"), actor=ADA)
        assert done.token is not None
        print(done.token.position, time.time_ns(), flush=True)
        time.sleep(0.02)


def _listen(disco: Disco) -> None:
    disco.on_progress(lambda progress: print(progress.resource_id, progress.job, progress.done, flush=True))
    print("listens", flush=True)
    sys.stdin.read()


def main() -> None:
    """Open the folder and do as told."""
    cheap.install()
    with open_disco(Settings(home=Path(sys.argv[1]), workers=1)) as disco:
        if sys.argv[2] == "hold":
            _hold(disco)
        elif sys.argv[2] == "listen":
            _listen(disco)
        else:
            _append(disco, sys.argv[3], int(sys.argv[4]))


if __name__ == "__main__":
    main()
