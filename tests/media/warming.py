"""Import what workers are warmed with, analyse a sound, and say what was imported besides: `… warming FOLDER`."""

from __future__ import annotations

import importlib
import sys
from functools import partial
from pathlib import Path

from infra.wiring import WARM


def main() -> None:
    """Answer the import of FOLDER/a.wav by every processor."""
    for name in WARM:
        importlib.import_module(name)
    before = set(sys.modules)
    from domain import ids
    from domain.ids import ProjectId
    from domain.values import AudioFacts
    from events.envelope import encode
    from events.imports import AudioImported
    from infra.embedded.blobs import FolderBlobs
    from infra.tasks import Cause, answer, take_in
    from infra.wiring import CONSUMERS

    folder = Path(sys.argv[1])
    open_blobs = partial(FolderBlobs, folder / "blobs")
    taken = take_in(open_blobs, folder / "a.wav", "a.wav")
    assert isinstance(taken.probed.facts, AudioFacts)
    project = ids.project_id("p")
    event = AudioImported(
        asset_id=ids.asset_id(ProjectId(project), taken.content.sha256),
        project_id=project,
        container_id=project,
        name="a",
        file_name="a.wav",
        content=taken.content,
        facts=taken.probed.facts,
    )
    cause = Cause(event.TYPE, event.VERSION, encode(event), "here")
    answers = answer(open_blobs, CONSUMERS[event.TYPE], cause)
    assert not [item.fault for item in answers if item.fault]
    known = {name.partition(".")[0] for name in before} | set(sys.stdlib_module_names) | OWN
    late = {name.partition(".")[0] for name in set(sys.modules) - before}
    print("answered", len(answers), "imported", *sorted(late - known))


OWN = {"domain", "events", "infra", "processors", "tests"}

if __name__ == "__main__":
    main()
