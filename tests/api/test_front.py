"""The page at / stands by itself: it says what this is and leads on, without scripts and without anybody else."""

from __future__ import annotations

from html.parser import HTMLParser
from importlib.metadata import version
from typing import Any

import pytest

from api.app import create_app
from domain.errors import Forbidden
from infra.disco import Disco
from tests.api.client import Client
from tests.api.making import Catalogue

EMPTY = {"meta", "link", "img", "br", "hr", "input", "base"}


class Page(HTMLParser):
    """What a browser would find in a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.names: list[str] = []
        self.links: list[str] = []
        self.references: list[str] = []
        self.open: list[str] = []
        self.words: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Remember it."""
        self.names.append(tag)
        found = dict(attrs)
        if tag == "a":
            self.links.append(found["href"] or "")
        self.references += [value or "" for name, value in attrs if name in ("href", "src", "action", "style", "data")]
        assert not any(name.startswith("on") for name, _ in attrs), "a handler is a script"
        if tag not in EMPTY:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        """What is closed was opened last."""
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        """Gather the words."""
        if self.open and self.open[-1] != "style":
            self.words.append(data)

    @property
    def text(self) -> str:
        """What is read."""
        return " ".join(" ".join(self.words).split())


def test_the_page_says_what_this_is_and_what_is_in_it(client: Client, made: Catalogue) -> None:
    """Given a catalogue, when / is fetched, then a whole page names the service, its version and what it holds."""
    answer = client.get("/")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    page = Page(answer.text)
    assert page.open == [], "every element is closed"
    assert f"Version {version('disco-musica')}" in page.text
    assert f"1 project, 3 assets and {made.service.log.head()} events" in page.text
    assert "disco import" in page.text


def test_the_page_needs_nobody_else(client: Client) -> None:
    """Given the page, when looked through, then it runs no script and loads nothing, and its policy forbids both."""
    answer = client.get("/")
    page = Page(answer.text)
    assert not {"script", "link", "img", "iframe", "object", "embed", "form"} & set(page.names)
    assert all(reference.startswith("/") and not reference.startswith("//") for reference in page.references)
    assert "@import" not in answer.text
    assert "url(" not in answer.text
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert answer.headers["x-frame-options"] == "DENY"


@pytest.mark.parametrize("development", [False, True])
def test_every_link_leads_somewhere_and_every_route_is_told(service: Disco, development: bool) -> None:
    """Given the page, when its links are followed, then each is answered; every REST route is on it, with its use."""
    with Client(create_app(service, development=development)) as client:
        page = Page(client.get("/").text)
        assert {"/graphql", "/healthz", "/readyz"} <= set(page.links)
        for link in set(page.links):
            assert client.get(link, headers={"accept": "text/html"}).status_code == 200, link
        assert ("GraphiQL" in page.text) == development
        routes = [route.path for route in client.app.router.routes if route.path.startswith(("/api/", "/health"))]  # type: ignore[attr-defined]  # routes
        own = [path for path in routes if not path.startswith(("/api/docs", "/api/openapi"))]
        assert len(own) >= 5
        assert all(path in page.text for path in own)


def test_the_page_is_guarded_as_everything_is(client: Client, service: Disco, monkeypatch: Any) -> None:
    """Given a foreign host, a foreign page or someone who may not read, when / is fetched, then it is forbidden."""
    assert client.get("/", headers={"host": "evil.example"}).status_code == 403
    assert client.get("/", headers={"sec-fetch-site": "cross-site"}).status_code == 403

    def check(*_: object) -> None:
        raise Forbidden("may not")

    monkeypatch.setattr(service.access, "check", check, raising=False)
    assert client.get("/").status_code == 403
