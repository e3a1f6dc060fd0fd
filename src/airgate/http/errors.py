"""What can go wrong before a dialect's own code runs. Every dialect says these in its own words."""

from __future__ import annotations


class RouteNotFound(Exception):
    """No operation of the dialect has this path."""


class MethodNotAllowed(Exception):
    """Operations have this path, but not with this method. `allow` names the methods that exist."""

    def __init__(self, allow: tuple[str, ...]) -> None:
        super().__init__(", ".join(allow))
        self.allow = allow


class BodyTooLarge(Exception):
    """The request's body exceeds the server's limit, in bytes."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"The request body is larger than {limit} bytes")
        self.limit = limit


class ClientGone(Exception):
    """The client closed the connection before its request was complete. Nobody is left to answer."""
