"""Logs in v1: a try's log as text, in pieces or whole."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, Final

import msgspec

from airgate.http.log_text import readable
from airgate.http.operations import Call
from airgate.http.replies import Reply
from airgate.http.stable_v1.accept import best_match
from airgate.http.stable_v1.common import existing
from airgate.http.stable_v1.problems import bad_request, not_found
from airgate.http.tokens import BadToken, Signer
from airgate.model.errors import NotFound
from airgate.model.run import TaskInstance

_PIECE: Final = 1024 * 1024
"""Bytes of log that one JSON answer carries at most, unless all of it is asked for. The token says where to go on."""


async def get_log(call: Call) -> Any:
    """GET …/taskInstances/{task_id}/logs/{task_try_number}."""
    signer = Signer(call.services.secret, "log position")
    position = _position(signer, call.query.token)
    full = call.query.full_content or position.get("download_logs", False)
    instance = await _instance(call)
    offset = 0 if full else position.get("log_pos", 0)
    number = call.params["task_try_number"]
    if best_match(call.header(b"accept"), ("text/plain", "application/json")) == "text/plain":
        # The whole log: text has no token to go on with.
        return Reply(media_type="text/plain", stream=_stream(instance.hostname, _lines(call, instance, number, 0)))
    if number < 1:
        token = signer.sign({"download_logs": full, "end_of_log": True})
        host, text = "default_host", f"Error fetching the logs. Try number {number} is invalid."
        return {"content": repr([(host, text)]), "continuation_token": token}
    text, read, ended = await _piece(_lines(call, instance, number, offset), None if full else _PIECE)
    token = signer.sign({"download_logs": full, "end_of_log": ended, "log_pos": offset + read})
    return {"content": repr([(instance.hostname, text)]), "continuation_token": token}


def _position(signer: Signer, token: str | None) -> dict[str, Any]:
    if not token:
        return {}
    try:
        position = signer.read(token)
    except BadToken:
        raise bad_request(None, "Bad Signature. Please use only the tokens provided by the API.") from None
    assert isinstance(position, dict)
    return position


async def _instance(call: Call) -> TaskInstance:
    params = call.params
    return await existing(
        call.deployment.tasks.get(params["dag_id"], params["dag_run_id"], params["task_id"], call.query.map_index),
        lambda: not_found(title="TaskInstance not found"),
    )


async def _lines(call: Call, instance: TaskInstance, number: int, offset: int) -> AsyncIterator[bytes]:
    """Whole lines of the try's log from `offset`; none for a try that has no log. The newline belongs to its line."""
    rest = b""
    chunks = call.deployment.tasks.log(
        instance.dag_id, instance.run_id, instance.task_id, instance.map_index, number, offset=offset
    )
    try:
        async for chunk in chunks:
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                yield line + b"\n"
    except NotFound:
        return


async def _piece(lines: AsyncIterator[bytes], limit: int | None) -> tuple[str, int, bool]:
    """The text of lines, how many bytes of log they are, and whether they reach the end of what is written."""
    parts: list[str] = []
    read = 0
    async for line in lines:
        parts.append(_text(line))
        read += len(line)
        if limit is not None and read >= limit:
            return "".join(parts), read, False
    return "".join(parts), read, True


async def _stream(host: str, lines: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield f"{host}\n".encode()
    async for line in lines:
        yield _text(line).encode("utf-8", "replace")
    yield b"\n"


def _text(line: bytes) -> str:
    try:
        entry = msgspec.json.decode(line)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        entry = None
    return readable(entry) if isinstance(entry, dict) else line.decode("utf-8", "replace")
