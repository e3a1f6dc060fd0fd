from __future__ import annotations

import hmac
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from standardwebhooks import Webhook as Reference

from airgate.model.errors import InvalidInput, NotAuthenticated
from airgate.model.webhook import Hook, HookScheme
from airgate.orchestration.inbound import Inbound, greeting, payload_of, trigger_of, verify

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
HOOK = Hook(
    id=UUID(int=7),
    workspace_id=UUID(int=8),
    name="orders",
    scheme=HookScheme.GITHUB,
    deployment="local",
    dag_id="load",
    created_at=NOW,
    updated_at=NOW,
)
BODY = b'{"id": "evt_1",  "n": 1}'
SECRET = "a secret of the tests"
STANDARD_SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


class Sent(NamedTuple):
    scheme: HookScheme
    secret: str
    headers: dict[str, str]
    body: bytes
    at: datetime = NOW


def hexed(secret: str, signed: bytes) -> str:
    return hmac.new(secret.encode(), signed, "sha256").hexdigest()


def github(body: bytes = BODY, secret: str = SECRET) -> Sent:
    return Sent(HookScheme.GITHUB, secret, {"x-hub-signature-256": f"sha256={hexed(secret, body)}"}, body)


def stripe(body: bytes = BODY, secret: str = SECRET, at: datetime = NOW) -> Sent:
    stamp = str(int(at.timestamp()))
    signature = hexed(secret, stamp.encode() + b"." + body)
    return Sent(HookScheme.STRIPE, secret, {"stripe-signature": f"t={stamp},v1={signature},v0=6ffbb59b2300"}, body)


def slack(body: bytes = BODY, secret: str = SECRET, at: datetime = NOW) -> Sent:
    stamp = str(int(at.timestamp()))
    signature = "v0=" + hexed(secret, f"v0:{stamp}:".encode() + body)
    headers = {"x-slack-request-timestamp": stamp, "x-slack-signature": signature}
    return Sent(HookScheme.SLACK, secret, headers, body)


def standard(body: bytes = BODY, secret: str = STANDARD_SECRET, at: datetime = NOW) -> Sent:
    headers = {
        "webhook-id": "msg_1",
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": Reference(secret).sign("msg_1", at, body.decode()),
    }
    return Sent(HookScheme.STANDARD, secret, headers, body)


def token(body: bytes = BODY, secret: str = SECRET) -> Sent:
    return Sent(HookScheme.TOKEN, secret, {"x-airgate-token": secret}, body)


def check(sent: Sent, *, secrets: tuple[str, ...] | None = None, **changes: Any) -> None:
    sent = sent._replace(**changes)
    hook = replace(HOOK, scheme=sent.scheme)
    verify(hook, secrets or (sent.secret,), Inbound(headers=sent.headers, body=sent.body), sent.at)


SENT = pytest.mark.parametrize("sent", [github(), stripe(), slack(), standard(), token()], ids=lambda sent: sent.scheme)
SIGNED = pytest.mark.parametrize("sent", [github(), stripe(), slack(), standard()], ids=lambda sent: sent.scheme)


@SENT
def test_request_is_taken_when_its_secret_signed_it(sent: Sent) -> None:
    check(sent)


@SENT
def test_request_is_refused_when_another_secret_signed_it(sent: Sent) -> None:
    with pytest.raises(NotAuthenticated):
        check(sent, secrets=("whsec_" + "A" * 32,))


@SENT
def test_request_is_taken_when_the_secret_before_the_present_one_signed_it(sent: Sent) -> None:
    check(sent, secrets=("whsec_" + "A" * 32, sent.secret))


@SIGNED
def test_request_is_refused_when_one_byte_of_it_was_changed(sent: Sent) -> None:
    with pytest.raises(NotAuthenticated):
        check(sent, body=sent.body.replace(b"  ", b" "))


@SENT
def test_request_is_refused_when_a_header_is_missing(sent: Sent) -> None:
    for name in sent.headers:
        with pytest.raises(NotAuthenticated):
            check(sent, headers={key: value for key, value in sent.headers.items() if key != name})


@pytest.mark.parametrize("make", [stripe, slack, standard])
@pytest.mark.parametrize("seconds", [-301, 301])
def test_request_is_refused_when_its_time_is_far_from_now(make: Any, seconds: int) -> None:
    with pytest.raises(NotAuthenticated) as refused:
        check(make(at=NOW + timedelta(seconds=seconds)))
    assert refused.value.code == "hook_timestamp"


