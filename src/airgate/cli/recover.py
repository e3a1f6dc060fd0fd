"""`airgate recover`: let a locked-out administrator in again, by the installation's own files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Final

import typer

from airgate import app as server
from airgate import settings
from airgate.access.recovery import Recovered
from airgate.cli import local
from airgate.cli.exits import ExitCode, Problem
from airgate.cli.output import Output
from airgate.cli.passwords import read_password
from airgate.cli.register import with_options
from airgate.cli.up import OPTIONS, load
from airgate.model.errors import AirgateError, NotFound, Unavailable

app = typer.Typer(add_completion=False)

_NAMES: Final = {"data", "database"}


def recover(
    given: dict[str, Any],
    user: Annotated[
        str | None, typer.Option("--user", help="Whom; by default an administrator there is.", show_default=False)
    ] = None,
    set_password: Annotated[bool, typer.Option("--set-password", help="Ask for a new password, too.")] = False,
    password_stdin: Annotated[
        bool, typer.Option("--password-stdin", help="Read a new password from the standard input.")
    ] = False,
    config: Annotated[
        Path | None, typer.Option("--config", help="Configuration file; by default airgate.toml in the data folder.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")] = False,
) -> None:
    """Let a locked-out administrator in again: works on the database itself, whether a server runs or not.

    The user becomes an active administrator of everything without limits, and gets a new key, which is shown once and
    left in the data folder for the other commands here. Whoever may read the data folder and the database may do this.
    """
    chosen = load({name: value for name, value in given.items() if value is not None}, config, prepare=False)
    password = read_password(from_stdin=password_stdin) if set_password or password_stdin else None
    recovered = _recovered(chosen, user, password)
    known = local.read(chosen.data)
    address = f"http://{chosen.host}:{chosen.port}{chosen.base_path}"
    local.write(chosen.data, known.url if known else address, recovered.token)
    out = Output(as_json=as_json)
    out.facts(
        {"user": recovered.user, "token": recovered.token}, [("user", recovered.user), ("token", recovered.token)]
    )


app.command("recover")(with_options(recover, [one for one in OPTIONS if one.name in _NAMES], drop="given"))


def _recovered(chosen: settings.Settings, user: str | None, password: str | None) -> Recovered:
    try:
        return server.recover(chosen, user, password)
    except settings.SettingsError as error:
        raise Problem(str(error), ExitCode.USAGE) from error
    except AirgateError as error:
        codes = {NotFound: ExitCode.NOT_FOUND, Unavailable: ExitCode.UNAVAILABLE}
        raise Problem(error.detail, codes.get(type(error), ExitCode.USAGE)) from error
