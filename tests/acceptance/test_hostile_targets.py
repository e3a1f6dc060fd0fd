"""Webhooks of a real server, sent to targets that mean harm: to it, to its network, or to other webhooks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import httpx
import pytest

from airgate.model.workspace import DEFAULT_WORKSPACE_ID
from airgate.orchestration.loops import MOST_IN_A_ROW
from tests.acceptance.server import Server
from tests.support.hostile_targets import answers, drips, floods, status, target

DAGS = """
from airflow.sdk import dag, task


@dag(schedule=None)
def ring():
    @task
    def work():
        pass

    work()


ring()
"""
MB = 1024 * 1024
OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok"


class Workspace:
    """A workspace with one external job."""

    def __init__(self, server: Server, *networks: str) -> None:
        self.server = server
        self._client = httpx.Client(
            base_url=f"{server.url}/developers/workspaces/", headers={"Authorization": f"Api-Key {server.token}"}
        )
        self.path = f"{DEFAULT_WORKSPACE_ID}/"
        if networks:
            self.ask("PATCH", "", {"private_targets": networks})

    def close(self) -> None:
        self._client.close()

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        """The answer of a request that succeeds."""
        answer = self._client.request(method, self.path + path, json=body)
        assert answer.is_success, (method, path, answer.status_code, answer.text)
        return answer.json() if answer.content else None

    def job(self) -> str:
        """A new external job."""
        return str(self.ask("POST", "jobs/", {"name": f"job {uuid4()}"})["_id"])

    def webhook(self, job: str, url: str, **more: Any) -> str:
        """A webhook that fires when the job ends."""
        body = {"description": url, "is_active": True, "method": "POST", "url": url, "jobs": [job], **more}
        return str(self.ask("POST", "orchestration/webhooks/", body)["_id"])

    def ends(self, job: str) -> None:
        """The job has ended."""
        self.ask("POST", f"jobs/{job}/executions/", {"status": "FINISHED"})

    def delivery(self, webhook: str, *, over: Callable[[dict[str, Any]], Any]) -> dict[str, Any]:
        """The delivery of a webhook, once it has come so far."""

        def found() -> dict[str, Any] | None:
            listed = self.ask("GET", f"orchestration/webhooks/{webhook}/deliveries/")["results"]
            return listed[0] if listed and over(listed[0]) else None

        return self.server.until(found, f"the delivery of {webhook} is over", within=60)

    def tried(self, webhook: str) -> dict[str, Any]:
        """The delivery of a webhook, once it was tried or given up."""
        return self.delivery(webhook, over=lambda one: one["attempts"] or one["state"] != "pending")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server for tests that each have jobs and webhooks of their own."""
    folder = tmp_path_factory.mktemp("hostile")
    (folder / "dags").mkdir()
    (folder / "dags" / "ring.py").write_text(DAGS)
    with Server(dags=folder / "dags", data=folder / "data") as started:
        started.wait_for_dag("ring")
        yield started


@pytest.fixture
def workspace(server: Server) -> Iterator[Workspace]:
    """It may send to the loopback."""
    made = Workspace(server, "127.0.0.0/8")
    yield made
    made.close()


def test_redirect_to_the_metadata_of_the_cloud_is_not_followed(workspace: Workspace) -> None:
    job = workspace.job()
    with target(status(200)) as inside, target(status(307, f"location: {inside.url}")) as near:
        with target(status(302, "location: http://169.254.169.254/latest/meta-data/")) as far:
            webhooks = [workspace.webhook(job, one.url) for one in (near, far)]
            workspace.ends(job)
            for webhook in webhooks:
                delivery = workspace.tried(webhook)
                assert "redirects are not followed" in delivery["reason"]
                assert delivery["state"] == "pending"
        assert inside.requests == []


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "localhost", "0.0.0.0", "[::1]", "[::ffff:127.0.0.1]", "169.254.169.254", "2130706433", "127.1"],  # noqa: S104 - it is sent to
)
def test_airgate_is_no_way_into_its_own_network_where_that_is_not_allowed(workspace: Workspace, host: str) -> None:
    workspace.ask("PATCH", "", {"private_targets": []})
    job = workspace.job()
    webhook = workspace.webhook(job, f"http://{host}:{workspace.server.port}/health")
    workspace.ends(job)
    delivery = workspace.tried(webhook)
    assert (delivery["state"], delivery["attempts"]) == ("stopped", 0), delivery
    assert any(words in delivery["reason"] for words in ("not public", "not a canonical IPv4 address"))


@pytest.mark.parametrize(
    "begin", [b"", b"HTTP/1.1 200 OK\r\nx-a: ", b"HTTP/1.1 200 OK\r\n\r\n"], ids=["no head", "half a head", "body"]
)
def test_targets_that_answer_a_byte_a_second_hold_up_no_other(workspace: Workspace, begin: bytes) -> None:
    slow, quick = workspace.job(), workspace.job()
    with target(drips(begin)) as dripping, target(answers(OK)) as good:
        for _ in range(20):
            workspace.webhook(slow, dripping.url, timeout=60)
        webhook = workspace.webhook(quick, good.url)
        workspace.ends(slow)
        workspace.server.until(lambda: dripping.open == 20, "all of them drip", within=60)
        workspace.ends(quick)
        delivery = workspace.delivery(webhook, over=lambda one: one["state"] == "delivered")
        assert delivery["attempts"] == 1
        assert dripping.open == 20


