"""The process tree, with real processes: what it promises survives whichever part of it dies or goes."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import psutil  # type: ignore[import-untyped]  # the wheel has no type information
import pytest

from airgate.engine.ports import FileVersion, Work
from airgate.engine.processes.slots import ChildSlot
from airgate.engine.processes.tree import FOLDER_PREFIX, ProcessTree, TreeConfig
from airgate.engine.startup import startup_map
from airgate.model.errors import InvalidInput, Unavailable
from airgate.sdk import protocol
from tests.contract.engine.shell import until
from tests.contract.store.builders import START, make_run, make_task

TASKS = """
import os, signal, time
from pathlib import Path
from airflow.sdk import DAG, get_current_context, task

with DAG("d"):
    @task
    def t1():
        conf = get_current_context()["dag_run"].conf
        Path(conf["witness"]).touch()
        while "gate" in conf and not Path(conf["gate"]).exists():
            time.sleep(0.02)
        if "signal" in conf:
            os.kill(os.getpid(), conf["signal"])
    t1()
"""


class Listener:
    """Hears of slots that are free, and of a try."""

    def __init__(self) -> None:
        self.free: list[str] = []
        self.said: list[str] = []
        self.reasons: list[str | None] = []

    def slot_free(self, file_key: str) -> None:
        self.free.append(file_key)

    async def message(self, body: dict[str, Any]) -> dict[str, Any] | None:
        self.said.append(body["type"])
        return None

    def ended(self, reason: str | None) -> None:
        self.reasons.append(reason)


async def _answer_nothing(body: dict[str, Any]) -> dict[str, Any] | None:
    return None


class Grove:
    """A tree, its folder of DAG files, and who listens."""

    def __init__(self, folder: Path, **config: Any) -> None:
        self.dags = folder / "dags"
        self.dags.mkdir()
        self.listener = Listener()
        self.tree = ProcessTree(
            TreeConfig(
                python=sys.executable, dags=self.dags, home=folder / "home", lock=folder / "engine.lock", **config
            ),
            self.listener,
            _answer_nothing,
        )
        self.folder = folder

    def file(self, name: str, text: str = TASKS) -> FileVersion:
        (self.dags / name).write_text(text)
        return FileVersion(key=f"{name}@1", file=name, digest="1")

    async def slot(self, version: FileVersion) -> ChildSlot:
        """Reserve a process."""
        self.tree.demand({version.key: 1})
        slot = await until(lambda: self.tree.reserve(version.key))
        self.tree.demand({})
        return slot

    def start(self, slot: ChildSlot, version: FileVersion, **conf: Any) -> tuple[Listener, Path]:
        """Start a try; who hears of it, and the file it makes once it runs."""
        witness = self.folder / f"witness-{slot.pid}"
        run = make_run(conf={"witness": str(witness), **conf}, start_date=START)
        instance = make_task(try_number=1, dag_version_id=run.id, start_date=START)
        log_path = self.folder / f"{slot.pid}.log"
        work = Work(
            try_id=instance.id,
            dag_id="d",
            run_id="r1",
            task_id="t1",
            map_index=-1,
            try_number=1,
            startup=startup_map(run, instance, file=version.file, should_retry=False),
            log_path=str(log_path),
        )
        listener = Listener()
        assert slot.start(work, listener)
        return listener, witness

    async def process_of(self, version: FileVersion) -> int:
        """The pid of a file's process."""
        parent = psutil.Process(os.getpid())

        def find() -> int | None:
            for one in parent.children(recursive=True):
                try:
                    if " ".join(one.cmdline()).endswith(f"dag file {self.dags / version.file}"):
                        return int(one.pid)
                except psutil.Error:
                    continue
            return None

        return await until(find)


