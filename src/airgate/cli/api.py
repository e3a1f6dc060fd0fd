"""The clients that the commands use, one for each dialect they speak; problems as people and scripts want them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar, Final
from urllib.parse import quote

import httpx

from airgate.cli.exits import ExitCode, Problem
from airgate.cli.register import Target

_EXIT_CODES: Final = {401: ExitCode.REFUSED, 403: ExitCode.REFUSED, 404: ExitCode.NOT_FOUND, 409: ExitCode.CONFLICT}
_PAGE: Final = 100
LARGE_PAGE: Final = 1000
_ATTEMPTS: Final = 3


class Dialect:
    """A running server, spoken to in one dialect.

    Every method raises `Problem` when the server cannot be reached, or answers with an error.
    """

    base: ClassVar[str]

    def __init__(self, target: Target, http: httpx.Client) -> None:
        self.target = target
        self._http = http

    def get(self, *path: str, **query: Any) -> Any:
        """The JSON at a path; parameters that are None are left out."""
        return self._send("GET", path, params=_given(query)).json()

    def text(self, *path: str, **query: Any) -> str:
        """The plain text at a path."""
        return self._send("GET", path, params=_given(query), headers={"Accept": "text/plain"}).text

    def post(self, *path: str, body: Any, headers: dict[str, str] | None = None) -> Any:
        """POST JSON, and give back the answer's."""
        return self._send("POST", path, json=body, headers=headers or {}).json()

    def patch(self, *path: str, body: Any, **query: Any) -> Any:
        """PATCH with JSON, and give back the answer's."""
        return self._send("PATCH", path, json=body, params=_given(query)).json()

    def delete(self, *path: str) -> None:
        """DELETE a thing."""
        self._send("DELETE", path)

    def _send(self, method: str, path: tuple[str, ...], **request: Any) -> httpx.Response:
        url = self.base + "/" + "/".join(quote(part, safe="~") for part in path)
        response = self._answer(method, url, request)
        if response.is_success:
            return response
        raise Problem(_explained(response, self.target), _exit_code(response.status_code))

    def _answer(self, method: str, url: str, request: dict[str, Any]) -> httpx.Response:
        """Ask again when the connection breaks, but only where asking twice does what asking once does."""
        repeatable = method in {"GET", "DELETE", "PATCH"} or "Idempotency-Key" in request.get("headers", {})
        for attempt in range(_ATTEMPTS):
            try:
                return self._http.request(method, url, **request)
            except httpx.ConnectError as error:
                raise Problem(
                    f"nothing answers at {self.target.server} ({error}); is `airgate up` running?", ExitCode.UNAVAILABLE
                ) from error
            except httpx.HTTPError as error:
                if not repeatable or attempt == _ATTEMPTS - 1:
                    raise Problem(
                        f"{self.target.server} did not answer: {str(error) or type(error).__name__}",
                        ExitCode.UNAVAILABLE,
                    ) from error
            except httpx.InvalidURL as error:
                raise Problem(f"{self.target.server} is no server address: {error}", ExitCode.USAGE) from error
        raise AssertionError("unreachable")


class Native(Dialect):
    """Airgate's own dialect."""

    base = "/airgate/v1"

    def everything(self, *path: str, page_size: int = LARGE_PAGE, **query: Any) -> Iterator[dict[str, Any]]:
        """All items of a list, page by page, as long as they are taken."""
        after: str | None = None
        while True:
            page = self.get(*path, limit=page_size, after=after, **query)
            yield from page["items"]
            after = page["next"]
            if after is None:
                return


class Api(Dialect):
    """The stable v1 dialect, and with it the server's own, as `native`."""

    base = "/api/v1"

    def __init__(self, target: Target) -> None:
        headers = {"Accept": "application/json"}
        if target.token:
            headers["Authorization"] = f"Bearer {target.token}"
        try:
            http = httpx.Client(base_url=target.server, headers=headers, timeout=30.0)
        except httpx.InvalidURL as error:
            raise Problem(f"{target.server} is no server address: {error}", ExitCode.USAGE) from error
        super().__init__(target, http)
        self.native = Native(target, http)

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def everything(self, *path: str, key: str, **query: Any) -> Iterator[dict[str, Any]]:
        """All items of a list, page by page. `key` is the list's name in the answer."""
        offset = 0
        while True:
            page = self.get(*path, limit=_PAGE, offset=offset, **query)
            yield from page[key]
            offset += len(page[key])
            if not page[key] or offset >= page["total_entries"]:
                return


def _given(query: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in query.items() if value is not None}


def _exit_code(status: int) -> ExitCode:
    if status in _EXIT_CODES:
        return _EXIT_CODES[status]
    return ExitCode.UNAVAILABLE if status == 429 or status >= 500 else ExitCode.USAGE


def _explained(response: httpx.Response, target: Target) -> str:
    """The server's own words, and what to do where that is not plain from them."""
    words = _words(response)
    if response.status_code in {401, 403} and target.token is None:
        return f"{target.server} wants a token: give --token or AIRGATE_TOKEN ({words})"
    if response.status_code == 401:
        return f"{target.server} does not know this token ({words})"
    if response.status_code == 403:
        return f"this token may not do that ({words})"
    return words


def _words(response: httpx.Response) -> str:
    fallback = f"the server answered {response.status_code} {response.reason_phrase}".rstrip()
    try:
        problem = response.json()
    except ValueError:
        return fallback
    if not isinstance(problem, dict):
        return fallback
    return str(problem.get("detail") or problem.get("title") or fallback)
