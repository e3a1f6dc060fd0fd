from __future__ import annotations

import socket
import threading
from collections.abc import Iterator

import msgspec
import pytest

from airgate.sdk import protocol
from airgate.sdk.wire import Engine, Wire, hello


@pytest.fixture
def ends() -> Iterator[tuple[Wire, socket.socket]]:
    ours, theirs = socket.socketpair()
    yield Wire(ours), theirs
    ours.close()
    theirs.close()


def test_a_frame_is_a_length_and_an_array_of_id_and_body(ends: tuple[Wire, socket.socket]) -> None:
    wire, peer = ends
    wire.send(protocol.ChildGone(pid=5, status=-9))

    data = peer.recv(1000)
    assert int.from_bytes(data[:4], "big") == len(data) - 4
    assert msgspec.msgpack.decode(data[4:]) == [-1, {"type": "ChildGone", "pid": 5, "status": -9}]


def test_an_answer_carries_the_id_of_its_question(ends: tuple[Wire, socket.socket]) -> None:
    wire, peer = ends
    wire.send(protocol.RunDates(), 7)

    assert msgspec.msgpack.decode(peer.recv(1000)[4:], type=list)[0] == 7


@pytest.mark.parametrize(
    ("frame", "expected"),
    [
        ([1, {"type": "Shutdown"}], (1, {"type": "Shutdown"}, None)),
        ([2, None, {"type": "ErrorResponse"}], (2, None, {"type": "ErrorResponse"})),
    ],
)
def test_a_frame_is_read_with_its_error_if_it_has_one(
    ends: tuple[Wire, socket.socket], frame: list[object], expected: tuple[object, ...]
) -> None:
    wire, peer = ends
    peer.sendall(framed(frame))

    assert wire.receive() == expected


def test_reading_takes_no_more_than_one_frame(ends: tuple[Wire, socket.socket]) -> None:
    wire, peer = ends
    peer.sendall(framed([1, {}]) + b"rest")

    wire.receive()
    assert wire.socket.recv(100) == b"rest"


def test_a_frame_that_comes_in_pieces_is_put_together(ends: tuple[Wire, socket.socket]) -> None:
    wire, peer = ends
    body = {"text": "x" * 1_000_000}
    sender = threading.Thread(target=peer.sendall, args=(framed([3, body]),))
    sender.start()

    assert wire.receive() == (3, body, None)
    sender.join()


@pytest.mark.parametrize("part", [b"", b"\x00\x00", b"\x00\x00\x00\x09abc"])
def test_a_connection_that_ends_early_is_the_end(ends: tuple[Wire, socket.socket], part: bytes) -> None:
    wire, peer = ends
    peer.sendall(part)
    peer.shutdown(socket.SHUT_WR)

    with pytest.raises(EOFError):
        wire.receive()


def test_hello_names_role_file_and_process(ends: tuple[Wire, socket.socket]) -> None:
    wire, peer = ends
    hello(wire, Engine("/socket", "secret"), "try", file_key="k")

    body = msgspec.convert(msgspec.msgpack.decode(peer.recv(1000)[4:], type=list)[1], protocol.Hello)
    assert (body.role, body.token, body.file_key, body.protocol) == ("try", "secret", "k", protocol.PROTOCOL)
    assert body.pid > 0


def framed(frame: list[object]) -> bytes:
    payload = msgspec.msgpack.encode(frame)
    return len(payload).to_bytes(4, "big") + payload
