from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable
from typing import Any

from airgate.http.errors import BodyTooLarge, RouteNotFound
from airgate.http.operations import Call, Check, Dialect, Operation
from airgate.http.replies import Reply
from airgate.http.runner import Message, Runner
from tests.support.memory_deployment import World
from tests.support.stable_v1_world import SteppingClock, services_for


def dialect(*operations: Operation, checks: tuple[Check, ...] = ()) -> Dialect:
    return Dialect(
        name="small",
        prefix="/small",
        operations=operations,
        checks=checks,
        encode=lambda value: Reply(body=str(value).encode()),
        explain=explain,
        headers=((b"x-small", b"yes"),),
    )


def explain(error: Exception) -> Reply:
    status = {RouteNotFound: 404, BodyTooLarge: 413}.get(type(error), 500)
    return Reply(status=status, body=type(error).__name__.encode())


async def ask(
    served: Dialect,
    path: str = "/thing",
    *,
    method: str = "POST",
    parts: tuple[bytes, ...] = (b"",),
    gone_after: int | None = None,
    max_body: int = 100,
) -> tuple[list[Message], list[Message]]:
    """Messages sent, and body parts never asked for."""
    world = World(SteppingClock())
    runner = Runner(served, services_for(world), world.deployment(), max_body)
    waiting: list[Message] = [
        {"type": "http.request", "body": part, "more_body": index < len(parts) - 1} for index, part in enumerate(parts)
    ]
    if gone_after is not None:
        waiting[gone_after:] = [{"type": "http.disconnect"}]
    sent: list[Message] = []

    async def receive() -> Message:
        return waiting.pop(0)

    async def send(message: Message) -> None:
        sent.append(message)

    scope: dict[str, Any] = {"method": method, "path": path, "query_string": b"", "headers": []}
    await runner.serve(scope, receive, send, path.encode())
    return sent, waiting


def operation(method: str = "POST", body: Any = "anything", handler: Any = None) -> Operation:
    async def echo(call: Call) -> str:
        return call.raw_body.decode()

    return Operation(method=method, path="/thing", handler=handler or echo, body=body)


def check(name: str, seen: list[str], *, wait: bool = False, fail: bool = False) -> Check:
    async def later() -> None:
        seen.append(name)

    def run(_: Call) -> Awaitable[None] | None:
        if fail:
            raise ValueError(name)
        if wait:
            return later()
        seen.append(name)
        return None

    return Check(run, lambda _: True)


async def test_checks_run_in_the_order_of_the_dialect_before_the_handler() -> None:
    seen: list[str] = []

    async def handler(_: Call) -> str:
        seen.append("handler")
        return ""

    checks = (check("first", seen), check("second", seen, wait=True), check("third", seen))
    await ask(dialect(operation(handler=handler), checks=checks))
    assert seen == ["first", "second", "third", "handler"]


async def test_a_failing_check_keeps_the_later_ones_from_running() -> None:
    seen: list[str] = []
    sent, _ = await ask(dialect(operation(), checks=(check("a", seen), check("b", seen, fail=True), check("c", seen))))
    assert seen == ["a"]
    assert (sent[0]["status"], sent[1]["body"]) == (500, b"ValueError")


async def test_a_check_is_left_out_where_it_does_not_apply() -> None:
    never = Check(check("never", [], fail=True).run, lambda _: False)
    sent, _ = await ask(dialect(operation(), checks=(never,)))
    assert sent[0]["status"] == 200


async def test_every_reply_carries_the_headers_of_the_dialect() -> None:
    for path in ("/thing", "/nothing"):
        sent, _ = await ask(dialect(operation()), path)
        assert (b"x-small", b"yes") in sent[0]["headers"]


async def test_a_body_in_parts_is_put_together() -> None:
    sent, _ = await ask(dialect(operation()), parts=(b"a", b"b", b"c"))
    assert sent[1]["body"] == b"abc"


async def test_a_body_over_the_limit_is_refused_in_the_form_of_the_dialect() -> None:
    for parts in ((b"x" * 101,), (b"x" * 60, b"x" * 60)):
        sent, _ = await ask(dialect(operation()), parts=parts)
        assert (sent[0]["status"], sent[1]["body"]) == (413, b"BodyTooLarge")


async def test_a_body_of_exactly_the_limit_is_taken() -> None:
    for parts in ((b"x" * 100,), (b"x" * 50, b"x" * 50)):
        sent, _ = await ask(dialect(operation()), parts=parts)
        assert sent[0]["status"] == 200


async def test_a_body_over_the_limit_is_drained_so_that_the_client_hears_the_refusal() -> None:
    _, unread = await ask(dialect(operation()), parts=(b"x" * 60,) * 5)
    assert unread == []


async def test_draining_ends_at_some_point() -> None:
    _, unread = await ask(dialect(operation()), parts=(b"x" * 60,) * 50)
    assert unread


async def test_the_body_of_an_operation_that_takes_none_is_left_alone() -> None:
    _, unread = await ask(dialect(operation("GET", body=None)), method="GET", parts=(b"{}",))
    assert len(unread) == 1


async def test_nobody_is_answered_when_the_client_leaves_while_sending() -> None:
    sent, _ = await ask(dialect(operation()), parts=(b"a", b"b", b"c"), gone_after=2)
    assert sent == []


async def test_head_is_answered_with_the_length_and_no_body() -> None:
    async def handler(_: Call) -> str:
        return "four"

    sent, _ = await ask(dialect(operation("GET", None, handler)), method="HEAD")
    assert (b"content-length", b"4") in sent[0]["headers"]
    assert sent[1]["body"] == b""


async def test_options_names_the_methods() -> None:
    sent, _ = await ask(dialect(operation("GET", None), operation("PATCH")), method="OPTIONS")
    assert (sent[0]["status"], dict(sent[0]["headers"])[b"allow"]) == (200, b"GET, HEAD, OPTIONS, PATCH")


async def test_a_stream_is_sent_in_its_chunks() -> None:
    async def chunks() -> AsyncIterator[bytes]:
        yield b"a"
        yield b"b"

    async def handler(_: Call) -> Reply:
        return Reply(stream=chunks())

    sent, _ = await ask(dialect(operation("GET", None, handler)), method="GET")
    assert b"".join(message.get("body", b"") for message in sent) == b"ab"
    assert not sent[-1].get("more_body", False)


async def test_an_empty_reply_states_no_length() -> None:
    async def handler(_: Call) -> Reply:
        return Reply(status=204)

    sent, _ = await ask(dialect(operation("GET", None, handler)), method="GET")
    assert b"content-length" not in dict(sent[0]["headers"])
