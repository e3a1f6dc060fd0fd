"""How requests are read off a connection: uvicorn's way, but that no head of a request may grow without end.

Heads are read before anybody is asked who they are, and kept in memory until they end.
"""

from __future__ import annotations

from typing import Any, Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

LARGEST_HEAD: Final = 64 * 1024
"""Bytes of a request line and its headers, give or take what one read from the connection brings."""

_REFUSAL: Final = b"The head of the request is too large."
_REPLY: Final = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-type: text/plain; charset=utf-8\r\n"
    b"content-length: %d\r\nconnection: close\r\n\r\n%s" % (len(_REFUSAL), _REFUSAL)
)


class _Nowhere(list[Any]):
    """Where trailers go: a request is what its head says, and what comes after its body changes it no more."""

    def append(self, _: Any) -> None:
        """Keep nothing."""


class BoundedProtocol(HttpToolsProtocol):
    """One connection. A head larger than `LARGEST_HEAD` is answered with 431, and the connection is closed."""

    _in_head = False
    _head_size = 0

    def data_received(self, data: bytes) -> None:
        """Read what has come."""
        began_earlier = self._in_head
        super().data_received(data)
        if not self._in_head:
            return
        self._head_size = self._head_size + len(data) if began_earlier else 0
        if self._head_size > LARGEST_HEAD and not self.transport.is_closing():
            self.transport.write(_REPLY)
            self.transport.close()

    def on_message_begin(self) -> None:
        """A head begins."""
        self._in_head = True
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """The head is here, and the request is started."""
        self._in_head = False
        super().on_headers_complete()
        self.headers = _Nowhere()
