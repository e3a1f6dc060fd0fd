"""`airgate deployment service-account` and `airgate workspace service-account`: keys for machines.

Names, short options and output are those that users of Astronomer's command line know.
"""

from __future__ import annotations

from typing import Annotated, Any, Final

import typer

from airgate.cli import limits
from airgate.cli.client import Call, command
from airgate.cli.exits import ExitCode, Problem
from airgate.cli.output import plain, when
from airgate.cli.register import Option, option

AccountId = Annotated[str, typer.Argument(help="Id of the service account.", show_default=False)]

_HELP: Final = "Keep service accounts: machines with a key, and no more rights than they need."
_FOR_SCRIPTS: Final = ("id", "label", "category", "role", "api_key")
_COLUMNS: Final = ("NAME", "CATEGORY", "ID", "ROLE", "WHERE", "LIMITS", "CREATED")


def add_to(app: typer.Typer, level: str, short: str) -> None:
    """Add the commands for service accounts of a `level`, which is ``deployment`` or ``workspace``."""
    commands = typer.Typer(add_completion=False, no_args_is_help=True, help=_HELP)
    _Commands(level, short).register(commands)
    app.add_typer(commands, name="service-account")
    app.add_typer(commands, name="sa", hidden=True)


class _Commands:
    """The commands of one level."""

    def __init__(self, level: str, short: str) -> None:
        self._level = level
        self._names = (f"--{level}-id", short)

    def register(self, app: typer.Typer) -> None:
        """Make them commands of a group."""
        required = Option(
            "place",
            Option.KEYWORD_ONLY,
            annotation=Annotated[str, typer.Option(*self._names, help=f"The {self._level}'s id, which is its name.")],
        )
        narrowing = option("place", typer.Option(*self._names, help=f"Only those of this {self._level}."))
        command(app, "create", options=[required, *limits.OPTIONS], alias="cr")(self.create)
        command(app, "list", options=[narrowing], alias="ls")(self.list_)
        command(app, "delete", options=[narrowing], alias="de")(self.delete)

    def create(
        self,
        call: Call,
        label: Annotated[str, typer.Option("--label", "-l", help="What people know it by.", show_default=False)],
        role: Annotated[
            str, typer.Option("--role", "-r", help="viewer, editor or admin; also DEPLOYMENT_EDITOR and its like.")
        ] = "viewer",
        category: Annotated[str, typer.Option("--category", "-c", help="A word to sort them by.")] = "default",
        batch: Annotated[bool, typer.Option("--batch", help="Mark the key for the batch plugin's dialect.")] = False,
    ) -> None:
        """Make a service account, and show its key: this once."""
        place = call.given.pop("place")
        body = {"label": label, "category": category, "role": role, self._level: place, "batch": batch}
        made = call.native.post("service-accounts", body=body | limits.of(call.given, call.now))
        if call.out.as_json:
            call.out.json({name: made[name] for name in _FOR_SCRIPTS})
            return
        row = (made["label"], made["category"], made["id"], made["api_key"])
        call.out.text(plain(("NAME", "CATEGORY", "ID", "APIKEY"), [row]))
        call.out.text("\n Service account successfully created.")

    def list_(self, call: Call) -> None:
        """List service accounts, newest first. Their keys are shown once, when they are made."""
        found = list(call.native.everything("service-accounts", **{self._level: call.given["place"]}))
        call.out.rows(found, _COLUMNS, map(_row, found), empty="There are no service accounts.")

    def delete(self, call: Call, account_id: AccountId) -> None:
        """Delete a service account; its keys count no more, at once."""
        account = call.native.get("service-accounts", account_id)
        place = call.given["place"]
        if place is not None and account[self._level] != place:
            raise Problem(
                f"service account {account_id} is not one of the {self._level} {place}, but of {_where(account)}",
                ExitCode.NOT_FOUND,
            )
        call.native.delete("service-accounts", account_id)
        call.out.done(
            {"deleted": [account["id"]]}, f" Service Account {account['label']} ({account['id']}) successfully deleted"
        )


def _row(account: dict[str, Any]) -> tuple[Any, ...]:
    state = "" if account["active"] else "inactive "
    return (
        account["label"],
        account["category"],
        account["id"],
        account["role"],
        _where(account),
        (state + limits.told(account)).strip() or None,
        when(account["created_at"]),
    )


def _where(account: dict[str, Any]) -> str:
    for level in ("deployment", "workspace"):
        if account[level] is not None:
            return f"{level} {account[level]}"
    return "everything"
