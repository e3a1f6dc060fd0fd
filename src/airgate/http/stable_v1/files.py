"""DAG files in v1: their text, having them parsed, and why one cannot be imported.

Clients know a file by a token, which is its path, signed. Who is limited to some DAGs reads a file, or has it parsed,
where they may do so to every DAG it defines. Of its import error they hear where they may read one of them, and see the
stack trace, which may show any line of the file, where they may read all.
"""

from __future__ import annotations

from typing import Any, Final

from msgspec.structs import replace

from airgate.http import visible
from airgate.http.operations import Call
from airgate.http.replies import Reply
from airgate.http.stable_v1.accept import best_match
from airgate.http.stable_v1.common import existing, order, page
from airgate.http.stable_v1.dag_views import FileToken, import_error_view
from airgate.http.stable_v1.problems import Problem, not_found
from airgate.http.tokens import BadToken, Signer
from airgate.model.dag import ImportFailure
from airgate.model.query import Listing, Page

_FAILURE_ORDER: Final = {"import_error_id": "id", "timestamp": "timestamp", "filename": "file"}
_ALL: Final = Page(100_000)
_REDACTED: Final = "REDACTED - you do not have read permission on all DAGs in the file"
_UNREADABLE: Final = "You do not have read permission on any of the DAGs in the file"


def file_signer(secret: bytes) -> Signer:
    """Signs the paths of DAG files."""
    return Signer(secret, "dag file")


def file_token(call: Call) -> FileToken:
    """Makes the tokens of DAG files."""
    return file_signer(call.services.secret).sign


async def _named_file(call: Call, missing: Problem) -> str:
    """The file a token in the path stands for; the caller may do to all its DAGs what the operation does."""
    try:
        file: str = file_signer(call.services.secret).read(call.params["file_token"])
    except BadToken:
        raise missing from None
    await visible.require_file(call, file)
    return file


async def get_source(call: Call) -> Any:
    """GET /dagSources/{file_token}: the text of a DAG file."""
    missing = not_found(title="Dag source not found")
    file = await _named_file(call, missing)
    text = await existing(call.deployment.dags.source(file), lambda: missing)
    match best_match(call.header(b"accept"), ("text/plain", "application/json")):
        case "text/plain":
            return Reply(body=text.encode(), media_type="text/plain")
        case "application/json":
            return {"content": text}
        case _:
            return Reply(status=406, body=b"Not Allowed Accept Header", media_type="text/html; charset=utf-8")


async def parse_file(call: Call) -> Reply:
    """PUT /parseDagFile/{file_token}: have the file imported again, changed or not."""
    file = await _named_file(call, not_found(title="File not found"))
    await call.deployment.dags.parse(file)
    return Reply(status=201)


async def list_import_errors(call: Call) -> dict[str, Any]:
    """GET /importErrors."""
    ordered = order(call.query.order_by, "import_error_id", _FAILURE_ORDER)
    window = page(call)
    if visible.limit_of(call) is None:
        listing = await call.deployment.dags.import_failures(ordered, window)
    else:
        every = await call.deployment.dags.import_failures(ordered, _ALL)
        told = [shown for failure in every.items if (shown := await _as_told(call, failure)) is not None]
        listing = Listing(tuple(told[window.offset : window.offset + window.limit]), len(told))
    return {"import_errors": [import_error_view(item) for item in listing.items], "total_entries": listing.total}


async def get_import_error(call: Call) -> dict[str, Any]:
    """GET /importErrors/{import_error_id}."""
    number = call.params["import_error_id"]
    detail = f"The ImportError with import_error_id: `{number}` was not found"
    failure = await existing(
        call.deployment.dags.import_failure(number), lambda: not_found(detail, "Import error not found")
    )
    told = await _as_told(call, failure)
    if told is None:
        raise Problem(403, _UNREADABLE)
    return import_error_view(told)


async def _as_told(call: Call, failure: ImportFailure) -> ImportFailure | None:
    """The failure as this caller may see it; None: not at all."""
    test = visible.limit_of(call)
    if test is None:
        return failure
    allowed = [test(dag_id) for dag_id in await visible.dags_of_file(call, failure.file)]
    if not any(allowed):
        return None
    return failure if all(allowed) else replace(failure, stack_trace=_REDACTED)
