"""From a recording to what is wrong with it, live and after a replay."""

from __future__ import annotations

import numpy as np
import pytest

from events.quality import QualityAssessed
from tests.given import Given, sine


def test_a_clipped_recording_is_told_live_and_after_a_replay(disco: Given) -> None:
    """Given 2 s of 200 Hz cut at half scale, when imported, then 800 peaks are clipped, live and after a replay."""
    asset = disco.given_audio(np.clip(sine(200, seconds=2.0, peak=0.7), -0.5, 0.5))
    disco.settled()
    for again in (disco, disco.replayed()):
        found = again.service.views.documents.get(asset)["analyses"]["quality"]
        assert found["clipped_peaks"] == pytest.approx(800, abs=2)
        said = [each.data for each in again.service.log.about(asset) if isinstance(each.data, QualityAssessed)]
        assert [{fault.kind for fault in each.faults} for each in said] == [{"clipping"}]