@pytest.mark.parametrize("make", [stripe, slack, standard])
@pytest.mark.parametrize("seconds", [-300, 300])
def test_request_is_taken_when_clocks_differ_by_minutes(make: Any, seconds: int) -> None:
    check(make(at=NOW + timedelta(seconds=seconds)))


@pytest.mark.parametrize("stamp", ["", "now", "-1", "1e9", "١٢٣", "9" * 400, "1772366400.0"])
@pytest.mark.parametrize(
    "made",
    [
        lambda stamp: stripe()._replace(headers={"stripe-signature": f"t={stamp},v1=00"}),
        lambda stamp: slack()._replace(headers=slack().headers | {"x-slack-request-timestamp": stamp}),
        lambda stamp: standard()._replace(headers=standard().headers | {"webhook-timestamp": stamp}),
    ],
)
def test_request_is_refused_when_its_time_is_none(made: Any, stamp: str) -> None:
    with pytest.raises(NotAuthenticated):
        check(made(stamp))


def test_githubs_published_example_is_taken() -> None:
    signature = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
    check(
        Sent(
            HookScheme.GITHUB, "It's a Secret to Everybody", {"x-hub-signature-256": signature}, b"Hello, World!"
        )
    )  # fmt: skip


def test_slacks_published_example_is_taken() -> None:
    body = (
        b"token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V"
        b"&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text="
        b"&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554"
        b"%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c"
    )
    headers = {
        "x-slack-request-timestamp": "1531420618",
        "x-slack-signature": "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503",
    }
    at = datetime.fromtimestamp(1531420618, UTC)
    check(Sent(HookScheme.SLACK, "8f742231b10e8888abcd99yyyzzz85a5", headers, body, at))


def test_stripes_signatures_of_two_secrets_are_taken_while_it_rolls_them() -> None:
    old, new = stripe(secret="old secret"), stripe(secret="new secret")
    both = f"{old.headers['stripe-signature']},{new.headers['stripe-signature'].partition(',')[2]}"
    for one in (old, new):
        check(one, headers={"stripe-signature": both})


def test_stripes_signature_of_another_scheme_counts_for_nothing() -> None:
    sent = stripe()
    with pytest.raises(NotAuthenticated):
        check(sent, headers={"stripe-signature": sent.headers["stripe-signature"].replace("v1=", "v0=")})


def test_standard_signatures_of_two_secrets_are_taken_while_it_rolls_them() -> None:
    sent = standard()
    signatures = f"v1a,AAAA v1,AAAA {sent.headers['webhook-signature']}"
    check(sent, headers=sent.headers | {"webhook-signature": signatures})


def test_standard_signature_is_of_the_message_id_too() -> None:
    sent = standard()
    with pytest.raises(NotAuthenticated):
        check(sent, headers=sent.headers | {"webhook-id": "msg_2"})


@pytest.mark.parametrize("shown", [SECRET, f"Bearer {SECRET}", f"bearer  {SECRET}"])
def test_token_may_stand_in_the_authorization_header(shown: str) -> None:
    hook = replace(HOOK, scheme=HookScheme.TOKEN, shared_in="Authorization")
    verify(hook, (SECRET,), Inbound(headers={"authorization": shown}, body=b""), NOW)


@given(header=st.text(max_size=300), body=st.binary(max_size=100))
def test_no_forged_header_is_taken_or_breaks_anything(header: str, body: bytes) -> None:
    names = ("x-hub-signature-256", "stripe-signature", "x-slack-signature", "webhook-signature", "x-airgate-token")
    stamps = {"x-slack-request-timestamp": header, "webhook-timestamp": header, "webhook-id": header}
    for scheme in HookScheme:
        headers = dict.fromkeys(names, header) | stamps
        with pytest.raises(NotAuthenticated):
            verify(replace(HOOK, scheme=scheme), (SECRET,), Inbound(headers=headers, body=body), NOW)


# -------------------------------------------------------------------------------------------------------- what is asked


def ask(
    payload: Any, headers: Mapping[str, str] | None = None, scheme: HookScheme = HookScheme.GITHUB, **hook: Any
) -> Any:
    request = Inbound(headers=dict(headers or {}), body=b"")
    return trigger_of(replace(HOOK, scheme=scheme, **hook), request, payload)


def test_conf_is_the_payload_when_the_hook_says_nothing_else() -> None:
    assert ask({"a": [1, 2]}).conf == {"a": [1, 2]}
    assert ask([1]).conf == {"payload": [1]}
    assert ask(None).conf == {}


