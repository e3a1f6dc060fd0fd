"""`airgate up`: start the server."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from airgate import app as server
from airgate import settings
from airgate.access.service import Created
from airgate.cli import banner, local
from airgate.cli.exits import ExitCode, Problem
from airgate.cli.ports import check_port
from airgate.cli.register import Option, option, with_options
from airgate.data_folder import prepare_data_folder
from airgate.model.errors import AirgateError
from airgate.settings import Settings

app = typer.Typer(add_completion=False)

SHORT = {"dags": "-d", "port": "-p"}


def _option(setting: settings.Setting) -> Option | None:
    if setting.option is None:
        return None
    names = [setting.option, *([SHORT[setting.name]] if setting.name in SHORT else [])]
    panel = "Options" if "." not in setting.name else "More settings"
    default = "" if setting.default in (None, "") else f" Default: {settings.shown(setting.default)}."
    info = typer.Option(
        *names,
        metavar=setting.name.rpartition(".")[2].upper(),
        help=setting.help.replace("`", "") + default,
        rich_help_panel=panel,
    )
    return option(setting.name.replace(".", "__"), info)


OPTIONS = [made for setting in settings.TABLE if (made := _option(setting)) is not None]


def up(
    given: dict[str, Any],
    config: Annotated[
        Path | None, typer.Option("--config", help="Configuration file; by default airgate.toml in the data folder.")
    ] = None,
) -> None:
    """Start the server: the HTTP interface, and the engine that runs the DAGs of a folder.

    Every option can also be set in the configuration file or by an environment variable; docs/configuration.md lists
    them. Ctrl-C and SIGTERM stop it cleanly: running tries get time to end.
    """
    options = {name.replace("__", "."): value for name, value in given.items() if value is not None}
    chosen = load(options, config)
    warn(os.environ)
    check_folder(chosen)
    check_port(chosen.host, chosen.port)
    raise typer.Exit(serve(chosen))


app.command("up")(with_options(up, OPTIONS, drop="given"))


def serve(chosen: Settings) -> int:
    """Serve until told to stop. Raises Problem where the server cannot start."""
    try:
        return server.serve(chosen, announce=lambda url, created: announce(chosen, url, created))
    except settings.SettingsError as error:
        raise Problem(str(error), ExitCode.USAGE) from error
    except AirgateError as error:
        raise Problem(error.detail, ExitCode.UNAVAILABLE) from error


def load(options: dict[str, str], config: Path | None, *, prepare: bool = True) -> Settings:
    """The settings as given here, in the environment and in the file. Raises Problem.

    With `prepare`, the data folder is made where there is none.
    """
    try:
        chosen = settings.load(options=options, environment=os.environ, config=config, folder=Path.cwd())
        if prepare:
            prepare_data_folder(chosen.data)
    except settings.SettingsError as error:
        raise Problem(str(error), ExitCode.USAGE) from error
    return chosen


def warn(environment: os._Environ[str]) -> None:
    """Point at variables that are probably misspelt settings."""
    for name, meant in settings.unknown_variables(environment):
        print(f"airgate: there is no setting {name}; did you mean {meant}?", file=sys.stderr)  # noqa: T201


def check_folder(chosen: Settings) -> None:
    """Raise Problem where the DAG folder does not exist: a mistyped one would look like an empty one."""
    if not chosen.dags.is_dir():
        raise Problem(
            f"the DAG folder {chosen.dags} does not exist: create it, or name another with --dags", ExitCode.USAGE
        )


def announce(chosen: Settings, url: str, created: Created | None) -> None:
    """Say that the server answers, and leave its address and a token where the other commands look."""
    local.write(chosen.data, url, created.token if created else None)
    print(banner.first_start(url, created) if created else banner.ready(url), flush=True)  # noqa: T201
