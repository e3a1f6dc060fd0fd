from __future__ import annotations

import base64
import secrets
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
import time_machine
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from standardwebhooks.webhooks import Webhook

from airgate.orchestration.signing import (
    ASYMMETRIC,
    SYMMETRIC,
    BadSigningSecret,
    check_secret,
    headers,
    new_secret,
    public_key,
)

NOW = datetime(2026, 11, 21, tzinfo=UTC)
BODY = b'{"a": 1}'


@pytest.fixture(autouse=True)
def receivers_clock() -> Iterator[None]:
    with time_machine.travel(NOW, tick=False):
        yield


def test_receivers_library_accepts_the_signature() -> None:
    secret = new_secret(SYMMETRIC, secrets.token_bytes)
    signed = headers("msg_1", NOW, BODY, [(SYMMETRIC, secret)])
    assert Webhook(secret).verify(BODY, signed) == {"a": 1}


def test_either_key_proves_the_message_while_keys_are_rotated() -> None:
    old, new = (new_secret(SYMMETRIC, secrets.token_bytes) for _ in range(2))
    signed = headers("msg_1", NOW, BODY, [(SYMMETRIC, new), (SYMMETRIC, old)])
    assert Webhook(old).verify(BODY, signed) == Webhook(new).verify(BODY, signed) == {"a": 1}


def test_asymmetric_signature_is_checked_with_the_public_key() -> None:
    secret = new_secret(ASYMMETRIC, secrets.token_bytes)
    signed = headers("msg_1", datetime(2026, 11, 21, tzinfo=UTC), BODY, [(ASYMMETRIC, secret)])
    scheme, _, proof = signed["webhook-signature"].partition(",")
    key = Ed25519PublicKey.from_public_bytes(base64.b64decode(public_key(secret).removeprefix("whpk_")))
    key.verify(base64.b64decode(proof), b"msg_1." + signed["webhook-timestamp"].encode() + b"." + BODY)
    assert scheme == "v1a"


def test_published_example_has_the_published_signature() -> None:
    at = datetime.fromtimestamp(1614265330, UTC)
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    signed = headers("msg_p5jXN8AQM9LWM0D4loKWxJek", at, b'{"test": 2432232314}', [(SYMMETRIC, secret)])
    assert signed["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_message_without_keys_has_an_id_and_no_signature() -> None:
    assert headers("msg_1", datetime(2026, 1, 1, tzinfo=UTC), BODY, []).keys() == {"webhook-id", "webhook-timestamp"}


@pytest.mark.parametrize(
    ("scheme", "secret"),
    [(SYMMETRIC, "whsec_short"), (SYMMETRIC, "not base64 !"), (ASYMMETRIC, "whsk_AAAA"), (ASYMMETRIC, "")],
)
def test_text_that_is_no_secret_is_refused_without_being_repeated(scheme: str, secret: str) -> None:
    with pytest.raises(BadSigningSecret) as caught:
        check_secret(scheme, secret)
    assert not secret or secret not in str(caught.value)
