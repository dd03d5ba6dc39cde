"""The tree of verbs: how one is declared, and the options that all of them take."""

from __future__ import annotations

import functools
import inspect
import typing
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from api.access import declared
from api.cli.failures import handled
from api.cli.shell import Options, Shell

Verb = Callable[..., None]
PANELS = ("Make", "Look", "Change", "Operate")


class Panels(TyperGroup):
    """Lists the verbs by panel, in plain text: rich's help takes longer to import than all the rest."""

    def format_commands(self, ctx: Any, formatter: Any) -> None:  # Any: typer's own
        """Write the list."""
        shown = [command for name in self.list_commands(ctx) if (command := self.get_command(ctx, name))]
        for panel in (*PANELS, None):
            listed = [item for item in shown if not item.hidden and getattr(item, "rich_help_panel", None) == panel]
            if listed:
                with formatter.section(panel or "Verbs"):
                    formatter.write_dl([(str(item.name), item.get_short_help_str(200)) for item in listed])


app = typer.Typer(
    name="disco",
    cls=Panels,
    rich_markup_mode=None,
    help="What your music is made of: import it, have it analysed, make more of it, and ask where everything is from.",
    epilog="Begin with: disco import FOLDER · then: disco projects · disco lineage ID · disco serve",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)
generate = typer.Typer(
    cls=Panels, rich_markup_mode=None, no_args_is_help=True, help="Make something new of what is there."
)
app.add_typer(generate, name="generate", rich_help_panel="Make")

_EVERYWHERE = "Everywhere"
HomeOption = Annotated[
    Path | None,
    typer.Option("--home", metavar="FOLDER", help="The data folder; else DISCO_HOME.", rich_help_panel=_EVERYWHERE),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Answer in JSON.", rich_help_panel=_EVERYWHERE)]
ProgressOption = Annotated[
    bool, typer.Option("--progress", help="Show progress bars off a terminal too.", rich_help_panel=_EVERYWHERE)
]
DebugOption = Annotated[
    bool, typer.Option("--debug", help="Show the traceback of an unexpected error.", rich_help_panel=_EVERYWHERE)
]
ProfileOption = Annotated[
    str | None,
    typer.Option(
        "--profile",
        metavar="embedded|server",
        help="One folder, or servers; else DISCO_PROFILE.",
        rich_help_panel=_EVERYWHERE,
    ),
]
COMMON: dict[str, tuple[Any, Any]] = {  # Any: annotations
    "home": (HomeOption, None),
    "json": (JsonOption, False),
    "progress": (ProgressOption, False),
    "debug": (DebugOption, False),
    "profile": (ProfileOption, None),
}


def _tell_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import PackageNotFoundError, version

        try:
            typer.echo(version("disco-musica"))
        except PackageNotFoundError:  # run from a tree that was not installed
            typer.echo("not installed")
        raise typer.Exit


@app.callback()
def everywhere(
    context: typer.Context,
    home: HomeOption = None,
    json: JsonOption = False,
    progress: ProgressOption = False,
    debug: DebugOption = False,
    profile: ProfileOption = None,
    version: Annotated[
        bool, typer.Option("--version", help="Tell the version.", callback=_tell_version, is_eager=True)
    ] = False,
) -> None:
    """Take the options that may stand before the verb as well as behind it."""
    context.obj = Options(home, json, progress, debug, profile)


def verb(
    panel: str,
    *,
    example: str,
    name: str | None = None,
    to: typer.Typer = app,
    hidden: bool = False,
    cls: type[TyperCommand] = TyperCommand,
) -> Callable[[Verb], Verb]:
    """Make a function a verb: it is given a `Shell` and what it declares, errors become answers.

    Raises: TypeError, where the function declares no permission.
    """

    def declare(function: Verb) -> Verb:
        requirement = declared(function)

        @functools.wraps(function)
        def run(context: typer.Context, **given: Any) -> None:  # Any: what the verb declares
            said = Options(**{option: given.pop(option) for option in COMMON})
            options = said.over(context.obj) if isinstance(context.obj, Options) else said
            with handled(options):
                function(Shell(options, requirement), **given)

        _describe(run, function)
        command = to.command(name, cls=cls, epilog=f"Example: {example}", rich_help_panel=panel, hidden=hidden)
        command(run)
        return run

    return declare


def _describe(run: Verb, function: Verb) -> None:
    """Give `run` the parameters of the verb without its shell, and those of every verb."""
    hints = typing.get_type_hints(function, include_extras=True)
    kind = inspect.Parameter.KEYWORD_ONLY
    own = [
        parameter.replace(annotation=hints[parameter.name], kind=kind)
        for parameter in list(inspect.signature(function).parameters.values())[1:]
    ]
    common = [
        inspect.Parameter(option, kind, annotation=annotation, default=default)
        for option, (annotation, default) in COMMON.items()
    ]
    context = inspect.Parameter("context", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=typer.Context)
    parameters = [context, *own, *common]
    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]  # what typer reads
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
