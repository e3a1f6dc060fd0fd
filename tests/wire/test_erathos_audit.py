"""What the audit log has of the workspace API: every write by its word, and no value of anything."""

from __future__ import annotations

import msgspec

from airgate.model.audit import AuditFilter
from airgate.model.identity import Role
from tests.support.erathos_world import ErathosWorld
from tests.support.native_world import basic

PLANTED = "planted-value"


async def test_writes_are_audited_by_name_and_never_with_what_they_hold(erathos: ErathosWorld) -> None:
    async with erathos.client() as client:
        await client.post("secrets/", {"name": "token", "value": PLANTED, "description": PLANTED})
        variable = await client.post("variables/", {"name": "host", "value": PLANTED})
        await client.ask("PATCH", f"variables/{variable['_id']}/", {"value": PLANTED + "2"}, expect=200)
        job = await client.job()
        made = await client.webhook(job, header={"X": PLANTED}, body={"b": PLANTED}, url=f"https://{PLANTED}/")
        await client.post(f"orchestration/webhooks/{made['_id']}/keys/", {"scheme": "v1"})
        await client.post(f"jobs/{job}/executions/", {"status": "FINISHED", "extra": {"e": PLANTED}})
        await client.ask("DELETE", f"orchestration/webhooks/{made['_id']}/", expect=204)
    entries = await erathos.native.audit.newest(AuditFilter(), 100)
    assert [entry.event for entry in reversed(entries)] == [
        "post_secret",
        "post_workspace_variable",
        "patch_workspace_variable",
        "post_job",
        "post_webhook",
        "post_webhook_key",
        "report_execution",
        "delete_webhook",
    ]
    assert {(entry.dialect, entry.actor, entry.outcome.value) for entry in entries} == {("erathos", "admin", "done")}
    assert PLANTED not in msgspec.json.encode(entries).decode()


async def test_refusals_are_audited(erathos: ErathosWorld) -> None:
    await erathos.native.person("viewer", Role.VIEWER)
    async with erathos.client(basic("viewer", "pw")) as client:
        await client.get("secrets/", expect=403)
        await client.post("secrets/", {"name": "token", "value": PLANTED}, expect=403)
    await erathos.native.audit.flush()
    entries = await erathos.native.audit.newest(AuditFilter(), 100)
    assert sorted((entry.event, entry.outcome.value, entry.actor) for entry in entries) == [
        ("get_workspaces_secrets", "refused", "viewer"),
        ("post_secret", "refused", "viewer"),
    ]
