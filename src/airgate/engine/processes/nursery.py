"""The nursery as a process of the operating system: started, listened to, waited for, ended."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import cast

from airgate.sdk import protocol

BOOT = Path(protocol.__file__).with_name("boot.py")
TAIL = 8192
"""Bytes of its output that are remembered, to say why it ended."""
LAST_WORDS = 0.2
"""Seconds to wait, after its end, for what it said last."""


class Output(asyncio.Protocol):
    """Reads what the nursery prints, and its DAG-file processes, which may outlive it, for as long as any of them does.

    Were it not read, they would hang in the attempt to print once the pipe is full.
    """

    def __init__(self) -> None:
        self.tail = bytearray()
        self.ended = asyncio.Event()
        self._transport: asyncio.ReadTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by asyncio."""
        self._transport = cast("asyncio.ReadTransport", transport)

    def data_received(self, data: bytes) -> None:
        """Called by asyncio."""
        self.tail += data
        del self.tail[:-TAIL]

    def connection_lost(self, exc: Exception | None) -> None:
        """Called by asyncio: nobody can print any more."""
        self.ended.set()

    def close(self) -> None:
        """Read no more."""
        if self._transport is not None:
            self._transport.close()


class NurseryProcess:
    """One run of the nursery. Make it with `start`."""

    def __init__(self, process: asyncio.subprocess.Process, output: Output) -> None:
        self.pid = process.pid
        self.output = output
        self._process = process

    @classmethod
    async def start(cls, python: str, env: Mapping[str, str], *, lock_fd: int, nice: int) -> NurseryProcess:
        """Start the nursery in a session of its own, `nice` steps behind the server; it inherits `lock_fd`.

        Raises:
            OSError: it cannot be started.
        """
        read_fd, write_fd = os.pipe()
        with os.fdopen(write_fd, "wb", 0) as printed:
            _, output = await asyncio.get_running_loop().connect_read_pipe(Output, os.fdopen(read_fd, "rb", 0))
            try:
                process = await asyncio.create_subprocess_exec(
                    python,
                    str(BOOT),
                    env=env,
                    pass_fds=(lock_fd,),
                    stdin=asyncio.subprocess.DEVNULL,
                    stdout=printed,
                    stderr=asyncio.subprocess.STDOUT,
                    start_new_session=True,
                )
            except BaseException:
                output.close()
                raise
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, process.pid, os.getpriority(os.PRIO_PROCESS, 0) + nice)
        return cls(process, output)

    async def wait(self) -> str:
        """Wait for its end; what it printed last."""
        await self._process.wait()
        with suppress(TimeoutError):
            async with asyncio.timeout(LAST_WORDS):
                await self.output.ended.wait()
        return self.output.tail.decode(errors="replace")

    async def end(self, within: float) -> None:
        """Have it end, by force after so many seconds."""
        if self._process.returncode is not None:
            return
        self._process.terminate()
        with suppress(TimeoutError):
            async with asyncio.timeout(within):
                await self._process.wait()
        if self._process.returncode is None:
            self._process.kill()
            await self._process.wait()
