"""What a worker makes of one event: one decode for all processors, progress, and faults that are told."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path

import numpy as np
import pytest

import infra.tasks
from api.cli.failures import status_of
from domain.errors import Unanalysable
from domain.ids import asset_id, project_id
from domain.values import AudioFacts
from events.envelope import encode
from events.imports import AudioImported
from infra.embedded.blobs import FolderBlobs
from infra.tasks import Cause, allowance_s, answer, fault_of
from processors.audio.signal import Signal
from processors.media.decode import decode_audio
from processors.media.probe import probe
from tests.media.making import tone, write

NAMES = ("describe_audio", "draw_waveform", "measure_loudness", "find_silence", "extract_features")


def imported(blobs: FolderBlobs, path: Path) -> AudioImported:
    """The event of a file's import."""
    facts = probe(path).facts
    assert isinstance(facts, AudioFacts)
    content, project = blobs.put_file(path, "audio/wav"), project_id("tests")
    return AudioImported(
        asset_id=asset_id(project, content.sha256),
        project_id=project,
        container_id=project,
        name="sound",
        content=content,
        facts=facts,
        file_name=path.name,
    )


def cause(event: AudioImported) -> Cause:
    """An event as it travels to a worker."""
    return Cause(event.TYPE, event.VERSION, encode(event), "test")


def test_all_processors_answer_in_order_over_one_decode(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given a sound and five processors, when answered, then each has its answer, and it was decoded once."""
    decoded, told = [], []

    def counting(path, **how):  # type: ignore[no-untyped-def]  # as decode_audio
        decoded.append(path)
        return decode_audio(path, **how)

    monkeypatch.setattr(infra.tasks, "decode_audio", counting)
    monkeypatch.setattr(infra.tasks, "report", told.append)
    home = tmp_path / "blobs"
    event = imported(FolderBlobs(home), write(tmp_path / "a.wav", tone(2.0)))
    answers = answer(partial(FolderBlobs, home), NAMES, cause(event))
    assert [item.processor for item in answers] == list(NAMES)
    assert [item.fault for item in answers] == [None] * len(NAMES)
    assert len(decoded) == 1
    assert told == sorted(told)
    assert (told[0], told[-1]) == (0, 1)


def test_what_cannot_be_decoded_is_tried_once_and_told_by_each(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given content that was damaged since, when answered, then every processor tells the same final fault."""
    decoded = []

    def counting(path, **how):  # type: ignore[no-untyped-def]  # as decode_audio
        decoded.append(path)
        return decode_audio(path, **how)

    monkeypatch.setattr(infra.tasks, "decode_audio", counting)
    home = tmp_path / "blobs"
    blobs = FolderBlobs(home)
    event = imported(blobs, write(tmp_path / "a.wav", tone(2.0)))
    os.truncate(blobs.path(event.content.sha256), 1000)
    faults = [item.fault for item in answer(partial(FolderBlobs, home), NAMES, cause(event))]
    assert {(fault.code, fault.final) for fault in faults if fault} == {("malformed", True)}
    assert (len([fault for fault in faults if fault]), len(decoded)) == (len(NAMES), 1)


def test_what_cannot_be_analysed_is_final() -> None:
    """Given a sound of which nothing can be found out, then the fault names it so, and it is not tried again."""
    with pytest.raises(Unanalysable) as raised:
        Signal(np.full((1, 8), np.nan, np.float32), 44_100)
    fault = fault_of(raised.value)
    assert (fault.code, fault.final) == ("unanalysable", True)
    assert (status_of(fault.code), raised.value.http_status) == (11, 422)


def test_a_long_sound_may_take_longer(tmp_path: Path) -> None:
    """Given two hours of sound, then it may take an hour longer than other events; a second hardly any."""
    short = imported(FolderBlobs(tmp_path / "blobs"), write(tmp_path / "a.wav", tone(1.0)))
    facts = short.facts.model_copy(update={"frames": 7200 * short.facts.rate_hz})
    assert allowance_s(short) < 1
    assert allowance_s(short.model_copy(update={"facts": facts})) == 3600
