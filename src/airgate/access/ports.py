"""What is kept of identities and roles, and how it may be changed: what the dialects call.

Every method takes `by`, the caller that asks, and holds to these rules, whichever dialect it came by:

  * reading people and roles needs ``users.read``, changing them ``users.edit``; service accounts need
    ``service_accounts.read`` and ``service_accounts.edit``;
  * a caller sees and touches only identities whose scope lies within its own; others do not exist for it (NotFound);
  * nobody grants more than they have, nor touches who has more: permissions, scope and limits of an identity that is
    made, changed, deleted or given a key lie within the caller's. A caller limited to some DAGs makes and changes none;
  * the last active administrator of everything cannot be deleted, demoted or deactivated (Conflict,
    ``last_administrator``).

Unless a method says otherwise, it raises PermissionDenied for what breaks these rules, InvalidInput for a value that
cannot be used (the detail names the field and what is right) and Unavailable where the store cannot be asked.
What is changed through these counts at once, also for requests with credentials that were verified already.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol
from uuid import UUID

import msgspec
from msgspec import UNSET, UnsetType

from airgate.access.decisions import Caller
from airgate.access.permissions import Permission
from airgate.model.identity import EVERYWHERE, ApiKey, Identity, Limits, Profile, Scope
from airgate.model.query import Listing, Order, Page


class NewPerson(msgspec.Struct, frozen=True, kw_only=True):
    """A person to be made. Without a password they sign in with keys only. `roles` are names of roles there are."""

    name: str
    password: str | None = None
    roles: tuple[str, ...]
    scope: Scope = EVERYWHERE
    limits: Limits = Limits()
    active: bool = True
    profile: Profile = Profile()


class PersonChange(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be different about a person."""

    name: str | UnsetType = UNSET
    password: str | UnsetType = UNSET
    roles: tuple[str, ...] | UnsetType = UNSET
    scope: Scope | UnsetType = UNSET
    limits: Limits | UnsetType = UNSET
    active: bool | UnsetType = UNSET
    profile: Profile | UnsetType = UNSET


class NewServiceAccount(msgspec.Struct, frozen=True, kw_only=True):
    """A service account to be made, with its first key.

    `role` is ``viewer``, ``editor`` or ``admin``, also spelled ``DEPLOYMENT_EDITOR`` or ``WORKSPACE_EDITOR``; a prefix
    must fit the scope. `batch` marks the first key for the batch plugin's dialect.
    """

    label: str
    category: str = ""
    role: str = "viewer"
    scope: Scope
    limits: Limits = Limits()
    batch: bool = False