def test_one_webhook_whose_target_drips_holds_up_no_other_however_much_it_has_to_send(workspace: Workspace) -> None:
    slow, quick = workspace.job(), workspace.job()
    with target(drips(b"")) as dripping, target(answers(OK)) as good:
        workspace.webhook(slow, dripping.url, timeout=60, max_concurrency=5)
        webhook = workspace.webhook(quick, good.url)
        for _ in range(30):
            workspace.ends(slow)
        workspace.server.until(lambda: dripping.open == 5, "as many as it allows drip", within=60)
        workspace.ends(quick)
        workspace.delivery(webhook, over=lambda one: one["state"] == "delivered")
        assert dripping.open == 5


def test_webhook_whose_target_is_gone_is_switched_off_and_its_owner_is_told(workspace: Workspace) -> None:
    job = workspace.job()
    with target(status(410)) as gone:
        webhook = workspace.webhook(job, gone.url)
        workspace.ends(job)
        delivery = workspace.delivery(webhook, over=lambda one: one["state"] != "pending")
        server = workspace.server
        told = f"Airgate switched off the webhook '{gone.url}'"
        server.until(lambda: told in server.log.read_text(), "the log says so")
        shown = workspace.ask("GET", f"orchestration/webhooks/{webhook}/")
        workspace.ends(job)
        workspace.ends(job)
    assert (delivery["state"], delivery["last_status"]) == ("dead", 410)
    assert (shown["is_active"], shown["disabled_reason"]) == (False, "its target answered 410 Gone")
    assert len(gone.requests) == 1


def test_body_of_a_hundred_megabytes_is_not_read(workspace: Workspace) -> None:
    job = workspace.job()
    sized = floods(b"HTTP/1.1 200 OK\r\ncontent-length: 104857600\r\n\r\n", bytes(MB), 100)
    chunked = floods(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n", b"100000\r\n" + bytes(MB) + b"\r\n", 100)
    with target(sized) as first, target(chunked) as second:
        webhooks = [workspace.webhook(job, one.url) for one in (first, second)]
        workspace.ends(job)
        for webhook in webhooks:
            delivery = workspace.delivery(webhook, over=lambda one: one["state"] == "delivered")
            shown = workspace.ask("GET", f"orchestration/deliveries/{delivery['_id']}/")
            assert len(shown["attempt_list"][0]["response"]["body"]) < 5000
        workspace.server.until(lambda: first.open == second.open == 0, "the connections are cut")
    assert first.most_sent < 50 * MB
    assert second.most_sent < 50 * MB


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 200 OK\r\n" + b"".join(b"x-%d: y\r\n" % number for number in range(200_000)),
        b"HTTP/1.1 200 OK\r\nx-a: " + b"y" * 50_000_000,
        b"HTTP/1.1 200 " + b"O" * 10_000_000 + b"\r\n\r\n",
        b"\x00\xff" * 1_000_000,
        b"HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 99999999999999999999999\r\ncontent-length: 1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nffffffffffffffffffffff\r\nx",
        b"HTTP/1.1 100 Continue\r\n\r\n" * 100_000,
    ],
    ids=["many headers", "long header", "long reason", "noise", "no length", "two lengths", "huge chunk", "continuing"],
)  # fmt: skip
def test_answer_that_is_a_bomb_harms_only_its_own_delivery(workspace: Workspace, head: bytes) -> None:
    bad, good = workspace.job(), workspace.job()
    with target(answers(head)) as bombs, target(answers(OK)) as fine:
        bombed, webhook = workspace.webhook(bad, bombs.url, timeout=10), workspace.webhook(good, fine.url)
        workspace.ends(bad)
        delivery = workspace.tried(bombed)
        workspace.ends(good)
        workspace.delivery(webhook, over=lambda one: one["state"] == "delivered")
    assert delivery["state"] in {"pending", "delivered"}
    assert delivery["state"] == "delivered" or 0 < len(delivery["reason"]) <= 500
    assert "a mistake of Airgate's" not in (delivery["reason"] or "")


def test_length_that_is_a_lie_leaves_the_status_standing(workspace: Workspace) -> None:
    job = workspace.job()
    with target(answers(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\nok")) as lies:
        webhook = workspace.webhook(job, lies.url)
        workspace.ends(job)
        assert workspace.tried(webhook)["state"] == "delivered"


def test_webhook_that_starts_the_dag_whose_end_it_hears_goes_round_ten_times(workspace: Workspace) -> None:
    (job,) = workspace.ask("GET", "jobs/?dag_id=ring")["results"]
    webhook = workspace.webhook(
        job["_id"], "", description="ring", target={"kind": "dag", "deployment": "local", "dag_id": "ring"}
    )
    workspace.server.trigger("ring")
    refused = workspace.delivery(webhook, over=lambda one: one["state"] == "dead")
    assert f"{MOST_IN_A_ROW} runs in a row" in refused["reason"]
    assert workspace.server.get("/dags/ring/dagRuns")["total_entries"] == MOST_IN_A_ROW + 1
    states = [one["state"] for one in workspace.ask("GET", f"orchestration/webhooks/{webhook}/deliveries/")["results"]]
    assert sorted(states) == ["dead", *["delivered"] * MOST_IN_A_ROW]
