"""What people write about identities, and what they hear when it cannot be used."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from airgate.access import forms
from airgate.model.errors import InvalidInput
from airgate.model.identity import EVERYWHERE, DagGrant, DagVerb, Limits, RateLimit, Role, Scope, ScopeKind
from tests.support.access_house import LOCAL, NOW, TEAM, WORKSPACES

READ = (DagVerb.READ,)


@pytest.mark.parametrize("name", ["", "a:b", " ada", "a\nb", "a\0b", "\ud800", "x" * 65])
def test_name_nobody_could_use_is_refused(name: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        forms.check_name(name)
    assert caught.value.code == "identity_name"


@pytest.mark.parametrize("password", ["", "x" * (forms.LONGEST_PASSWORD + 1), "\ud800"])
def test_password_nobody_should_use_is_refused(password: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        forms.check_password(password)
    assert caught.value.code == "password"
    assert "\ud800" not in caught.value.detail


@pytest.mark.parametrize(
    ("word", "scope", "role"),
    [
        ("viewer", LOCAL, Role.VIEWER),
        ("editor", LOCAL, Role.USER),
        ("admin", TEAM, Role.ADMIN),
        ("Editor", LOCAL, Role.USER),
        ("DEPLOYMENT_EDITOR", LOCAL, Role.USER),
        ("deployment_viewer", LOCAL, Role.VIEWER),
        ("WORKSPACE_ADMIN", TEAM, Role.ADMIN),
        ("SYSTEM_ADMIN", EVERYWHERE, Role.ADMIN),
    ],
)
def test_role_is_understood_in_each_spelling(word: str, scope: Scope, role: Role) -> None:
    assert forms.service_role(word, scope) == role


@pytest.mark.parametrize(
    "word", ["", "owner", "User", "DEPLOYMENT_", "CLUSTER_EDITOR", "_editor_", "DEPLOYMENT EDITOR"]
)
def test_unknown_role_is_answered_with_the_choices(word: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        forms.service_role(word, LOCAL)
    assert caught.value.code == "role_unknown"
    assert "viewer, editor, admin" in caught.value.detail


@pytest.mark.parametrize(("word", "scope"), [("WORKSPACE_EDITOR", LOCAL), ("DEPLOYMENT_EDITOR", TEAM)])
def test_role_of_another_scope_is_refused(word: str, scope: Scope) -> None:
    with pytest.raises(InvalidInput) as caught:
        forms.service_role(word, scope)
    assert scope.kind in caught.value.detail


@pytest.mark.parametrize("scope", [LOCAL, TEAM, EVERYWHERE])
def test_scope_that_exists_is_taken(scope: Scope) -> None:
    forms.check_scope(scope, WORKSPACES)


@pytest.mark.parametrize(
    "scope",
    [
        Scope(ScopeKind.DEPLOYMENT, "gone"),
        Scope(ScopeKind.DEPLOYMENT, None),
        Scope(ScopeKind.WORKSPACE, "local"),
        Scope(ScopeKind.EVERYTHING, "local"),
    ],
)
def test_scope_that_names_nothing_is_refused(scope: Scope) -> None:
    with pytest.raises(InvalidInput) as caught:
        forms.check_scope(scope, WORKSPACES)
    assert caught.value.code == "scope_unknown"


def test_limits_come_back_in_their_plainest_form() -> None:
    given = Limits(
        dags=(DagGrant("sales_*", (DagVerb.READ, DagVerb.READ, DagVerb.TRIGGER)),),
        expires_at=NOW + timedelta(days=1),
        rate=RateLimit(10, 60),
        networks=("10.1.2.3/16", " 10.1.0.0/16", "192.0.2.1", "2001:DB8::1/32"),
    )
    checked = forms.check_limits(given, NOW)
    assert checked.networks == ("10.1.0.0/16", "192.0.2.1/32", "2001:db8::/32")
    assert checked.dags == (DagGrant("sales_*", (DagVerb.READ, DagVerb.TRIGGER)),)
    assert (checked.expires_at, checked.rate) == (given.expires_at, given.rate)


@pytest.mark.parametrize(
    ("limits", "said"),
    [
        (Limits(dags=(DagGrant("", READ),)), "DAG pattern"),
        (Limits(dags=(DagGrant("a\nb", READ),)), "DAG pattern"),
        (Limits(dags=(DagGrant("a", ()),)), "grants nothing"),
        (Limits(dags=(DagGrant("a", READ),) * 101), "100"),
        (Limits(expires_at=NOW), "future"),
        (Limits(expires_at=datetime(2030, 1, 1)), "time zone"),  # noqa: DTZ001 - naive on purpose
        (Limits(rate=RateLimit(0, 1)), "rate limit"),
        (Limits(rate=RateLimit(1, 0)), "rate limit"),
        (Limits(rate=RateLimit(10**7, 1)), "rate limit"),
        (Limits(networks=("10.0.0.0/33",)), "'10.0.0.0/33' is no network"),
        (Limits(networks=("intranet",)), "CIDR"),
        (Limits(networks=("",)), "CIDR"),
        (Limits(networks=("10.0.0.1",) * 101), "100"),
    ],
)
def test_limit_that_means_nothing_is_refused_with_what_is_right(limits: Limits, said: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        forms.check_limits(limits, NOW)
    assert caught.value.code == "limits"
    assert said in caught.value.detail
