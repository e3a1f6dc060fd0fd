"""Who is asking: credentials of every form, what is remembered of them, and what ends them."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from argon2 import PasswordHasher

from airgate.access.cache import Known
from airgate.access.credentials import digest
from airgate.access.passwords import Passwords
from airgate.access.permissions import GRANTED, Permission
from airgate.access.ports import NewKey, PersonChange, ServiceAccountChange
from airgate.access.service import FREE_KEYS, REMEMBERED_SECONDS, Created
from airgate.access.throttle import FREE_GUESSES
from airgate.model.errors import PermissionDenied, RateLimited, Unavailable
from airgate.model.identity import Limits, RateLimit, Role
from airgate.store import identities
from tests.support.access_house import NOW, House, login

SOON = NOW + timedelta(minutes=5)


async def test_right_password_authenticates_with_the_identity_and_what_it_may(house: House) -> None:
    ada = await house.person(role=Role.OP)
    caller = await house.access.authenticate(login("ada", "right"))
    assert caller is not None
    assert (caller.identity, caller.permissions, caller.key_id) == (ada, GRANTED[Role.OP], None)


async def test_several_roles_and_roles_of_ones_own_add_up(house: House) -> None:
    await house.roles.create(house.root, "auditor", frozenset({Permission.AUDIT_READ}))
    ada = await house.person()
    await house.accounts.update_person(house.root, ada.id, PersonChange(roles=("Viewer", "auditor")))
    caller = await house.access.authenticate(login("ada", "right"))
    assert caller is not None
    assert caller.permissions == GRANTED[Role.VIEWER] | {Permission.AUDIT_READ}


@pytest.mark.parametrize("header", [None, "", login("ada", "wrong"), login("grace", "right"), "Bearer nothing", "?"])
async def test_credential_that_proves_nothing_gives_none(house: House, header: str | None) -> None:
    await house.person()
    assert await house.known(header) is None


async def test_identity_without_password_cannot_log_in_with_any(house: House) -> None:
    name = (await house.machine()).identity.name
    assert await house.known(login(name, "")) is None
    assert await house.known(login(name, "x")) is None


async def test_unknown_name_costs_a_verification_as_a_known_one_does(house: House) -> None:
    await house.known(login("nobody", "x"))
    assert house.passwords.verified == 1


# ----------------------------------------------------------------------------------------------------------------- keys


@pytest.mark.parametrize("form", ["Bearer {}", "{}", "Api-Key {}"])
async def test_key_authenticates_in_every_header_form(house: House, form: str) -> None:
    made = await house.machine(batch=True)
    caller = await house.access.authenticate(form.format(made.issued.secret))
    assert caller is not None
    assert (caller.identity, caller.key_id, caller.batch) == (made.identity, made.issued.key.id, True)
    assert caller.permissions == GRANTED[Role.USER]


async def test_key_counts_as_password_of_its_owner_only(house: House) -> None:
    ada = await house.person()
    await house.person("grace", Role.ADMIN, "other")
    secret = await house.key(ada)
    assert await house.known(login("ada", secret)) == ada
    assert await house.known(login("grace", secret)) is None


async def test_key_is_kept_as_a_digest_only(house: House) -> None:
    ada = await house.person()
    issued = await house.accounts.issue_key(house.root, ada.id, NewKey())
    (kept,) = await house.database.read(identities.keys, ada.id)
    assert kept == issued.key
    assert kept.digest == digest(issued.secret)
    assert issued.secret.encode() not in kept.digest
    assert len(issued.secret) == 32


async def test_key_counts_until_it_expires_even_when_it_was_just_verified(house: House) -> None:
    ada = await house.person()
    secret = await house.key(ada, expires_at=SOON)
    assert await house.known(secret) == ada
    house.now = SOON
    assert await house.known(secret) is None
    house.steady += REMEMBERED_SECONDS
    assert await house.known(secret) is None


async def test_identity_counts_until_it_expires_by_every_credential(house: House) -> None:
    made = await house.machine(limits=Limits(expires_at=SOON))
    token = await house.access.sign_in(made.identity.name, made.issued.secret)
    assert await house.known(made.issued.secret) == made.identity
    assert await house.known(f"Bearer {token}") == made.identity
    house.now = SOON
    assert await house.known(made.issued.secret) is None
    assert await house.known(f"Bearer {token}") is None


async def test_use_of_a_key_is_noted_but_not_every_time(house: House) -> None:
    ada = await house.person()
    secret = await house.key(ada)

    async def noted_after(seconds: int) -> object:
        house.steady += REMEMBERED_SECONDS
        house.now = NOW + timedelta(seconds=seconds)
        await house.known(secret)
        await house.database.write(lambda tx: None)
        return (await house.database.read(identities.keys, ada.id))[0].last_used_at

    assert await noted_after(0) == NOW
    assert await noted_after(59) == NOW
    assert await noted_after(60) == NOW + timedelta(seconds=60)


# ------------------------------------------------------------------------------------------------------------- networks


@pytest.mark.parametrize("address", ["10.1.2.3", "::ffff:10.1.2.3", "2001:db8::7"])
async def test_identity_may_be_used_from_its_networks(house: House, address: str) -> None:
    made = await house.machine(limits=Limits(networks=("10.1.0.0/16", "2001:db8::/32")))
    assert await house.known(made.issued.secret, address) == made.identity


@pytest.mark.parametrize("address", ["10.2.0.1", "2001:db9::1", "::1", None, "unix"])
async def test_identity_is_refused_from_elsewhere_even_when_it_was_just_verified(
    house: House, address: str | None
) -> None:
    made = await house.machine(limits=Limits(networks=("10.1.0.0/16", "2001:db8::/32")))
    assert await house.known(made.issued.secret, "10.1.2.3") == made.identity
    with pytest.raises(PermissionDenied) as caught:
        await house.known(made.issued.secret, address)
    assert caught.value.code == "network"
    assert made.identity.name in caught.value.detail


# ----------------------------------------------------------------------------------------------------------- remembered


async def test_verified_credential_is_not_verified_again_within_the_minute(house: House) -> None:
    await house.person()
    for _ in range(5):
        assert await house.known(login("ada", "right")) is not None
    assert house.passwords.verified == 1
    house.steady += REMEMBERED_SECONDS
    assert await house.known(login("ada", "right")) is not None
    assert house.passwords.verified == 2


async def test_verified_credential_is_answered_while_the_store_is_closed(house: House) -> None:
    ada = await house.person()
    await house.known(login("ada", "right"))
    await house.database.close()
    assert await house.known(login("ada", "right")) == ada


async def test_same_credential_is_verified_once_when_many_ask_at_once(house: House) -> None:
    ada = await house.person()
    answers = await asyncio.gather(*(house.known(login("ada", "right")) for _ in range(20)))
    assert answers == [ada] * 20
    assert house.passwords.verified == 1


async def test_caller_that_goes_away_does_not_disturb_others_with_the_same_credential(house: House) -> None:
    ada = await house.person()
    leaving = asyncio.create_task(house.known(login("ada", "right")))
    staying = asyncio.create_task(house.known(login("ada", "right")))
    await asyncio.sleep(0)
    leaving.cancel()
    assert await staying == ada


async def test_credential_looked_up_before_a_change_is_not_remembered_after_it(house: House) -> None:
    mark = house.access._verified.digest("header")
    generation = house.access._verified.generation
    house.access._verified.forget(identity_id=house.root.identity.id)
    house.access._verified.put(mark, Known(caller=house.root), generation)
    assert house.access._verified.get(mark) is None


async def test_header_is_not_kept_in_memory(house: House) -> None:
    await house.person()
    header = login("ada", "right")
    await house.known(header)
    assert header not in repr(vars(house.access._verified))


# ------------------------------------------------------------------------------------------------------- counts at once


async def test_revoked_key_counts_no_more_at_once(house: House) -> None:
    ada = await house.person()
    kept = await house.key(ada)
    lost = await house.accounts.issue_key(house.root, ada.id, NewKey())
    assert await house.known(kept) == ada
    assert await house.known(lost.secret) == ada
    await house.accounts.revoke_key(house.root, ada.id, lost.key.id)
    assert await house.known(lost.secret) is None
    assert await house.known(kept) == ada


async def test_old_password_counts_no_more_when_it_was_changed(house: House) -> None:
    ada = await house.person()
    await house.known(login("ada", "right"))
    await house.accounts.update_person(house.root, ada.id, PersonChange(password="newer"))
    assert await house.known(login("ada", "right")) is None
    found = await house.known(login("ada", "newer"))
    assert found is not None
    assert found.id == ada.id


async def test_deleted_identity_counts_no_more_by_any_credential(house: House) -> None:
    ada = await house.person()
    credentials = [login("ada", "right"), await house.key(ada), await house.access.sign_in("ada", "right")]
    assert [await house.known(credential) for credential in credentials] == [ada] * 3
    await house.accounts.delete(house.root, ada.id)
    assert [await house.known(credential) for credential in credentials] == [None] * 3


async def test_deactivated_identity_counts_no_more_until_it_is_active_again(house: House) -> None:
    made = await house.machine()
    token = await house.access.sign_in(made.identity.name, made.issued.secret)
    assert await house.known(made.issued.secret) == made.identity
    await house.accounts.update_service_account(house.root, made.identity.id, ServiceAccountChange(active=False))
    assert await house.known(made.issued.secret) is None
    assert await house.known(token) is None
    await house.accounts.update_service_account(house.root, made.identity.id, ServiceAccountChange(active=True))
    assert await house.known(made.issued.secret) is not None
    assert await house.known(token) is None, "a token of before the deactivation"


async def test_changed_role_counts_at_once(house: House) -> None:
    await house.roles.create(house.root, "reader", frozenset({Permission.DAGS_READ}))
    await house.person(role="reader")

    async def permissions() -> frozenset[Permission]:
        caller = await house.access.authenticate(login("ada", "right"))
        return caller.permissions if caller else frozenset()

    assert await permissions() == {Permission.DAGS_READ}
    await house.roles.update(house.root, "reader", permissions=frozenset({Permission.RUNS_READ}))
    assert await permissions() == {Permission.RUNS_READ}


async def test_change_counts_at_once_when_whoever_asked_for_it_has_gone(house: House) -> None:
    ada = await house.person()
    secret = await house.key(ada)
    assert await house.known(secret) == ada
    asking = asyncio.create_task(house.accounts.delete(house.root, ada.id))
    await asyncio.sleep(0)
    asking.cancel()
    await house.database.write(lambda tx: None)
    assert await house.known(secret) is None


async def test_change_by_another_process_counts_within_the_minute(house: House) -> None:
    ada = await house.person()
    secret = await house.key(ada)
    assert await house.known(secret) == ada
    await house.another().accounts.delete(house.root, ada.id)
    house.steady += REMEMBERED_SECONDS
    assert await house.known(secret) is None


# ------------------------------------------------------------------------------------------------------------- guessing


async def test_guessing_makes_a_name_unlooked_at_for_a_while(house: House) -> None:
    ada = await house.person()
    for number in range(FREE_GUESSES):
        assert await house.known(login("ada", f"guess {number}")) is None
    assert house.passwords.verified == FREE_GUESSES

    assert await house.known(login("ada", "right")) is None
    assert house.passwords.verified == FREE_GUESSES

    house.steady += 1.0
    assert await house.known(login("ada", "right")) == ada


async def test_guessing_does_not_lock_out_a_client_that_works(house: House) -> None:
    ada = await house.person()
    secret = await house.key(ada)
    await house.known(login("ada", "right"))
    for number in range(FREE_GUESSES + 5):
        await house.known(login("ada", f"guess {number}"))
    assert await house.known(login("ada", "right")) == ada
    assert await house.known(secret) == ada


async def guess_keys(house: House, address: str, number: int) -> None:
    for guess in range(number):
        assert await house.known(f"{guess:032x}", address) is None


async def test_guessing_keys_slows_down_the_address_but_no_other_and_no_known_key(house: House) -> None:
    ada = await house.person()
    known, new = await house.key(ada), await house.key(ada)
    await house.known(known, "10.0.0.1")
    await guess_keys(house, "10.0.0.1", FREE_KEYS)

    with pytest.raises(RateLimited) as caught:
        await house.known(new, "10.0.0.1")
    assert caught.value.retry_after == 1.0
    assert await house.known(known, "10.0.0.1") == ada
    assert await house.known(new, "10.0.0.2") == ada
    house.steady += 1.0
    assert await house.known(new, "10.0.0.1") == ada


async def test_same_wrong_key_again_and_again_is_no_guessing(house: House) -> None:
    ada = await house.person()
    secret = await house.key(ada)
    for _ in range(FREE_KEYS * 3):
        assert await house.known("f" * 32, "10.0.0.1") is None
    assert await house.known(secret, "10.0.0.1") == ada


async def test_guesses_from_the_same_network_of_one_client_count_together(house: House) -> None:
    for number in range(FREE_KEYS):
        assert await house.known(f"{number:032x}", f"2001:db8::{number:x}") is None
    with pytest.raises(RateLimited):
        await house.known("f" * 32, "2001:db8::ffff")


async def test_name_that_nobody_can_have_costs_neither_a_hash_nor_memory(house: House) -> None:
    assert await house.known(login("x" * 1000, "right")) is None
    assert house.passwords.verified == 0
    assert not house.access._names._names


async def test_sign_ins_are_refused_when_too_many_wait() -> None:
    passwords = Passwords(PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
    answers = await asyncio.gather(*(passwords.hash("x") for _ in range(100)), return_exceptions=True)
    refused = [answer for answer in answers if isinstance(answer, Unavailable)]
    assert len(refused) == 100 - 66
    assert await passwords.hash("x")


# ---------------------------------------------------------------------------------------------------------- rate limits


async def test_identity_without_a_rate_limit_is_always_admitted(house: House) -> None:
    assert house.access.admit(house.root) is None


async def test_all_credentials_of_an_identity_share_its_rate_limit(house: House) -> None:
    made = await house.machine(limits=Limits(rate=RateLimit(2, 10)))
    by_key = await house.access.authenticate(made.issued.secret)
    token = await house.access.sign_in(made.identity.name, made.issued.secret)
    by_token = await house.access.authenticate(token)
    assert by_key is not None
    assert by_token is not None
    standings = [house.access.admit(caller) for caller in (by_key, by_token, by_key)]
    assert [standing.admitted for standing in standings if standing] == [True, True, False]


# ---------------------------------------------------------------------------------------------------------- first start


async def test_first_administrator_is_created_with_password_and_key_that_work(house: House) -> None:
    created = await house.access.first_administrator("admin")
    assert isinstance(created, Created)
    assert created.password is not None
    by_password = await house.access.authenticate(login("admin", created.password))
    by_key = await house.access.authenticate(f"Bearer {created.token}")
    assert by_password is not None
    assert by_key is not None
    assert by_password.identity == by_key.identity
    assert by_key.permissions == frozenset(Permission)


async def test_first_administrator_has_the_preset_password_which_is_not_repeated(house: House) -> None:
    created = await house.access.first_administrator("root", "chosen")
    assert created is not None
    assert created.password is None
    assert await house.known(login("root", "chosen")) is not None


async def test_first_administrator_is_created_once(house: House) -> None:
    await house.access.first_administrator("admin")
    assert await house.access.first_administrator("admin") is None
    assert await house.access.first_administrator("other", "x") is None


async def test_first_administrator_is_created_once_when_processes_race(house: House) -> None:
    answers = await asyncio.gather(*(house.another().first_administrator("admin") for _ in range(4)))
    assert sum(answer is not None for answer in answers) == 1