@pytest.fixture
async def grow(tmp_path: Path) -> AsyncIterator[Callable[..., Awaitable[Grove]]]:
    grown: list[Grove] = []

    async def grow(**config: Any) -> Grove:
        grove = Grove(tmp_path, **config)
        grown.append(grove)
        await grove.tree.start()
        return grove

    yield grow
    for grove in grown:
        await grove.tree.stop()


@pytest.fixture
async def grove(grow: Callable[..., Awaitable[Grove]]) -> Grove:
    return await grow()


async def loaded(grove: Grove, name: str = "d.py") -> FileVersion:
    version = grove.file(name)
    parsed = await grove.tree.load(version)
    assert parsed.error is None
    return version


async def test_promised_process_of_a_version_that_goes_still_does_its_work(grove: Grove) -> None:
    version = await loaded(grove)
    slot = await grove.slot(version)
    grove.tree.retire(version.key)
    pid = await grove.process_of(version)
    await asyncio.sleep(0.3)
    listener, witness = grove.start(slot, version)
    await until(witness.exists)
    await until(lambda: listener.reasons)
    assert (listener.said[-1], listener.reasons) == ("SucceedTask", [None])
    await until(lambda: not psutil.pid_exists(pid))


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV])
async def test_end_of_a_try_is_told_although_its_version_has_gone(grove: Grove, number: signal.Signals) -> None:
    version = await loaded(grove)
    gate = grove.folder / "gate"
    listener, witness = grove.start(await grove.slot(version), version, gate=str(gate), signal=int(number))
    await until(witness.exists)
    pid = await grove.process_of(version)
    grove.tree.retire(version.key)
    await until(lambda: not psutil.pid_exists(pid))
    gate.touch()
    await until(lambda: listener.reasons)
    assert listener.reasons == [f"killed by signal {int(number)} ({number.name})"]


async def test_idle_processes_of_a_parent_that_died_are_promised_to_nobody(grove: Grove) -> None:
    version = await loaded(grove)
    slot = await grove.slot(version)
    slot.release()
    assert version.key in grove.listener.free
    grove.listener.free.clear()
    os.kill(await grove.process_of(version), signal.SIGKILL)

    def nothing_is_promised() -> bool:
        promised = grove.tree.reserve(version.key)
        if promised is not None:  # the engine has not heard of the death yet
            promised.release()
            grove.listener.free.clear()
        return promised is None

    await until(nothing_is_promised)
    # Whoever waits is told to look again, and what waits is imported once more.
    await until(lambda: grove.listener.free)
    assert grove.tree.reserve(version.key) is None
    again = await grove.slot(version)
    listener, witness = grove.start(again, version)
    await until(lambda: listener.reasons)
    assert witness.exists()


async def test_process_that_died_after_it_was_promised_says_that_nothing_began(grove: Grove) -> None:
    version = await loaded(grove)
    slot = await grove.slot(version)
    os.kill(slot.pid, signal.SIGKILL)
    await until(lambda: slot._connection.closed)
    listener = Listener()
    work = Work(
        try_id=make_run().id,
        dag_id="d",
        run_id="r",
        task_id="t1",
        map_index=-1,
        try_number=1,
        startup={},
        log_path="",
    )
    assert slot.start(work, listener) is False
    assert listener.reasons == []


async def test_work_that_has_no_form_on_the_wire_is_refused_and_the_process_stays_good(grove: Grove) -> None:
    version = await loaded(grove)
    slot = await grove.slot(version)
    with pytest.raises(ValueError, match="MessagePack"):
        grove.start(slot, version, too_large=2**70)
    slot.release()
    listener, _ = grove.start(await grove.slot(version), version)
    await until(lambda: listener.reasons == [None])


async def test_process_that_was_told_to_stop_gets_no_other_work(grow: Callable[..., Awaitable[Grove]]) -> None:
    grove = await grow(reuse_limit=10)
    version = await loaded(grove)
    gate = grove.folder / "gate"
    slot = await grove.slot(version)
    listener, witness = grove.start(slot, version, gate=str(gate))
    await until(witness.exists)
    slot.stop(30)
    gate.touch()
    await until(lambda: listener.reasons)
    others = [await grove.slot(version) for _ in range(2)]
    assert slot.pid not in {other.pid for other in others}


