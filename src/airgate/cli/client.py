"""Registering commands that speak to a server."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, Final

import typer

from airgate.cli.api import Api
from airgate.cli.output import Output
from airgate.cli.register import Option, option, target, with_options

SHARED: Final = (
    option("server", typer.Option("--server", help="Address of the server (or AIRGATE_SERVER).")),
    option("token", typer.Option("--token", help="API token (or AIRGATE_TOKEN).")),
    Option(
        "as_json",
        Option.KEYWORD_ONLY,
        default=False,
        annotation=Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")],
    ),
)


class Call:
    """One command being run: the server it speaks to, where its results go, and options taken from a table."""

    def __init__(self, api: Api, output: Output, given: dict[str, Any]) -> None:
        self.api = api
        self.out = output
        self.given = given
        self.native = api.native

    @property
    def now(self) -> datetime:
        """The present time. The one clock of the commands."""
        return datetime.now(UTC)


def command(
    app: typer.Typer,
    name: str | None = None,
    options: Sequence[Option] = (),
    *,
    negative_numbers: bool = False,
    alias: str | None = None,
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Register a function as a command. Its first parameter is named `call` and is a `Call`.

    `options` are more options, whose values are found in `Call.given`. With `negative_numbers`, an argument may be
    one, and is not taken for an option. The `alias` works like the name, and help does not list it.
    """

    def register(function: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(function)
        def run(call: dict[str, Any], **values: Any) -> None:
            where = target(call.pop("server"), call.pop("token"))
            output = Output(as_json=call.pop("as_json"))
            api = Api(where)
            try:
                function(call=Call(api, output, call), **values)
            finally:
                api.close()

        made = with_options(run, [*options, *SHARED], drop="call")
        settings = {"ignore_unknown_options": negative_numbers}
        app.command(name, context_settings=settings)(made)
        if alias is not None:
            app.command(alias, context_settings=settings, hidden=True)(made)
        return function

    return register
