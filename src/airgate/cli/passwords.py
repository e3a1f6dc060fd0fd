"""Passwords, which are never on a command line: other users of a machine see those."""

from __future__ import annotations

import sys

import typer

from airgate.cli.exits import ExitCode, Problem


def read_password(*, from_stdin: bool) -> str:
    """A password: asked for twice without showing it, or the first line of the standard input. Raises Problem."""
    if not from_stdin:
        asked: str = typer.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
        return asked
    password = sys.stdin.readline().rstrip("\r\n")
    if not password:
        raise Problem("--password-stdin: the first line of the standard input is empty", ExitCode.USAGE)
    return password
