"""Requests made up from an OpenAPI document, sent to the application itself, and its answers held against the document.

The server runs in an event loop of its own on a thread, because what makes up requests is synchronous.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, contextmanager
from typing import Any, NamedTuple, TypeVar

import httpx
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import APIOperation, BaseSchema, Case, CheckFunction, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi import checks
from starlette.types import ASGIApp

T = TypeVar("T")
Operation = APIOperation[Any, Any, Any, Any]

ANSWERS: tuple[CheckFunction, ...] = (
    not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
)
"""No 5xx, and no answer outside its schema."""
_LONGEST = 60.0


class Server:
    """An application that is asked from another thread than its own."""

    def __init__(self, loop: asyncio.AbstractEventLoop, app: ASGIApp, headers: Mapping[str, str]) -> None:
        self._loop = loop
        self._headers = headers
        self._client = httpx.AsyncClient(transport=httpx.ASGITransport(app=app, raise_app_exceptions=True))

    def wait(self, awaitable: Awaitable[T]) -> T:
        """What an awaitable of the server's loop gives."""

        async def bounded() -> T:
            async with asyncio.timeout(_LONGEST):
                return await awaitable

        return asyncio.run_coroutine_threadsafe(bounded(), self._loop).result()

    def send(self, request: requests.PreparedRequest) -> httpx.Response:
        """The reply to a request. The server's own headers win: made-up credentials would meet nothing but 401."""
        assert request.method is not None
        assert request.url is not None
        made_up = {name: value for name, value in request.headers.items() if name.lower() not in self._headers}
        sent = self._client.request(
            request.method, request.url, content=request.body or b"", headers={**made_up, **self._headers}
        )
        return self.wait(sent)

    async def close(self) -> None:
        await self._client.aclose()


@contextmanager
def serving(make: Callable[[], AbstractAsyncContextManager[ASGIApp]], headers: Mapping[str, str]) -> Iterator[Server]:
    """Run an application for a while; `headers`, by their lower-case names, are sent with every request."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="fuzzed server", daemon=True)
    thread.start()
    context = make()
    try:
        app = asyncio.run_coroutine_threadsafe(context.__aenter__(), loop).result(_LONGEST)
        server = Server(loop, app, headers)
        try:
            yield server
        finally:
            asyncio.run_coroutine_threadsafe(server.close(), loop).result(_LONGEST)
            asyncio.run_coroutine_threadsafe(context.__aexit__(None, None, None), loop).result(_LONGEST)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(_LONGEST)
        loop.close()


class Known(NamedTuple):
    """What makes requests meet something: values of path parameters, and of queries that must not be made up."""

    paths: Sequence[Mapping[str, str]] = ()
    """Some requests have these in their paths, as far as an operation has such parameters."""
    query: Mapping[str, Any] = {}
    """Always these, where the operation has such parameters."""
    fields: Mapping[str, Any] = {}
    """About half of the bodies have these for what they have by such names, at any depth."""


class Document:
    """An OpenAPI document and its operations.

    Args:
        document: as JSON.
        base_path: where the operations are served.
    """

    def __init__(self, document: dict[str, Any], base_path: str) -> None:
        self._schema: BaseSchema = schemathesis.openapi.from_dict(document)
        self._base_path = base_path
        self._operations = {one.label: one for one in map(_right, self._schema.get_all_operations())}

    @property
    def labels(self) -> tuple[str, ...]:
        """Method and path of each operation."""
        return tuple(self._operations)

    def fuzz(
        self,
        label: str,
        server: Server,
        *,
        examples: int,
        known: Known,
        answers: Sequence[CheckFunction] = ANSWERS,
    ) -> None:
        """Send made-up requests of an operation, right and wrong ones, and check each answer. The same ones each time.

        Raises:
            schemathesis.errors.CheckFailed: of the first request that is answered otherwise than the document says.
        """
        operation = self._operations[label]

        @settings(
            max_examples=examples,
            derandomize=True,
            database=None,
            deadline=None,
            phases=(Phase.explicit, Phase.generate),
            suppress_health_check=list(HealthCheck),
        )
        @given(case=_cases(operation, known))
        def holds(case: Case[Any]) -> None:
            request = requests.Request(**case.as_transport_kwargs(base_url=f"http://airgate{self._base_path}"))
            case.validate_response(server.send(request.prepare()), checks=list(answers))

        holds()


def _right(result: Any) -> Operation:
    operation: Operation = result.ok()  # raises what is wrong with the document
    return operation


@st.composite
def _cases(draw: st.DrawFn, operation: Operation, known: Known) -> Case[Any]:
    case: Case[Any] = draw(st.one_of(_strategies(operation, known)))
    meets: bool = draw(st.booleans())
    if meets:
        _put(known.fields, case.body)
    return case


def _strategies(operation: Operation, known: Known) -> list[st.SearchStrategy[Case[Any]]]:
    """Right and wrong requests, with a path that is made up, and with each one that is known."""
    names = {parameter.name for parameter in operation.path_parameters}
    query = {name: known.query[name] for name in known.query if name in {one.name for one in operation.query}}
    places: list[dict[str, str] | None] = [None]
    for place in known.paths:
        meant = {name: value for name, value in place.items() if name in names}
        if meant and meant not in places:
            places.append(meant)
    return [
        operation.as_strategy(mode, path_parameters=place, query=query or None)
        for place in places
        for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)
    ]


def _put(fields: Mapping[str, Any], value: Any) -> None:
    if isinstance(value, list):
        for item in value:
            _put(fields, item)
    elif isinstance(value, dict):
        for name, item in value.items():
            if name in fields:
                value[name] = fields[name]
            else:
                _put(fields, item)
