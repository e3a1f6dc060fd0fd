"""The rows of the native dialect: an operation, and all that its description needs."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, NamedTuple

from airgate.http.operations import Operation


class Reach(StrEnum):
    """What an operation acts on, which says how far its caller's scope has to reach."""

    SERVER = "server"
    """All of the server: only for callers whose scope is everything."""
    DEPLOYMENT = "deployment"
    """The deployment that its path names."""
    WORKSPACE = "workspace"
    """The workspace that its path names, whole: a scope that ends at one of its deployments does not reach it."""
    SCOPE = "scope"
    """Whatever is within the caller's scope; the handler, or what it calls, keeps to that."""


class HeaderParameter(NamedTuple):
    """A request header that an operation understands."""

    name: str
    description: str


class NativeOperation(Operation, frozen=True, kw_only=True):
    """One row. Its handler's name is its operation id, and the handler's docstring its summary and description.

    `query` and `body` are msgspec Structs; a body forbids unknown fields. `answer` is the Struct of a success, or None
    where there is nothing to say (204). `permission` None: anybody who is authenticated, or everybody if `public`.
    """

    tag: str
    answer: Any = None
    status: int = 200
    also: Mapping[int, Any] = {}
    """Further successful statuses, and their answers."""
    media_type: str = "application/json"
    """Of a success."""
    errors: tuple[int, ...] = ()
    """Statuses of refusals beyond those that follow from the rest of the row."""
    headers: tuple[HeaderParameter, ...] = ()
    reach: Reach = Reach.SERVER
    public: bool = False
