"""Cross-origin headers, as Airflow 2.11 sends them with every reply."""

from __future__ import annotations

from collections.abc import Sequence


class Cors:
    """What pages of other origins may do.

    Headers and methods are sent as they were set. ``Access-Control-Allow-Origin`` is ``*`` where that is allowed, else
    the request's origin where it is among those allowed, else nothing; a request without an origin is told the first.
    """

    def __init__(self, *, headers: str = "", methods: str = "", origins: Sequence[str] = ()) -> None:
        fixed = [(b"access-control-allow-headers", headers), (b"access-control-allow-methods", methods)]
        self._fixed = [(name, value.encode("latin-1")) for name, value in fixed if value]
        self._origins = [origin.encode("latin-1") for origin in origins]

    def reply_headers(self, request_headers: Sequence[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
        """The headers of the reply to a request with these."""
        if not self._origins:
            return self._fixed
        if self._origins == [b"*"]:
            return [*self._fixed, (b"access-control-allow-origin", b"*")]
        origin = next((value for name, value in request_headers if name == b"origin"), self._origins[0])
        found = [(b"access-control-allow-origin", origin)] if origin in self._origins else []
        return [*self._fixed, *found, (b"vary", b"Origin")]