def test_conf_is_made_of_payload_and_headers_with_their_types() -> None:
    conf = {
        "rows": "${{payload.stats.rows}}",
        "second": "${{payload.list.1}}",
        "event": "${{headers.X-GitHub-Event}}",
        "text": "n=${{payload.stats.rows}}",
    }
    asked = ask({"stats": {"rows": 5}, "list": ["a", "b"]}, {"x-github-event": "push"}, conf=conf)
    assert asked.conf == {"rows": 5, "second": "b", "event": "push", "text": "n=5"}
    assert asked.triggering_user == "hook orders"


@pytest.mark.parametrize("name", ["payload.missing", "payload.list.9", "payload.list.x", "headers.x-none"])
def test_payload_without_what_the_hook_needs_is_refused(name: str) -> None:
    with pytest.raises(InvalidInput, match=name):
        ask({"list": [1]}, conf={"a": f"${{{{{name}}}}}"})


@pytest.mark.parametrize(
    ("scheme", "headers", "payload", "key"),
    [
        (HookScheme.GITHUB, {"x-github-delivery": "d-1"}, {}, "d-1"),
        (HookScheme.STANDARD, {"webhook-id": "msg_1"}, {"id": "other"}, "msg_1"),
        (HookScheme.STRIPE, {}, {"id": "evt_1"}, "evt_1"),
        (HookScheme.SLACK, {}, {"event_id": "Ev1"}, "Ev1"),
        (HookScheme.SLACK, {}, {"command": "/x"}, None),
        (HookScheme.STRIPE, {}, {"id": 5}, None),
        (HookScheme.TOKEN, {}, {"id": "5"}, None),
    ],
)
def test_key_is_the_senders_id_of_the_delivery(
    scheme: HookScheme, headers: dict[str, str], payload: Any, key: str | None
) -> None:
    expected = None if key is None else f"hook:{HOOK.id}:{key}"
    assert ask(payload, headers, scheme).idempotency_key == expected


def test_key_of_the_hook_goes_before_the_senders() -> None:
    asked = ask({"id": 5}, {"x-github-delivery": "d"}, idempotency_key="order-${{payload.id}}")
    assert asked.idempotency_key == f"hook:{HOOK.id}:order-5"


@pytest.mark.parametrize("key", ["x" * 5000, "a\nb", "schön"])
def test_odd_key_stands_for_itself_by_its_digest(key: str) -> None:
    made = ask({"k": key}, idempotency_key="${{payload.k}}").idempotency_key
    assert made == ask({"k": key}, idempotency_key="${{payload.k}}").idempotency_key
    assert made.isascii()
    assert len(made) < 200
    assert made != ask({"k": key + "!"}, idempotency_key="${{payload.k}}").idempotency_key


@pytest.mark.parametrize(
    ("body", "media_type", "payload"),
    [
        (b'{"a": 1}', "application/json", {"a": 1}),
        (b'{"a": 1}', "", {"a": 1}),
        (b"a=1&b=", "application/x-www-form-urlencoded", {"a": "1", "b": ""}),
        (b"payload=%7B%22a%22%3A1%7D", "application/x-www-form-urlencoded; charset=utf-8", {"a": 1}),
        (b" ", "application/json", None),
    ],
)
def test_body_is_read_as_json_or_as_a_form(body: bytes, media_type: str, payload: Any) -> None:
    assert payload_of(Inbound(headers={"content-type": media_type}, body=body), json.loads) == payload


@pytest.mark.parametrize(
    ("body", "media_type"),
    [
        (b"{", "application/json"),
        (b"\xff\xfe", "text/plain"),
        (b"<a/>", ""),
        (b"a=\xff", "application/x-www-form-urlencoded"),
        (b"a=%00", "application/x-www-form-urlencoded"),
        (b"payload=%7B", "application/x-www-form-urlencoded"),
        (b"&".join([b"a=1"] * 1001), "application/x-www-form-urlencoded"),
    ],
)
def test_body_that_is_neither_is_refused(body: bytes, media_type: str) -> None:
    with pytest.raises(InvalidInput):
        payload_of(Inbound(headers={"content-type": media_type}, body=body), json.loads)


def test_slack_and_github_are_greeted_without_a_run() -> None:
    challenge = {"type": "url_verification", "challenge": "3eZb"}
    said = Inbound(headers={"x-github-event": "ping"}, body=b"")
    assert greeting(replace(HOOK, scheme=HookScheme.SLACK), said, challenge) == {"challenge": "3eZb"}
    assert greeting(HOOK, said, {"zen": "…"}) == {"pong": "orders"}
    assert greeting(HOOK, Inbound(headers={"x-github-event": "push"}, body=b""), challenge) is None
