"""`kill -9` at any moment while jobs end: every webhook that is due arrives, again only as what it was."""

from __future__ import annotations

import json
import os
import threading
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from random import Random, SystemRandom
from typing import Any, NamedTuple
from uuid import UUID

import pytest
from standardwebhooks.webhooks import Webhook

from airgate.model.workspace import DEFAULT_WORKSPACE_ID
from benchmarks.peers.airgate import Airgate
from benchmarks.processes import NotInTime, pause, wait_for
from benchmarks.wire import ConnectionLost, Wire
from tests.crash.receiver import FAILING, Receiver, receiving
from tests.crash.server import Api, Kind
from tests.crash.storm import Poster, Storm, unfinished

pytestmark = pytest.mark.crash

DAGS = """
from __future__ import annotations

from airflow.sdk import DAG, task

LIMITS = {"schedule": None, "max_active_runs": 1000, "max_active_tasks": 1000}


@task
def tell(ti=None):
    ti.xcom_push(key="airgate", value={"rows": 7, "table_name": "orders"})


@task
def fail():
    raise RuntimeError("no source")


with DAG("moves", **LIMITS):
    tell()

with DAG("breaks", **LIMITS):
    fail()

with DAG("follows", **LIMITS):
    tell()
"""
TRIGGERED = ("moves", "breaks")
ALL_DAGS = (*TRIGGERED, "follows")
DECK = (*[Kind.SERVER] * 7, Kind.NURSERY, Kind.FILE, *[Kind.TASK] * 3)
"""What is killed in a dozen kills: mostly the server, as it is what sends."""
FINISHED, FAILED = "FINISHED", "FAILED"
PER_SECOND = 3.0
"""Runs and reports each that every poster makes."""


class Hook(NamedTuple):
    """A webhook, and what it is to be told."""

    path: str
    """Where it sends to; empty where it starts a DAG."""
    statuses: tuple[str, ...]
    more: Mapping[str, Any] = {}

    @property
    def rules(self) -> list[dict[str, Any]]:
        return [{"variable_name": "STATUS", "operation": "IN", "value": list(self.statuses)}]


TOLD = {"execution": "${{erathos.execution_id}}", "status": "${{erathos.status}}", "rows": 7}
COALESCED = Hook(
    "/coalesced", (FINISHED, FAILED),
    {"coalesce": {"seconds": 2, "key": "${{erathos.job_id}}"},
     "body": {"job": "${{erathos.job_id}}", "count": "${{run.count}}"}},
)  # fmt: skip
STARTS = Hook(
    "", (FINISHED,),
    {"target": {"kind": "dag", "deployment": "local", "dag_id": "follows"},
     "body": {"cause": "${{erathos.execution_id}}"}},
)  # fmt: skip
SENDS = (
    Hook("/success", (FINISHED,), {"body": TOLD}),
    Hook("/failure", (FAILED,), {"body": TOLD}),
    Hook(FAILING, (FINISHED, FAILED), {"body": TOLD, "timeout": 3}),
)


@pytest.fixture
def seed() -> int:
    """Where the randomness of a test comes from; shown when it fails. `CRASH_SEED` repeats one."""
    chosen = int(os.environ.get("CRASH_SEED") or SystemRandom().randrange(2**32))
    print(f"CRASH_SEED={chosen}")  # noqa: T201 - pytest shows it with a failure
    return chosen


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Airgate]:
    dags = tmp_path / "dags"
    dags.mkdir()
    (dags / "ends.py").write_text(DAGS)
    made = Airgate(dags, data=tmp_path / "data", log=tmp_path / "server.log")
    yield made
    made.stop(grace=5)


@pytest.mark.timeout(700)
def test_every_webhook_arrives_when_processes_are_killed(server: Airgate, seed: int) -> None:
    survive(server, seed, kills=15, within=150)


@pytest.mark.conformance
@pytest.mark.timeout(1800)
def test_every_webhook_arrives_when_200_processes_are_killed(server: Airgate, seed: int) -> None:
    survive(server, seed, kills=200, within=1200)


def survive(server: Airgate, seed: int, *, kills: int, within: float) -> None:
    """Let the storm pass over a server whose jobs end all the time, wait until it is quiet, and check the books."""
    random = Random(seed)
    with receiving(Random(random.random())) as receiver:
        books = Books(Workspace(server), receiver)
        server.start()
        server.wait_for_dags(set(ALL_DAGS))
        books.open()
        storm = Storm(server, random, DECK, _moment(receiver), ALL_DAGS)
        senders = _senders(books, random)
        threads = [threading.Thread(target=one.run) for one in senders]
        for thread in threads:
            thread.start()
        try:
            storm.rage(kills, within=within)
        finally:
            for one in senders:
                one.stopped.set()
            for thread in threads:
                thread.join(60)
        books.close(storm)
        assert set(storm.kills) == set(DECK), f"a kind of process was never killed: {dict(storm.kills)}"
        refused = sum((one.refused for one in senders), Counter[int]())
        assert set(refused) <= {503}, f"refused other than with 503: {refused}"
        answered = {
            UUID(name): status for one in senders if isinstance(one, Reporter) for name, status in one.answered.items()
        }
        books.check(answered, at_least=2 * kills)
        server.stop()
        storm.wait_until_nothing_is_left(within=30)


