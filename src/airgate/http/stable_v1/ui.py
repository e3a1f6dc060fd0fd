"""A page that lists v1's operations, where Airflow has its Swagger UI. It loads nothing, and runs nothing."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Final

from airgate.http.operations import Call, Operation
from airgate.http.replies import Reply
from airgate.http.stable_v1.described import DESCRIBED
from airgate.http.stable_v1.problems import AIRFLOW_VERSION

_HEADERS: Final = (
    (b"content-security-policy", b"default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-content-type-options", b"nosniff"),
)
_STYLE: Final = (
    "body{font:15px/1.5 system-ui,sans-serif;max-width:70rem;margin:2rem auto;padding:0 1rem}"
    "td{padding:.15rem 1rem .15rem 0;vertical-align:top}code{white-space:nowrap}"
)


def ui_rows(operations: Sequence[Operation]) -> tuple[Operation, ...]:
    """The rows that serve the page, to everybody."""
    page = _page(operations).encode()

    async def show(_: Call) -> Reply:
        return Reply(body=page, media_type="text/html; charset=utf-8", headers=_HEADERS)

    return tuple(Operation(method="GET", path=path, handler=show) for path in ("/ui", "/ui/"))


def _page(operations: Sequence[Operation]) -> str:
    rows = "".join(_row(operation) for operation in operations)
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>Stable REST API</title>'
        f"<style>{_STYLE}</style><h1>Airflow's stable REST API</h1>"
        f"<p>As Airflow {AIRFLOW_VERSION} speaks it. For tools: openapi.json and openapi.yaml, beside this page.</p>"
        f"<table>{rows}</table></html>\n"
    )


def _row(operation: Operation) -> str:
    path = operation.path.replace(":int}", "}")
    summary = DESCRIBED[operation.method, path].summary
    return f"<tr><td>{operation.method}</td><td><code>{escape(path)}</code></td><td>{escape(summary)}</td></tr>"
