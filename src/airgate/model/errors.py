"""The one error tree of Airgate.

The branch says what a caller can do about it, the leaf says what happened. Every dialect has one function
that turns a branch into its own wire form; nothing else of an error reaches a client.

    AirgateError
    ├── InvalidInput      the request is wrong; change it
    ├── NotFound          the thing named does not exist
    ├── Conflict          the thing exists already, or its state forbids this
    ├── NotAuthenticated  nobody, or nobody we know, is asking
    ├── PermissionDenied  this identity may not do that
    ├── RateLimited       this identity asks too often; later it may
    └── Unavailable       Airgate cannot do it now; the same request may succeed later
"""

from __future__ import annotations

from collections.abc import Sequence


class AirgateError(Exception):
    """Something Airgate can explain.

    Args:
        detail: what happened, where, and what to do, in one or two sentences for the caller.
        title: a short name of the fact, used by dialects whose errors carry a title of their own.
        code: a stable machine word for the fact, e.g. ``dag_not_found``.
    """

    default_code = "error"

    def __init__(self, detail: str, *, title: str | None = None, code: str | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.title = title
        self.code = code or self.default_code


class InvalidInput(AirgateError):
    """The request is wrong and stays wrong until it is changed."""

    default_code = "invalid_input"


class InvalidFields(InvalidInput):
    """Several things of a request are wrong, each at a place of its own.

    Args:
        faults: JSON pointers into the request (``/rules/0/operation``), and what is wrong there, as sentences.
    """

    default_code = "invalid_fields"

    def __init__(self, faults: Sequence[tuple[str, str]]) -> None:
        super().__init__("; ".join(f"{pointer}: {detail}" for pointer, detail in faults))
        self.faults = tuple(faults)


class NotFound(AirgateError):
    """The thing named does not exist (or is hidden from the caller)."""

    default_code = "not_found"


class Conflict(AirgateError):
    """The thing exists already, or its present state forbids the change."""

    default_code = "conflict"


class NotAuthenticated(AirgateError):
    """No credential, or one that proves nothing."""

    default_code = "not_authenticated"


class PermissionDenied(AirgateError):
    """A known identity asks for what it may not do."""

    default_code = "permission_denied"


class RateLimited(AirgateError):
    """This identity has used up what it may ask for now. `retry_after` is in seconds."""

    default_code = "rate_limited"

    def __init__(
        self, detail: str, *, title: str | None = None, code: str | None = None, retry_after: float = 1.0
    ) -> None:
        super().__init__(detail, title=title, code=code)
        self.retry_after = retry_after


class Unavailable(AirgateError):
    """Airgate cannot do this now, and nothing of the request was kept. `retry_after` is in seconds."""

    default_code = "unavailable"

    def __init__(
        self, detail: str, *, title: str | None = None, code: str | None = None, retry_after: float = 1.0
    ) -> None:
        super().__init__(detail, title=title, code=code)
        self.retry_after = retry_after
