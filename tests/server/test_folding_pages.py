"""Building a generation: how much is folded at once, whatever Kafka gives at once."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

from domain import ids
from events.envelope import Recorded
from infra.server.folding import Folding
from projections import catalogue
from tests.builders import numbered
from tests.contracts.server_views import FoldedViews

PROJECTS = [ids.project_id(name) for name in "abcdef"]


def test_what_kafka_gives_in_little_is_folded_in_pages_of_enough(tmp_path: Path) -> None:
    """Given records of several partitions, fifty at a time, when a view is built by pages of two hundred.

    Then each page but the last holds that many and is in order of position, and the view is what it was.
    """
    with closing(FoldedViews(tmp_path)) as made:
        for number in range(0, 360, 10):
            made.given(numbered(10, project=PROJECTS[number // 10 % len(PROJECTS)], start=number))
        before = made.views.digests()[catalogue.NAME]
        view = next(view for view in made.stores if view.name == catalogue.NAME)
        pages: list[list[int]] = []

        def noted(rows: Any, events: list[Recorded]) -> None:
            pages.append([event.position for event in events])
            view.apply(rows, events)

        topic: Any = made.topic
        folding = Folding(made.postgres, topic, [replace(view, apply=noted)], page=200)
        folding.begin([view.name])
        assert folding.build(view.name)
        made.known.look_again()
        assert sum(map(len, pages)) == 360
        assert len(pages) == 2, [len(page) for page in pages]
        assert all(page == sorted(page) for page in pages)
        assert made.views.digests()[catalogue.NAME] == before
