"""Identities as people name them on a command line: by name or by id."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from airgate.cli.api import Native
from airgate.cli.exits import ExitCode, Problem


def person(native: Native, named: str) -> dict[str, Any]:
    """The person with this name or id. Raises Problem."""
    if _is_id(named):
        found: dict[str, Any] = native.get("users", named)
        return found
    for one in native.everything("users"):
        if one["name"] == named:
            return one
    raise Problem(f"there is no user {named!r}", ExitCode.NOT_FOUND)


def identity_id(native: Native, named: str | None) -> str:
    """The id of a person or service account with this name or id; None: of whoever asks. Raises Problem."""
    if named is None:
        return str(native.get("me")["identity"]["id"])
    if _is_id(named):
        return named
    refused = None
    for kind in ("service-accounts", "users"):
        try:
            for one in native.everything(kind):
                if one["name"] == named:
                    return str(one["id"])
        except Problem as problem:
            if problem.code is not ExitCode.REFUSED:
                raise
            refused = problem
    raise refused or Problem(f"there is no user or service account {named!r}", ExitCode.NOT_FOUND)


def _is_id(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True
