"""How commands end."""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """What a script can tell from the exit code."""

    OK = 0
    """Done; with ``--wait``: the run succeeded."""
    FAILED = 1
    """The run that was waited for failed, or something unforeseen happened."""
    USAGE = 2
    """The command, or what it asked the server, is wrong."""
    NOT_FOUND = 3
    """There is no such thing."""
    CONFLICT = 4
    """It exists already, or its state forbids this."""
    REFUSED = 5
    """The token is missing, unknown, or may not do this."""
    UNAVAILABLE = 6
    """Nobody answers, the server cannot do it now, or its port is taken."""


class Problem(Exception):
    """Ends a command with a message for people and a code for scripts."""

    def __init__(self, message: str, code: ExitCode) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
