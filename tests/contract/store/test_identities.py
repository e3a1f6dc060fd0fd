"""Identities and tokens."""

from __future__ import annotations

from typing import Any

import pytest
from uuid_utils.compat import uuid7

from airgate.model.errors import Conflict, NotFound
from airgate.model.identity import ApiToken, Identity, Role
from airgate.store import identities
from airgate.store.database import Database
from tests.contract.store.builders import at


def make_identity(name: str = "ann", **more: Any) -> Identity:
    values: dict[str, Any] = {"id": uuid7(), "name": name, "role": Role.OP, "created_at": at(0)}
    return Identity(**(values | more))


def make_token(identity: Identity, digest: bytes = b"\x00\xff", **more: Any) -> ApiToken:
    values: dict[str, Any] = {"id": uuid7(), "identity_id": identity.id, "digest": digest}
    values |= {"label": "l", "created_at": at(1)}
    return ApiToken(**(values | more))


async def test_identity_comes_back_with_its_password_hash(database: Database) -> None:
    ann, bot = make_identity(), make_identity("bot", role=Role.VIEWER)
    assert await database.write(identities.create, ann, "hash") == ann
    await database.write(identities.create, bot, None)

    assert await database.read(identities.by_name, "ann") == (ann, "hash")
    assert await database.read(identities.by_name, "bot") == (bot, None)
    assert await database.read(identities.get, ann.id) == ann
    assert await database.read(identities.list_identities) == (ann, bot)
    assert await database.read(identities.count) == 2


async def test_name_is_taken_once(database: Database) -> None:
    ann = make_identity()
    await database.write(identities.create, ann, "hash")

    with pytest.raises(Conflict) as caught:
        await database.write(identities.create, make_identity(), "other")

    assert caught.value.code == "identity_exists"
    assert await database.read(identities.by_name, "ann") == (ann, "hash")


async def test_unknown_identity_is_not_found(database: Database) -> None:
    for attempt in (
        database.read(identities.by_name, "nobody"),
        database.read(identities.get, uuid7()),
        database.write(identities.set_password, uuid7(), "hash"),
        database.write(identities.delete, uuid7()),
        database.write(identities.add_token, make_token(make_identity())),
    ):
        with pytest.raises(NotFound) as caught:
            await attempt
        assert caught.value.code == "identity_not_found"


async def test_password_can_be_set_and_taken_away(database: Database) -> None:
    ann = make_identity()
    await database.write(identities.create, ann, "old")
    for password_hash in ("new", None):
        await database.write(identities.set_password, ann.id, password_hash)
        assert await database.read(identities.by_name, "ann") == (ann, password_hash)


async def test_token_leads_to_its_identity(database: Database) -> None:
    ann, bot = make_identity(), make_identity("bot")
    for identity in (ann, bot):
        await database.write(identities.create, identity, None)
    token, later = make_token(bot), make_token(bot, b"later", created_at=at(2))
    await database.write(identities.add_token, later)
    assert await database.write(identities.add_token, token) == token

    assert await database.read(identities.token, b"\x00\xff") == (bot, token)
    assert await database.read(identities.token, b"other") is None
    assert await database.read(identities.tokens, bot.id) == (token, later)
    assert await database.read(identities.tokens, ann.id) == ()


async def test_use_of_a_token_is_noted(database: Database) -> None:
    ann = make_identity()
    token = make_token(ann)
    await database.write(identities.create, ann, None)
    await database.write(identities.add_token, token)

    await database.write(identities.touch_token, token.id, at(5))
    await database.write(identities.touch_token, uuid7(), at(5))

    found = await database.read(identities.token, token.digest)
    assert found is not None
    assert found[1].last_used_at == at(5)


async def test_revoked_token_leads_nowhere(database: Database) -> None:
    ann = make_identity()
    token = make_token(ann)
    await database.write(identities.create, ann, None)
    await database.write(identities.add_token, token)

    await database.write(identities.delete_token, token.id)

    assert await database.read(identities.token, token.digest) is None
    with pytest.raises(NotFound) as caught:
        await database.write(identities.delete_token, token.id)
    assert caught.value.code == "token_not_found"


async def test_deleted_identity_takes_its_tokens_along(database: Database) -> None:
    ann = make_identity()
    token = make_token(ann)
    await database.write(identities.create, ann, None)
    await database.write(identities.add_token, token)

    await database.write(identities.delete, ann.id)

    assert await database.read(identities.token, token.digest) is None
    assert await database.read(identities.count) == 0