class ServiceAccountChange(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be different about a service account."""

    label: str | UnsetType = UNSET
    category: str | UnsetType = UNSET
    role: str | UnsetType = UNSET
    scope: Scope | UnsetType = UNSET
    limits: Limits | UnsetType = UNSET
    active: bool | UnsetType = UNSET


class NewKey(msgspec.Struct, frozen=True, kw_only=True):
    """A key to be issued. `batch` marks it for the batch plugin's dialect."""

    label: str = ""
    expires_at: datetime | None = None
    batch: bool = False


class IssuedKey(msgspec.Struct, frozen=True, kw_only=True):
    """A new key with its secret, which is not kept: 32 lowercase hexadecimal digits, to be shown now or never."""

    key: ApiKey
    secret: str


class CreatedServiceAccount(msgspec.Struct, frozen=True, kw_only=True):
    """A new service account and its first key."""

    identity: Identity
    issued: IssuedKey


class KnownRole(msgspec.Struct, frozen=True, kw_only=True):
    """A role by name. Those that always exist are `built_in` and cannot be changed."""

    name: str
    permissions: frozenset[Permission]
    built_in: bool = False


class Accounts(Protocol):
    """People, service accounts and their keys. The module says what holds for every method."""

    async def get(self, by: Caller, identity_id: UUID) -> Identity:
        """One identity, of either kind. Raises NotFound (``identity_not_found``)."""

    async def person(self, by: Caller, name: str) -> Identity:
        """The person with this user name. Raises NotFound (``identity_not_found``)."""

    async def list_people(self, by: Caller, *, after: str | None = None, limit: int) -> tuple[Identity, ...]:
        """People by name, beginning after the name `after`: the page of a list that pages by key."""

    async def page_of_people(self, by: Caller, order: Order, page: Page) -> Listing[Identity]:
        """One page of the people with how many there are, for dialects that page by offset.

        Order fields: id, name, roles, active, first_name, last_name, email, created_at; others raise InvalidInput
        (``order_field``).
        """

    async def create_person(self, by: Caller, new: NewPerson) -> Identity:
        """Make a person.

        Raises:
            Conflict: (``identity_exists``) the name is taken; (``email_exists``) the e-mail address is.
            InvalidInput: name, password, a role that does not exist (``role_unknown``), a limit.
        """

    async def update_person(self, by: Caller, identity_id: UUID, change: PersonChange) -> Identity:
        """Change a person. Raises NotFound, and Conflict and InvalidInput like `create_person`.

        Who may not edit people may still change their own password and profile, and nothing else of themselves, when
        they came with their password or a token got by it, not with a key.
        """

    async def list_service_accounts(
        self, by: Caller, *, scope: Scope | None = None, after: UUID | None = None, limit: int
    ) -> tuple[Identity, ...]:
        """Service accounts, the newest first, beginning after the one with the id `after`.

        `scope`: only those with exactly this scope, e.g. those of one deployment; None: all that the caller sees.
        """

    async def create_service_account(self, by: Caller, new: NewServiceAccount) -> CreatedServiceAccount:
        """Make a service account and issue its first key. Its unique `name` is made of the label.

        Raises:
            InvalidInput: (``role_unknown``, ``scope_unknown``, ``label``, ``limits``) with what is right.
        """

    async def update_service_account(self, by: Caller, identity_id: UUID, change: ServiceAccountChange) -> Identity:
        """Change a service account. Raises NotFound, and InvalidInput like `create_service_account`."""

    async def delete(self, by: Caller, identity_id: UUID) -> Identity:
        """Delete an identity of either kind and its keys; its credentials and tokens count no more. Raises NotFound."""

    async def keys(self, by: Caller, identity_id: UUID) -> tuple[ApiKey, ...]:
        """The keys of an identity, oldest first. A person may always list their own. Raises NotFound."""

    async def issue_key(self, by: Caller, identity_id: UUID, new: NewKey) -> IssuedKey:
        """Issue another key. A person may always issue keys of their own. Raises NotFound."""

    async def revoke_key(self, by: Caller, identity_id: UUID, key_id: UUID) -> ApiKey:
        """Revoke a key of an identity; it counts no more, nor do tokens made with it. A person may revoke their own.

        Raises:
            NotFound: (``identity_not_found``, ``key_not_found``), the latter also where it is another identity's key.
        """


class Roles(Protocol):
    """Airflow's four roles, which are fixed, and those defined here; to change these the caller reaches everything."""

    async def list(self, by: Caller) -> Sequence[KnownRole]:
        """All roles: the built-in ones, weakest first, then one's own by name."""

    async def get(self, by: Caller, name: str) -> KnownRole:
        """One role. Raises NotFound (``role_not_found``)."""

    async def create(self, by: Caller, name: str, permissions: frozenset[Permission]) -> KnownRole:
        """Define a role. Raises Conflict (``role_exists``), also for the name of a built-in role."""

    async def update(
        self, by: Caller, name: str, *, new_name: str | None = None, permissions: frozenset[Permission] | None = None
    ) -> KnownRole:
        """Rename a role or replace its permissions; who has it has it changed at once.

        Raises:
            NotFound: there is no such role.
            Conflict: (``role_fixed``) it is built in; (``role_exists``) its new name is taken.
        """

    async def delete(self, by: Caller, name: str) -> KnownRole:
        """Delete a role.

        Raises:
            NotFound: there is no such role.
            Conflict: (``role_fixed``) it is built in; (``role_in_use``) somebody has it.
        """


class Tokens(Protocol):
    """Signing in: a name and a secret for a token that counts for a while."""

    async def sign_in(self, name: str, secret: str, address: str | None = None, *, cli: bool = False) -> str:
        """A JWT for a person's name and password, or for any identity's name and one of its keys.

        Args:
            name: the user name, or the service account's `name`.
            secret: password or key.
            address: where the request comes from.
            cli: whether the token counts as long as is set for command lines.

        Raises:
            NotAuthenticated: wrong, or unknown, or guessed at too often.
            PermissionDenied: a known identity, but not from this address.
        """
