"""The page at /: what this is, what is in it, where to go from here. It needs no script and nothing from outside."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
from importlib.metadata import PackageNotFoundError, version
from inspect import getdoc
from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from api.access import LOCAL, check, declared, requires
from api.graphql.context import Shared
from domain.access import Permission
from domain.views import Filter, Kind

POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
STYLE = (
    ":root{color-scheme:light dark}"
    "body{font:1rem/1.5 system-ui,sans-serif;max-width:46rem;margin:2rem auto;padding:0 1rem}"
    "table{border-collapse:collapse;width:100%}td{padding:.2rem .8rem .2rem 0;vertical-align:top}"
    "code,pre{font-family:ui-monospace,monospace;font-size:.9em}pre{overflow-x:auto}"
)
COMMANDS = """disco import ~/Music/Demos
disco search "d minor"
disco lineage ID
disco --help"""


@dataclass(frozen=True, slots=True)
class _Counts:
    projects: int
    assets: int
    events: int


def front(shared: Shared, routes: Sequence[Route], *, development: bool) -> Route:
    """The route of the page; `routes` are those that it tells of, in the first words of their endpoints."""
    told = [(route.path, sorted(route.methods or ()), _said(route.endpoint)) for route in routes]

    @requires(Permission.READ)
    async def page(request: Request) -> Response:
        """What this is, and where to go from here."""
        check(shared.service.access, LOCAL, declared(page), {})
        counts = await shared.threads.run(_counted, shared)
        body = _html(counts, told, development=development)
        return HTMLResponse(body, headers={"content-security-policy": POLICY, "cache-control": "no-store"})

    return Route("/", page, methods=["GET"], name="front")


def _said(endpoint: Callable[..., Any]) -> str:  # Any: an endpoint of any shape
    return (getdoc(endpoint) or "").partition("\n")[0].partition(" Raises:")[0].replace("`", "")


def _counted(shared: Shared) -> _Counts:
    documents = shared.service.views.documents
    projects, assets = (documents.count(Filter(kinds=(kind,))) for kind in (Kind.PROJECT, Kind.ASSET))
    return _Counts(projects, assets, shared.service.log.head())


def own_version() -> str:
    """The version of this installation."""
    try:
        return version("disco-musica")
    except PackageNotFoundError:  # run from a tree that was not installed
        return "of the tree"


def _html(counts: _Counts, told: Sequence[tuple[str, list[str], str]], *, development: bool) -> str:
    rows = "".join(
        f"<tr><td><code>{escape(' '.join(methods))}</code></td><td>{_linked(path, methods)}</td>"
        f"<td>{escape(said)}</td></tr>"
        for path, methods, said in told
    )
    graphql = "GraphiQL, to ask in a browser" if development else "POST a query as application/json"
    return f"""<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Disco Musica</title>
<style>{STYLE}</style>
<h1>Disco Musica</h1>
<p>What your music is made of. Version {escape(own_version())}.</p>
<p>This data folder holds {counts.projects:,} {_plural("project", counts.projects)},
{counts.assets:,} {_plural("asset", counts.assets)} and {counts.events:,} {_plural("event", counts.events)}.</p>
<h2>Ask</h2>
<p><a href="/graphql">/graphql</a>: {graphql}; subscriptions over WebSocket there, over server-sent events at
<code>/graphql/stream</code>. <a href="/healthz">/healthz</a> and <a href="/readyz">/readyz</a> tell how it is.</p>
<h2>REST</h2>
<table>{rows}</table>
<h2>On the command line</h2>
<pre>{escape(COMMANDS)}</pre>
</html>
"""


def _linked(path: str, methods: Sequence[str]) -> str:
    shown = f"<code>{escape(path)}</code>"
    return f'<a href="{escape(path)}">{shown}</a>' if "GET" in methods and "{" not in path else shown


def _plural(word: str, count: int) -> str:
    return word if count == 1 else f"{word}s"
