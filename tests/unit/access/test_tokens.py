"""Tokens that a sign-in gives: whose they are, and when they count no more."""

from __future__ import annotations

import base64
import json
from datetime import timedelta
from typing import Any

import jwt
import pytest
from uuid_utils.compat import uuid7

from airgate.access.ports import NewKey, PersonChange
from airgate.access.service import REMEMBERED_SECONDS
from airgate.access.throttle import FREE_GUESSES
from airgate.access.tokens import WebTokens
from airgate.model.errors import NotAuthenticated, PermissionDenied
from airgate.model.identity import Identity, Limits
from tests.support.access_house import NOW, House, login

SECRET = b"thirty-two bytes or more of a secret"
LATER = NOW + timedelta(hours=1)
ADA = Identity(id=uuid7(), name="ada", roles=("User",), created_at=NOW, generation=3)


def claims_of(token: str) -> dict[str, Any]:
    return dict(jwt.decode(token, options={"verify_signature": False}))


def encoded(value: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def test_token_says_whose_it_is_and_until_when() -> None:
    key_id = uuid7()
    token = WebTokens(SECRET).issue(ADA, key_id=key_id, now=NOW, ends=LATER)
    found = WebTokens(SECRET).read(token)
    assert found is not None
    assert (found.sub, found.gen, found.key, found.ends) == (ADA.id, 3, key_id, LATER)
    assert {"iss", "aud", "iat", "exp", "sub"} <= claims_of(token).keys()


def test_token_of_another_secret_is_none_of_ours() -> None:
    token = WebTokens(SECRET[::-1]).issue(ADA, key_id=None, now=NOW, ends=LATER)
    assert WebTokens(SECRET).read(token) is None


@pytest.mark.parametrize("algorithm", ["none", "None", "NONE", "HS512", "HS384", "RS256"])
def test_token_of_another_algorithm_is_refused(algorithm: str) -> None:
    claims = claims_of(WebTokens(SECRET).issue(ADA, key_id=None, now=NOW, ends=LATER))
    if algorithm.startswith("HS"):
        forged = jwt.encode(claims, SECRET * 3, algorithm=algorithm)
    else:
        forged = f"{encoded({'alg': algorithm, 'typ': 'JWT'})}.{encoded(claims)}."
    assert WebTokens(SECRET).read(forged) is None


@pytest.mark.parametrize("claim", ["sub", "iat", "exp", "iss", "aud", "gen"])
def test_token_that_lacks_a_claim_is_refused(claim: str) -> None:
    claims = claims_of(WebTokens(SECRET).issue(ADA, key_id=None, now=NOW, ends=LATER))
    del claims[claim]
    assert WebTokens(SECRET).read(jwt.encode(claims, SECRET, algorithm="HS256")) is None


@pytest.mark.parametrize(
    "change",
    [{"iss": "else"}, {"aud": "else"}, {"sub": "ada"}, {"gen": "x"}, {"key": 7}, {"exp": "soon"}, {"exp": 1e300}],
)
def test_token_with_a_claim_of_another_kind_is_refused(change: dict[str, Any]) -> None:
    claims = claims_of(WebTokens(SECRET).issue(ADA, key_id=None, now=NOW, ends=LATER))
    assert WebTokens(SECRET).read(jwt.encode(claims | change, SECRET, algorithm="HS256")) is None


@pytest.mark.parametrize("text", ["", "..", "a.b.c", "a.b", "é.é.é", "e30.e30.", "\ud800.a.b"])
def test_text_that_is_no_token_is_refused(text: str) -> None:
    assert WebTokens(SECRET).read(text) is None


# ----------------------------------------------------------------------------------------------------------- signing in


async def test_person_signs_in_with_a_password_and_is_known_by_the_token(house: House) -> None:
    ada = await house.person()
    token = await house.access.sign_in("ada", "right")
    caller = await house.access.authenticate(f"Bearer {token}")
    assert caller is not None
    assert (caller.identity, caller.key_id) == (ada, None)


async def test_service_account_signs_in_with_its_key(house: House) -> None:
    made = await house.machine(batch=True)
    token = await house.access.sign_in(made.identity.name, made.issued.secret)
    caller = await house.access.authenticate(f"Bearer {token}")
    assert caller is not None
    assert (caller.identity, caller.key_id, caller.batch) == (made.identity, made.issued.key.id, True)


@pytest.mark.parametrize(("name", "secret"), [("ada", "wrong"), ("eve", "right"), ("", ""), ("a\0b", "x")])
async def test_wrong_name_or_secret_gives_no_token(house: House, name: str, secret: str) -> None:
    await house.person()
    with pytest.raises(NotAuthenticated):
        await house.access.sign_in(name, secret)


async def test_guessing_at_the_sign_in_is_slowed_down_with_guessing_elsewhere(house: House) -> None:
    await house.person()
    for number in range(FREE_GUESSES):
        with pytest.raises(NotAuthenticated):
            await house.access.sign_in("ada", f"guess {number}")
    assert await house.known(login("ada", "right")) is None


async def test_sign_in_from_another_network_is_denied(house: House) -> None:
    await house.person(limits=Limits(networks=("10.0.0.0/8",)))
    assert await house.access.sign_in("ada", "right", "10.1.1.1")
    with pytest.raises(PermissionDenied):
        await house.access.sign_in("ada", "right", "192.0.2.1")


async def test_token_carries_the_networks_of_its_identity(house: House) -> None:
    ada = await house.person(limits=Limits(networks=("10.0.0.0/8",)))
    token = await house.access.sign_in("ada", "right", "10.1.1.1")
    assert await house.known(token, "10.1.1.2") == ada
    with pytest.raises(PermissionDenied):
        await house.known(token, "192.0.2.1")


@pytest.mark.parametrize(("cli", "seconds"), [(False, 600), (True, 60)])
async def test_token_counts_as_long_as_is_set(house: House, cli: bool, seconds: int) -> None:
    ada = await house.person()
    token = await house.access.sign_in("ada", "right", cli=cli)
    house.now = NOW + timedelta(seconds=seconds - 1)
    assert await house.known(token) == ada
    house.now = NOW + timedelta(seconds=seconds)
    assert await house.known(token) is None


async def test_token_counts_no_longer_than_the_key_it_was_made_with(house: House) -> None:
    ada = await house.person()
    secret = await house.key(ada, expires_at=NOW + timedelta(seconds=30))
    assert claims_of(await house.access.sign_in("ada", secret))["exp"] == NOW.timestamp() + 30


async def test_token_counts_in_every_process_of_the_installation(house: House) -> None:
    ada = await house.person()
    token = await house.access.sign_in("ada", "right")
    elsewhere = await house.another().authenticate(f"Bearer {token}")
    assert elsewhere is not None
    assert elsewhere.identity == ada
    assert await house.another(secret=b"another installation's").authenticate(f"Bearer {token}") is None


async def test_token_counts_no_more_when_the_password_was_changed(house: House) -> None:
    ada = await house.person()
    token = await house.access.sign_in("ada", "right")
    assert await house.known(token) == ada
    await house.accounts.update_person(house.root, ada.id, PersonChange(password="newer"))
    assert await house.known(token) is None


async def test_token_still_counts_when_a_name_was_changed(house: House) -> None:
    ada = await house.person()
    token = await house.access.sign_in("ada", "right")
    await house.accounts.update_person(house.root, ada.id, PersonChange(name="lovelace"))
    found = await house.known(token)
    assert found is not None
    assert found.name == "lovelace"


async def test_token_counts_no_more_when_its_key_was_revoked(house: House) -> None:
    ada = await house.person()
    issued = await house.accounts.issue_key(house.root, ada.id, NewKey())
    by_key = await house.access.sign_in("ada", issued.secret)
    by_password = await house.access.sign_in("ada", "right")
    assert await house.known(by_key) == ada
    await house.accounts.revoke_key(house.root, ada.id, issued.key.id)
    assert await house.known(by_key) is None
    assert await house.known(by_password) == ada
    house.steady += REMEMBERED_SECONDS
    assert await house.known(by_key) is None