def _moment(receiver: Receiver) -> Any:
    """Half of all kills come when they come, the other half right when a webhook arrives, before it is answered."""

    def moment(random: Random) -> None:
        pause(random.uniform(0.0, 1.0))
        if random.random() < 0.5:
            receiver.came.clear()
            receiver.came.wait(1.0)

    return moment


def _senders(books: Books, random: Random) -> list[Poster | Reporter]:
    stopped = threading.Event()
    server = books.workspace.server
    posters = [
        Poster(name, server, Random(random.random()), insists=name == "until", stopped=stopped, dag_ids=TRIGGERED,
               posts_per_second=PER_SECOND)
        for name in ("once", "until")
    ]  # fmt: skip
    return [*posters, Reporter(books.workspace, books.job_ids["outside"], Random(random.random()), stopped)]


class Workspace:
    """The workspace API of a server that may come and go."""

    def __init__(self, server: Airgate) -> None:
        self.server = server

    def send(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        """Status and decoded answer. Raises OSError or ConnectionLost when there was none."""
        token = json.loads((self.server.data / "cli.json").read_bytes())["token"]
        with Wire(self.server.port, {"Authorization": f"Api-Key {token}"}) as wire:
            path = f"/developers/workspaces/{DEFAULT_WORKSPACE_ID}/{path}"
            status, answer = wire.send(method, path, None if body is None else json.dumps(body).encode())
        return status, json.loads(answer) if answer else None

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        """The answer of a request that succeeds."""
        status, answer = self.send(method, path, body)
        assert 200 <= status < 300, (method, path, status, answer)
        return answer

    def all_of(self, path: str) -> Iterator[dict[str, Any]]:
        """All items of a list, page by page."""
        page: int | None = 1
        while page is not None:
            listed = self.ask("GET", f"{path}{'&' if '?' in path else '?'}page_size=500&page={page}")
            yield from listed["results"]
            page = listed["next_page"]

    def count(self, path: str) -> int:
        """How many items a list has."""
        return int(self.ask("GET", f"{path}{'&' if '?' in path else '?'}page_size=1")["count"])


@dataclass
class Reporter:
    """A job outside that reports each of its executions until it is answered; half of them as they begin, too."""

    workspace: Workspace
    job_id: str
    random: Random
    stopped: threading.Event
    answered: dict[str, str] = field(default_factory=dict)
    """Execution to status, for those whose end was accepted."""
    refused: Counter[int] = field(default_factory=Counter)

    def run(self) -> None:
        """What its thread does."""
        while not self.stopped.is_set():
            execution = str(UUID(int=self.random.getrandbits(128), version=4))
            status = self.random.choice((FINISHED, FAILED))
            if self.random.random() < 0.5:
                self._report(execution, "RUNNING")
            if self._report(execution, status):
                self.answered[execution] = status
            self.stopped.wait(self.random.expovariate(PER_SECOND))

    def _report(self, execution: str, status: str) -> bool:
        body = {"execution_id": execution, "status": status, "rows": 7}
        while True:
            try:
                code, _ = self.workspace.send("POST", f"jobs/{self.job_id}/executions/", body)
            except (OSError, ConnectionLost):
                code = 0
            if 200 <= code < 300:
                return True
            if code:
                self.refused[code] += 1
            if self.stopped.wait(0.05):
                return False


class Books:
    """What has ended, what was to be sent, and what has arrived."""

    def __init__(self, workspace: Workspace, receiver: Receiver) -> None:
        self.workspace = workspace
        self.receiver = receiver
        self.api = Api(workspace.server)
        self.job_ids: dict[str, str] = {}
        self.hook_ids: dict[str, str] = {}

    def open(self) -> None:
        """Register everything."""
        ask = self.workspace.ask
        ask("PATCH", "", {"private_targets": ["127.0.0.0/8"]})
        self.job_ids["outside"] = ask("POST", "jobs/", {"name": "outside"})["_id"]
        for dag_id in TRIGGERED:
            (job,) = ask("GET", f"jobs/?dag_id={dag_id}")["results"]
            self.job_ids[dag_id] = job["_id"]
        for hook in (*SENDS, COALESCED, STARTS):
            plain = {"method": "POST", "url": self.receiver.url + hook.path} if hook.path else {}
            body = {
                "description": hook.path or "starts a DAG", "is_active": True, "rules": hook.rules,
                "jobs": list(self.job_ids.values()), **plain, **hook.more,
            }  # fmt: skip
            made = ask("POST", "orchestration/webhooks/", body)
            self.hook_ids[hook.path] = made["_id"]
            key = ask("POST", f"orchestration/webhooks/{made['_id']}/keys/", {"scheme": "v1"})
            self.receiver.keys[hook.path] = Webhook(key["secret"])

    def close(self, storm: Storm) -> None:
        """Wait until nothing runs and nothing is left to be sent: for five minutes, where an answer came late twice."""
        try:
            wait_for(self._quiet, within=420, every=0.5, what="all has ended and was sent")
        except NotInTime as error:
            left = [dict(one) for one in self.workspace.all_of("orchestration/deliveries/?state=pending")][:5]
            raise AssertionError(f"{error}: {left}; {storm.situation()}") from error

    def _quiet(self) -> bool:
        """Runs end first, then events are heard, windows closed, and what they come to is sent."""
        return (
            not any(unfinished(self.api, ALL_DAGS).values())
            and self.workspace.count("orchestration/deliveries/?state=pending") == 0
            and not next(self.wrong(self.ended()), None)
        )

    def ended(self) -> dict[str, tuple[str, str]]:
        """Job and status of every execution that has ended."""
        return {
            one["execution_id"]: (name, one["status"])
            for name, job_id in self.job_ids.items()
            for one in self.workspace.all_of(f"jobs/{job_id}/executions/")
            if one["status"] in (FINISHED, FAILED)
        }

    def check(self, reported: Mapping[UUID, str], *, at_least: int) -> None:
        """Everything is accounted for."""
        ended = self.ended()
        problems = list(self.wrong(ended))
        problems += [
            f"{execution} was reported as {status}, and is {ended.get(str(execution))}"
            for execution, status in reported.items()
            if ended.get(str(execution)) != ("outside", status)
        ]
        summary = f"{Counter(ended.values())}, {len(self.receiver.arrivals)} arrivals"
        assert not problems, "\n".join([summary, *problems[:50]])
        assert len(ended) >= at_least, f"too little happened: {summary}"
        assert {job for job, _ in ended.values()} == set(self.job_ids), f"a job never ended: {summary}"
        assert any(not one.accepted for one in self.receiver.arrivals), "the receiver never failed"

    def wrong(self, ended: Mapping[str, tuple[str, str]]) -> Iterator[str]:
        """What is missing, there twice, or not what it was."""
        yield from self.receiver.badly_signed
        yield from self._wrong_repeats()
        for hook in SENDS:
            wanted = {execution for execution, (_, status) in ended.items() if status in hook.statuses}
            yield from self._wrong_arrivals(hook, wanted)
            yield from self._wrong_deliveries(hook, len(wanted))
        yield from self._wrong_counts(ended)
        yield from self._wrong_starts(ended)

    def _wrong_repeats(self) -> Iterator[str]:
        first: dict[str, tuple[str, bytes]] = {}
        for one in list(self.receiver.arrivals):
            if first.setdefault(one.delivery, (one.path, one.body)) != (one.path, one.body):
                yield f"{one.delivery} came as {first[one.delivery]} and as {(one.path, one.body)}"

    def _wrong_arrivals(self, hook: Hook, wanted: set[str]) -> Iterator[str]:
        found: dict[str, set[str]] = defaultdict(set)
        taken: set[str] = set()
        for one in list(self.receiver.arrivals):
            if one.path == hook.path:
                found[one.told["execution"]].add(one.delivery)
                if one.accepted:
                    taken.add(one.told["execution"])
        yield from (f"{hook.path} was never told of {execution}" for execution in wanted - taken)
        yield from (f"{hook.path} was told of {execution}" for execution in found.keys() - wanted)
        for execution, ids in found.items():
            if len(ids) > 1:
                yield f"{hook.path} was told of {execution} under {len(ids)} ids"

    def _wrong_deliveries(self, hook: Hook, wanted: int) -> Iterator[str]:
        path = f"orchestration/webhooks/{self.hook_ids[hook.path]}/deliveries/"
        total, delivered = self.workspace.count(path), self.workspace.count(f"{path}?state=delivered")
        if not total == delivered == wanted:
            yield f"{hook.path or 'the DAG'} has {total} deliveries of {wanted}, {delivered} delivered"

    def _wrong_counts(self, ended: Mapping[str, tuple[str, str]]) -> Iterator[str]:
        told = {one.delivery: one.told for one in list(self.receiver.arrivals) if one.path == COALESCED.path}
        counts: Counter[str] = Counter()
        for body in told.values():
            counts[body["job"]] += body["count"]
        for name, wanted in Counter(name for name, _ in ended.values()).items():
            if counts[self.job_ids[name]] != wanted:
                yield f"{counts[self.job_ids[name]]} ends of {name} were counted, not {wanted}"
        yield from self._wrong_deliveries(COALESCED, len(told))

    def _wrong_starts(self, ended: Mapping[str, tuple[str, str]]) -> Iterator[str]:
        runs = Counter(run["conf"]["cause"] for run in self.api.pages("/dags/follows/dagRuns", "dag_runs"))
        wanted = {execution for execution, (_, status) in ended.items() if status in STARTS.statuses}
        for execution in wanted | runs.keys():
            if runs[execution] != (execution in wanted):
                yield f"{execution} has started {runs[execution]} runs"
        yield from self._wrong_deliveries(STARTS, len(wanted))
