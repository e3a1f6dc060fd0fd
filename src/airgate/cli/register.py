"""Commands whose options come from a table, or are shared by many commands.

Typer reads a command's options off the signature of its function. `command` hands it a signature with the shared
options added, so that these are written once, and the functions take what the options mean instead.
"""

from __future__ import annotations

import functools
import inspect
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from airgate import settings
from airgate.cli import local
from airgate.cli.exits import ExitCode, Problem

DEFAULT_SERVER: Final = "http://127.0.0.1:8080"

Option = inspect.Parameter


class Target:
    """Which server is meant, and what proves who asks."""

    def __init__(self, server: str, token: str | None) -> None:
        self.server = server.rstrip("/")
        self.token = token


def option(name: str, info: Any, kind: Any = str) -> Option:
    """An option that a signature does not spell out; None where it is not given."""
    return Option(name, Option.KEYWORD_ONLY, default=None, annotation=Annotated[kind | None, info])


def with_options(function: Callable[..., None], options: Sequence[Option], drop: str) -> Callable[..., None]:
    """Give the function's signature more options, and take away the parameter they are passed by.

    Problems end the process with their message on the standard error and their exit code.
    """
    own = inspect.signature(function, eval_str=True)
    kept = [
        parameter.replace(kind=Option.KEYWORD_ONLY) for parameter in own.parameters.values() if parameter.name != drop
    ]

    @functools.wraps(function)
    def run(**values: Any) -> None:
        given = {parameter.name: values.pop(parameter.name) for parameter in options}
        try:
            function(**{drop: given}, **values)
        except Problem as problem:
            print(f"airgate: {problem.message}", file=sys.stderr)  # noqa: T201 -- it is a command line
            raise typer.Exit(problem.code) from None

    run.__signature__ = own.replace(parameters=[*kept, *options])  # type: ignore[attr-defined]
    return run


def target(server: str | None, token: str | None) -> Target:
    """The server and the token: as given, else from the environment, else from the data folder.

    The data folder's token goes to its own server only: whoever names another server does not mean to show it.
    """
    chosen = server or os.environ.get("AIRGATE_SERVER") or None
    proof = token or os.environ.get("AIRGATE_TOKEN") or None
    known = local.read(data_folder())
    if chosen is None:
        chosen = known.url if known else DEFAULT_SERVER
    if proof is None and known is not None and known.url == chosen.rstrip("/"):
        proof = known.token
    return Target(chosen, proof)


def data_folder() -> Path:
    """The data folder as `airgate up` would take it here."""
    try:
        return settings.load(environment=os.environ, folder=Path.cwd()).data
    except settings.SettingsError as error:
        raise Problem(str(error), ExitCode.USAGE) from error