async def test_process_is_reused_up_to_its_limit(grow: Callable[..., Awaitable[Grove]]) -> None:
    grove = await grow(reuse_limit=2)
    version = await loaded(grove)
    slot = await grove.slot(version)
    pids = []
    for _ in range(2):
        pids.append(slot.pid)
        listener, _ = grove.start(slot, version)
        await until(lambda heard=listener: heard.reasons)  # type: ignore[misc]
        slot = await grove.slot(version)
        while slot.pid not in pids and len(pids) < 2:
            slot = await grove.slot(version)
    assert pids[0] == pids[1]
    assert slot.pid not in pids


async def test_file_that_hangs_holds_up_no_other(grow: Callable[..., Awaitable[Grove]]) -> None:
    grove = await grow(parallel_imports=1, import_timeout=60.0)
    hanging = asyncio.ensure_future(grove.tree.load(grove.file("hangs.py", "import time; time.sleep(600)")))
    pid = await grove.process_of(FileVersion(key="", file="hangs.py", digest=""))
    await loaded(grove)
    assert not hanging.done()
    hanging.cancel()
    await grove.tree.stop()
    await until(lambda: not psutil.pid_exists(pid))


async def test_import_that_several_wait_for_outlives_the_nursery(grove: Grove) -> None:
    gate = grove.folder / "gate"
    slow = f"import time, pathlib\nwhile not pathlib.Path({str(gate)!r}).exists(): time.sleep(0.02)\n{TASKS}"
    version = grove.file("slow.py", slow)
    waiting = [asyncio.ensure_future(grove.tree.load(version)) for _ in range(3)]
    await grove.process_of(version)
    assert grove.tree._nursery is not None
    os.kill(grove.tree._nursery.pid, signal.SIGKILL)
    gate.touch()
    parsed = await asyncio.gather(*waiting)
    assert [one.error for one in parsed] == [None] * 3


async def test_question_to_a_timetable_that_raises_is_answered_with_what_it_raised(grove: Grove) -> None:
    version = await loaded(grove)
    question = protocol.ManualInterval(dag_id="nobody", run_after=START.isoformat())
    with pytest.raises(InvalidInput, match="nobody"):
        await grove.tree.ask(version, question)


async def test_question_to_a_process_that_dies_meanwhile_is_unavailable(grove: Grove) -> None:
    text = (
        "import os, signal\nfrom airflow.timetables.simple import NullTimetable\nfrom airflow.sdk import DAG\n"
        "class Deadly(NullTimetable):\n"
        "    def infer_manual_data_interval(self, *, run_after): os.kill(os.getpid(), signal.SIGKILL)\n"
        "with DAG('d', schedule=Deadly()): pass\n"
    )
    version = grove.file("deadly.py", text)
    await grove.tree.load(version)
    with pytest.raises(Unavailable):
        await grove.tree.ask(version, protocol.ManualInterval(dag_id="d", run_after=START.isoformat()))


async def test_folder_that_a_killed_server_left_behind_is_removed(
    grow: Callable[..., Awaitable[Grove]], tmp_path: Path
) -> None:
    lock = tmp_path / "engine.lock"
    left = Path(tempfile.mkdtemp(prefix=FOLDER_PREFIX))
    lock.write_text(str(left))
    await grow()
    assert not left.exists()  # noqa: ASYNC240
    assert lock.read_text() != str(left)


async def test_folder_that_is_no_server_s_is_left_alone(grow: Callable[..., Awaitable[Grove]], tmp_path: Path) -> None:
    precious = tmp_path / "airgate-precious"
    precious.mkdir()
    (tmp_path / "engine.lock").write_text(str(precious))
    await grow()
    assert precious.is_dir()
