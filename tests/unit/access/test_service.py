from __future__ import annotations

import asyncio
import base64
from datetime import UTC, datetime
from uuid import UUID

import pytest
from argon2 import PasswordHasher
from uuid_utils.compat import uuid7

from airgate.access import service
from airgate.access.passwords import Passwords
from airgate.access.service import REMEMBERED_SECONDS, Access, Created
from airgate.access.throttle import FREE_GUESSES
from airgate.model.errors import Conflict, InvalidInput, NotFound, Unavailable
from airgate.model.identity import Identity, Role
from airgate.store import identities
from airgate.store.database import Database

NOW = datetime(2026, 1, 2, tzinfo=UTC)


class CountingPasswords(Passwords):
    """Cheap hashes, counted."""

    def __init__(self) -> None:
        super().__init__(PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
        self.verified = 0

    async def verify(self, kept: str | None, password: str) -> bool:
        self.verified += 1
        return await super().verify(kept, password)


class House:
    """An Access with a clock to turn and hashes to count."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.steady = 1000.0
        self.now = NOW
        self.passwords = CountingPasswords()
        self.access = self.another()

    def another(self) -> Access:
        return Access(
            self.database,
            clock=lambda: self.now,
            new_id=uuid7,
            passwords=self.passwords,
            steady=lambda: self.steady,
        )

    async def ada(self, role: Role = Role.USER) -> Identity:
        return await self.access.create_identity("ada", role, "right")


@pytest.fixture
def house(database: Database) -> House:
    return House(database)


def login(name: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()


async def test_right_password_authenticates_with_the_identity_and_its_role(house: House) -> None:
    ada = await house.ada(Role.OP)
    assert await house.access.authenticate(login("ada", "right")) == ada


@pytest.mark.parametrize("header", [None, "", login("ada", "wrong"), login("grace", "right"), "Bearer nothing", "?"])
async def test_credential_that_proves_nothing_gives_none(house: House, header: str | None) -> None:
    await house.ada()
    assert await house.access.authenticate(header) is None


async def test_identity_without_password_cannot_log_in_with_any(house: House) -> None:
    await house.access.create_identity("machine", Role.USER)
    assert await house.access.authenticate(login("machine", "")) is None
    assert await house.access.authenticate(login("machine", "x")) is None


async def test_unknown_name_costs_a_verification_as_a_known_one_does(house: House) -> None:
    await house.access.authenticate(login("nobody", "x"))
    assert house.passwords.verified == 1


@pytest.mark.parametrize("form", ["Bearer {}", "{}", "Api-Key {}"])
async def test_token_authenticates_in_every_header_form(house: House, form: str) -> None:
    ada = await house.ada()
    issued = await house.access.issue_token(ada.id, "laptop")
    assert await house.access.authenticate(form.format(issued.secret)) == ada


async def test_token_counts_as_password_of_its_owner_only(house: House) -> None:
    ada = await house.ada()
    await house.access.create_identity("grace", Role.ADMIN, "other")
    issued = await house.access.issue_token(ada.id, "laptop")
    assert await house.access.authenticate(login("ada", issued.secret)) == ada
    assert await house.access.authenticate(login("grace", issued.secret)) is None


async def test_token_is_kept_as_a_digest_only(house: House) -> None:
    ada = await house.ada()
    issued = await house.access.issue_token(ada.id, "laptop")
    kept = await house.database.read(identities.tokens, ada.id)
    assert kept == (issued.token,)
    assert issued.secret.encode() not in issued.token.digest
    assert len(issued.secret) == 32


async def test_verified_credential_is_not_verified_again_within_the_minute(house: House) -> None:
    await house.ada()
    for _ in range(5):
        assert await house.access.authenticate(login("ada", "right")) is not None
    assert house.passwords.verified == 1
    house.steady += REMEMBERED_SECONDS
    assert await house.access.authenticate(login("ada", "right")) is not None
    assert house.passwords.verified == 2


async def test_verified_credential_is_answered_while_the_store_is_closed(house: House) -> None:
    ada = await house.ada()
    await house.access.authenticate(login("ada", "right"))
    await house.database.close()
    assert await house.access.authenticate(login("ada", "right")) == ada


async def test_same_credential_is_verified_once_when_many_ask_at_once(house: House) -> None:
    ada = await house.ada()
    answers = await asyncio.gather(*(house.access.authenticate(login("ada", "right")) for _ in range(20)))
    assert answers == [ada] * 20
    assert house.passwords.verified == 1


async def test_caller_that_goes_away_does_not_disturb_others_with_the_same_credential(house: House) -> None:
    ada = await house.ada()
    leaving = asyncio.create_task(house.access.authenticate(login("ada", "right")))
    staying = asyncio.create_task(house.access.authenticate(login("ada", "right")))
    await asyncio.sleep(0)
    leaving.cancel()
    assert await staying == ada


async def test_revoked_token_counts_no_more_at_once(house: House) -> None:
    ada = await house.ada()
    kept = await house.access.issue_token(ada.id, "kept")
    lost = await house.access.issue_token(ada.id, "lost")
    assert await house.access.authenticate(kept.secret) == ada
    assert await house.access.authenticate(lost.secret) == ada
    await house.access.revoke_token(lost.token.id)
    assert await house.access.authenticate(lost.secret) is None
    assert await house.access.authenticate(kept.secret) == ada


async def test_revoking_an_unknown_token_is_not_found(house: House) -> None:
    with pytest.raises(NotFound):
        await house.access.revoke_token(UUID(int=7))


async def test_old_password_counts_no_more_when_it_was_changed(house: House) -> None:
    ada = await house.ada()
    await house.access.authenticate(login("ada", "right"))
    await house.access.set_password(ada.id, "newer")
    assert await house.access.authenticate(login("ada", "right")) is None
    assert await house.access.authenticate(login("ada", "newer")) == ada


async def test_deleted_identity_counts_no_more_by_password_or_token(house: House) -> None:
    ada = await house.ada()
    issued = await house.access.issue_token(ada.id, "laptop")
    await house.access.authenticate(login("ada", "right"))
    await house.access.authenticate(issued.secret)
    await house.access.delete_identity(ada.id)
    assert await house.access.authenticate(login("ada", "right")) is None
    assert await house.access.authenticate(issued.secret) is None


async def test_credential_looked_up_before_a_change_is_not_remembered_after_it(house: House) -> None:
    ada = await house.ada()
    mark = house.access._verified.digest("header")
    generation = house.access._verified.generation
    house.access._verified.forget(identity_id=ada.id)
    house.access._verified.put(mark, ada, None, generation)
    assert house.access._verified.get(mark) is None


async def test_header_is_not_kept_in_memory(house: House) -> None:
    await house.ada()
    header = login("ada", "right")
    await house.access.authenticate(header)
    assert header not in repr(vars(house.access._verified))


async def test_guessing_makes_a_name_unlooked_at_for_a_while(house: House) -> None:
    ada = await house.ada()
    for number in range(FREE_GUESSES):
        assert await house.access.authenticate(login("ada", f"guess {number}")) is None
    assert house.passwords.verified == FREE_GUESSES

    assert await house.access.authenticate(login("ada", "right")) is None
    assert house.passwords.verified == FREE_GUESSES

    house.steady += 1.0
    assert await house.access.authenticate(login("ada", "right")) == ada


async def test_guessing_does_not_lock_out_a_client_that_works(house: House) -> None:
    ada = await house.ada()
    issued = await house.access.issue_token(ada.id, "laptop")
    await house.access.authenticate(login("ada", "right"))
    for number in range(FREE_GUESSES + 5):
        await house.access.authenticate(login("ada", f"guess {number}"))
    assert await house.access.authenticate(login("ada", "right")) == ada
    assert await house.access.authenticate(issued.secret) == ada


async def test_use_of_a_token_is_noted_but_not_every_time(house: House) -> None:
    ada = await house.ada()
    issued = await house.access.issue_token(ada.id, "laptop")
    await house.access.authenticate(issued.secret)
    await house.database.write(lambda tx: None)
    (kept,) = await house.database.read(identities.tokens, ada.id)
    assert kept.last_used_at == NOW

    house.steady += REMEMBERED_SECONDS
    house.now = NOW.replace(second=30)
    await house.access.authenticate(issued.secret)
    await house.database.write(lambda tx: None)
    (kept,) = await house.database.read(identities.tokens, ada.id)
    assert kept.last_used_at == NOW


async def test_first_administrator_is_created_with_password_and_token_that_work(house: House) -> None:
    created = await house.access.first_administrator("admin")
    assert isinstance(created, Created)
    assert created.password is not None
    by_password = await house.access.authenticate(login("admin", created.password))
    by_token = await house.access.authenticate(f"Bearer {created.token}")
    assert by_password == by_token
    assert by_token is not None
    assert by_token.role is Role.ADMIN


async def test_first_administrator_has_the_preset_password_which_is_not_repeated(house: House) -> None:
    created = await house.access.first_administrator("root", "chosen")
    assert created is not None
    assert created.password is None
    assert await house.access.authenticate(login("root", "chosen")) is not None


async def test_first_administrator_is_created_once(house: House) -> None:
    await house.access.first_administrator("admin")
    assert await house.access.first_administrator("admin") is None
    assert await house.access.first_administrator("other", "x") is None


async def test_first_administrator_is_created_once_when_processes_race(house: House) -> None:
    answers = await asyncio.gather(*(house.another().first_administrator("admin") for _ in range(4)))
    assert sum(answer is not None for answer in answers) == 1


async def test_name_that_is_taken_is_a_conflict(house: House) -> None:
    await house.ada()
    with pytest.raises(Conflict):
        await house.access.create_identity("ada", Role.VIEWER)


@pytest.mark.parametrize("name", ["", "a:b", " ada", "a\nb", "x" * 65])
async def test_name_nobody_could_use_is_refused(house: House, name: str) -> None:
    with pytest.raises(InvalidInput):
        await house.access.create_identity(name, Role.VIEWER)


@pytest.mark.parametrize("password", ["", "x" * (service.LONGEST_PASSWORD + 1)])
async def test_password_nobody_should_use_is_refused(house: House, password: str) -> None:
    with pytest.raises(InvalidInput):
        await house.access.create_identity("ada", Role.VIEWER, password)


async def test_sign_ins_are_refused_when_too_many_wait() -> None:
    passwords = Passwords(PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
    answers = await asyncio.gather(*(passwords.hash("x") for _ in range(100)), return_exceptions=True)
    refused = [answer for answer in answers if isinstance(answer, Unavailable)]
    assert len(refused) == 100 - 66
    assert await passwords.hash("x")
