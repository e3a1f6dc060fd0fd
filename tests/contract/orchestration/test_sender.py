"""The obligations of `airgate.orchestration.sender.Sender`, against servers that behave in every way."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from airgate.orchestration.requests import Rendered
from airgate.orchestration.sender import KEPT_BODY, Answer, Sender, SystemNames
from tests.contract.orchestration.receivers import OK, Receiver, Request, answers, authority, hangs, resets, status

LOOPBACK = ("127.0.0.0/8",)
SHORT = 0.2
"""Seconds a try may last where the target is to exceed them."""
LONG = 30.0


class Names:
    """A resolver of the test's own: each name's answers one after another, the last again and again."""

    def __init__(self, **answers: list[list[str]]) -> None:
        self.asked: list[str] = []
        self._answers = {name.replace("_", "."): list(found) for name, found in answers.items()}

    async def __call__(self, host: str, _: int) -> list[str]:
        self.asked.append(host)
        if host not in self._answers:
            raise OSError("no such host")
        found = self._answers[host]
        return found.pop(0) if len(found) > 1 else found[0]


def post(url: str, body: bytes = b"{}", *headers: tuple[str, str], method: str = "POST") -> Rendered:
    return Rendered(method=method, url=url, headers=headers, body=body)


@pytest.fixture
async def sender() -> AsyncIterator[Sender]:
    made = Sender(Names(good_test=[["127.0.0.1"]]))
    yield made
    await made.close()


async def send(sender: Sender, request: Rendered, seconds: float = LONG) -> Answer:
    return await sender.send(request, {"webhook-id": "1"}, allowed=LOOPBACK, seconds=seconds)


# -------------------------------------------------------------------------------------------------------- what is sent


async def test_request_leaves_as_it_was_rendered(sender: Sender) -> None:
    async with Receiver() as receiver:
        request = post(receiver.url + "?a=%2F&b=%C3%A4", b'{"a":1}', ("content-type", "text/x"), ("user-agent", "Mine"))
        answer = await send(sender, request)
        (found,) = receiver.requests
    assert (answer.status, answer.body, answer.arrived, answer.error) == (200, b"ok", True, None)
    assert (found.line, found.body) == ("POST /hook?a=%2F&b=%C3%A4 HTTP/1.1", b'{"a":1}')
    assert {name for name, _ in found.headers} == {
        "host", "accept", "user-agent", "content-type", "content-length", "webhook-id",
    }  # fmt: skip
    assert found.header("user-agent") == "Mine"


@pytest.mark.parametrize("method", ["GET", "DELETE", "PUT", "PATCH", "POST"])
async def test_request_without_body_says_nothing_of_its_type(sender: Sender, method: str) -> None:
    async with Receiver() as receiver:
        assert (await send(sender, post(receiver.url, b"", method=method))).arrived
        (found,) = receiver.requests
    assert found.line == f"{method} /hook HTTP/1.1"
    assert "content-type" not in dict(found.headers)


@pytest.mark.parametrize("number", [301, 302, 303, 307, 308])
async def test_redirect_is_an_answer_and_is_not_followed(sender: Sender, number: int) -> None:
    async with Receiver() as other, Receiver(status(number, f"location: {other.url}")) as receiver:
        answer = await send(sender, post(receiver.url))
        assert (answer.status, answer.arrived, answer.header("location")) == (number, False, other.url)
        assert (len(receiver.requests), other.requests) == (1, [])


async def test_cookies_are_not_kept(sender: Sender) -> None:
    async with Receiver(status(200, "set-cookie: a=b; Path=/")) as receiver:
        for _ in range(2):
            await send(sender, post(receiver.url.replace("127.0.0.1", "good.test")))
        assert all("cookie" not in dict(request.headers) for request in receiver.requests)


async def test_proxy_of_the_environment_is_not_asked(sender: Sender, monkeypatch: pytest.MonkeyPatch) -> None:
    async with Receiver() as proxy, Receiver() as receiver:
        monkeypatch.setenv("http_proxy", proxy.url)
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        assert (await send(sender, post(receiver.url))).arrived
        assert (proxy.requests, len(receiver.requests)) == ([], 1)


async def test_compressed_answer_is_left_as_it_came(sender: Sender) -> None:
    packed = gzip.compress(b"0" * 10_000_000)
    head = b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: %d\r\n\r\n" % len(packed)
    async with Receiver(answers(head + packed)) as receiver:
        answer = await send(sender, post(receiver.url))
        assert answer.body == packed[:KEPT_BODY]
        assert "accept-encoding" not in dict(receiver.requests[0].headers)


# ----------------------------------------------------------------------------------------------- targets that misbehave


async def test_target_that_hangs_ends_in_time(sender: Sender) -> None:
    async with Receiver(hangs) as receiver:
        answer = await send(sender, post(receiver.url), SHORT)
    assert (answer.status, answer.error) == (None, "no answer within 0.2 s")
    assert answer.latency >= SHORT


async def test_target_that_does_not_even_listen_is_an_error(sender: Sender) -> None:
    async with Receiver() as receiver:
        url = receiver.url
    answer = await send(sender, post(url))
    assert answer.status is None
    assert answer.error is not None
    assert not answer.refused


async def test_target_that_resets_is_an_error(sender: Sender) -> None:
    async with Receiver(resets) as receiver:
        answer = await send(sender, post(receiver.url))
    assert (answer.status, answer.refused) == (None, False)


async def byte_by_byte(writer: asyncio.StreamWriter, text: bytes) -> None:
    """Each in a segment of its own, and then no more."""
    for sign in text:
        writer.write(bytes([sign]))
        await writer.drain()
    await asyncio.Event().wait()


async def drips(_: Request, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 202 OK\r\ncontent-length: 1000\r\n\r\n")
    await byte_by_byte(writer, b"...")


async def test_head_counts_although_the_body_comes_byte_by_byte(sender: Sender) -> None:
    async with Receiver(drips) as receiver:
        answer = await send(sender, post(receiver.url), SHORT)
    assert (answer.status, answer.arrived) == (202, True)


async def drips_head(_: Request, writer: asyncio.StreamWriter) -> None:
    await byte_by_byte(writer, OK[:-6])


async def test_head_that_comes_byte_by_byte_ends_in_time(sender: Sender) -> None:
    async with Receiver(drips_head) as receiver:
        answer = await send(sender, post(receiver.url), SHORT)
    assert (answer.status, answer.arrived) == (None, False)


class Flood:
    """Sends without end, and counts how much of it was taken."""

    def __init__(self, head: bytes, part: bytes) -> None:
        self._head, self._part = head, part
        self.taken = 0
        self.over = asyncio.Event()

    async def __call__(self, _: Request, writer: asyncio.StreamWriter) -> None:
        try:
            writer.write(self._head)
            while True:
                writer.write(self._part)
                await writer.drain()
                self.taken += len(self._part)
        except ConnectionError:
            self.over.set()


@pytest.mark.parametrize(
    "head", [b"HTTP/1.1 200 OK\r\ncontent-length: 999999999999\r\n\r\n", b"HTTP/1.1 200 OK\r\n\r\n"]
)
async def test_only_the_beginning_of_a_huge_body_is_read(sender: Sender, head: bytes) -> None:
    flood = Flood(head, b"x" * 65536)
    async with Receiver(flood) as receiver:
        answer = await send(sender, post(receiver.url))
        await flood.over.wait()  # nobody listens any more
    assert (answer.arrived, answer.body) == (True, b"x" * KEPT_BODY)
    assert flood.taken < 50_000_000


@pytest.mark.parametrize(
    "part", [b"x" * 1000, b"a: b\r\n", b"a: " + b"x" * 1000 + b"\r\n"], ids=["line", "many", "long"]
)
async def test_head_without_end_is_given_up(sender: Sender, part: bytes) -> None:
    flood = Flood(b"HTTP/1.1 200 OK\r\n", part)
    async with Receiver(flood) as receiver:
        answer = await send(sender, post(receiver.url))
        await flood.over.wait()
    assert (answer.status, answer.arrived) == (None, False)
    assert flood.taken < 50_000_000


@pytest.mark.parametrize(
    "raw",
    [
        b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nshort",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhe",
    ],
    ids=["length", "cut"],
)
async def test_head_counts_although_the_body_is_not_what_it_says(sender: Sender, raw: bytes) -> None:
    async def lies(_: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(raw)
        writer.close()

    async with Receiver(lies) as receiver:
        answer = await send(sender, post(receiver.url))
    assert (answer.status, answer.arrived) == (200, True)


async def test_answer_that_is_longer_than_it_says_spoils_no_later_try(sender: Sender) -> None:
    async with Receiver(answers(OK + b"HTTP/1.1 500 Smuggled\r\ncontent-length: 0\r\n\r\n")) as receiver:
        found = [await send(sender, post(receiver.url)) for _ in range(3)]
    assert [answer.status for answer in found] == [200, 200, 200]


@pytest.mark.parametrize(
    "raw",
    [
        b"\x00\x01\x02 garbage \xff\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"HTTP/9.9 banana\r\n\r\n",
        b"HTTP/1.1 99999 X\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: -5\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n: nameless\r\n\r\n",
        b"",
    ],
)  # fmt: skip
async def test_garbage_is_an_error(sender: Sender, raw: bytes) -> None:
    async def says(_: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(raw)
        writer.close()

    async with Receiver(says) as receiver:
        answer = await send(sender, post(receiver.url))
    assert not answer.arrived
    assert answer.error


async def test_connection_is_used_again_until_the_target_closes_it(sender: Sender) -> None:
    async def closes(request: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(OK if request.connection == 1 and len(receiver.requests) == 1 else OK.replace(b"\r\n", _CLOSE, 1))
        await writer.drain()
        if len(receiver.requests) > 1:
            writer.close()

    async with Receiver(closes) as receiver:
        found = [await send(sender, post(receiver.url)) for _ in range(4)]
    assert all(answer.arrived for answer in found)
    assert [request.connection for request in receiver.requests] == [1, 1, 2, 3]


_CLOSE = b"\r\nconnection: close\r\n"


# ----------------------------------------------------------------------------------------------------------------- TLS


async def test_certificate_of_a_trusted_authority_is_enough(tmp_path: Path) -> None:
    ours = authority(tmp_path, "127.0.0.1", "good.test")
    sender = Sender(Names(good_test=[["127.0.0.1"]]), ours.client)
    async with Receiver(tls=ours.server) as receiver:
        assert (await send(sender, post(receiver.url))).arrived
        assert (await send(sender, post(receiver.url.replace("127.0.0.1", "good.test")))).arrived
        await sender.close()


async def test_certificate_of_another_host_or_authority_is_refused(tmp_path: Path, sender: Sender) -> None:
    ours = authority(tmp_path, "other.test")
    trusting = Sender(Names(good_test=[["127.0.0.1"]]), ours.client)
    async with Receiver(tls=ours.server) as receiver:
        url = receiver.url.replace("127.0.0.1", "good.test")
        for one in (trusting, sender):
            answer = await send(one, post(url))
            assert (answer.status, answer.refused) == (None, False)
            assert "ertificate" in (answer.error or "")
        assert receiver.requests == []
        await trusting.close()


# ----------------------------------------------------------------------------------------------------------- addresses

PRIVATE = [
    "127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "255.255.255.255",  # noqa: S104 - not bound to
    "224.0.0.1", "240.0.0.1", "192.0.2.1", "198.18.0.1", "::1", "::", "fe80::1", "fc00::1", "fec0::1", "ff02::1",
    "::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::a00:1", "2002:7f00:1::",
    "2002:a00:1::1", "2001:0:4136:e378:8000:63bf:3fff:fdd2", "::127.0.0.1", "2001:db8::1", "fd00:ec2::254",
]  # fmt: skip


@pytest.mark.parametrize("address", PRIVATE)
async def test_address_that_is_not_public_is_refused_as_a_literal_and_behind_a_name(address: str) -> None:
    sender = Sender(Names(evil_test=[[address]]))
    for host in ("evil.test", f"[{address}]" if ":" in address else address):
        answer = await sender.send(post(f"http://{host}:1/"), {}, seconds=LONG)
        assert (answer.status, answer.refused) == (None, True), host
        assert "not public" in (answer.error or "")
    await sender.close()


async def test_one_private_address_among_public_ones_is_enough_to_refuse() -> None:
    sender = Sender(Names(evil_test=[["93.184.216.34", "127.0.0.1"]]))
    assert (await sender.send(post("http://evil.test/"), {}, seconds=LONG)).refused
    await sender.close()


@pytest.mark.parametrize(
    "host", ["2130706433", "127.1", "0x7f000001", "0x7f.1", "0177.0.0.1", "017700000001", "127.0.0.1.", "localhost",
             "LOCALHOST", "①27.0.0.1", "１２７.0.0.1", "[::ffff:7f00:1]", "[0:0:0:0:0:0:0:1]", "[fe80::1%25lo]"],  # noqa: RUF001 - spellings of an attacker
)  # fmt: skip
async def test_other_spellings_of_the_loopback_lead_nowhere(host: str) -> None:
    sender = Sender(SystemNames())
    async with Receiver() as receiver:
        answer = await sender.send(post(f"http://{host}:{receiver.port}/"), {}, seconds=LONG)
        assert answer.status is None
        assert receiver.requests == []
    await sender.close()


@pytest.mark.parametrize(
    "url",
    [
        "ftp://x.test/",
        "file:///etc/passwd",
        "http://",
        "http:///x",
        "//x.test",
        "x",
        "http://[",
        "http://x.test:99999/",
    ],
)
async def test_what_is_no_url_of_http_is_not_sent(sender: Sender, url: str) -> None:
    answer = await send(sender, post(url))
    assert answer.status is None
    assert answer.error


async def test_name_is_resolved_once_per_connection_and_connected_to_where_it_led() -> None:
    names = Names(rebinding_test=[["127.0.0.2"], ["127.0.0.1"]])
    sender = Sender(names)
    async with Receiver() as receiver:
        url = receiver.url.replace("127.0.0.1", "rebinding.test")
        first = await sender.send(post(url), {}, allowed=("127.0.0.2/32",), seconds=LONG)
        second = await sender.send(post(url), {}, allowed=("127.0.0.2/32",), seconds=LONG)
        assert (first.refused, second.refused, receiver.requests) == (False, True, [])
        assert names.asked == ["rebinding.test"] * 2
        for _ in range(3):
            assert (await sender.send(post(url), {}, allowed=LOOPBACK, seconds=LONG)).arrived
        assert len(names.asked) == 3
    await sender.close()


async def test_connection_of_those_who_may_is_not_used_by_those_who_may_not() -> None:
    sender = Sender(Names(good_test=[["127.0.0.1"]]))
    async with Receiver() as receiver:
        url = receiver.url.replace("127.0.0.1", "good.test")
        assert (await sender.send(post(url), {}, allowed=LOOPBACK, seconds=LONG)).arrived
        assert (await sender.send(post(url), {}, seconds=LONG)).refused
        assert len(receiver.requests) == 1
    await sender.close()


async def test_name_that_does_not_exist_is_an_error_that_may_pass(sender: Sender) -> None:
    answer = await send(sender, post("http://nowhere.test/"))
    assert (answer.status, answer.refused) == (None, False)


async def test_name_without_an_answer_ends_in_time() -> None:
    async def silent(_: str, __: int) -> list[str]:
        await asyncio.Event().wait()
        return []

    sender = Sender(silent)
    assert (await sender.send(post("http://x.test/"), {}, seconds=SHORT)).error == "no answer within 0.2 s"
    await sender.close()


async def test_many_groups_of_networks_do_not_close_connections_that_are_used() -> None:
    sender = Sender(Names(good_test=[["127.0.0.1"]]))
    release = asyncio.Event()

    async def waits(_: Request, writer: asyncio.StreamWriter) -> None:
        await release.wait()
        writer.write(OK)

    async with Receiver(waits) as slow, Receiver() as quick:
        waiting = asyncio.create_task(sender.send(post(slow.url), {}, allowed=LOOPBACK, seconds=LONG))
        await slow.arrived(1)
        for number in range(40):
            allowed = (*LOOPBACK, f"10.{number}.0.0/16")
            assert (await sender.send(post(quick.url), {}, allowed=allowed, seconds=LONG)).arrived
        release.set()
        assert (await waiting).arrived
    await sender.close()
