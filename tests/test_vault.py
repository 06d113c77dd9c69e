import base64
import html
import json
from typing import TYPE_CHECKING
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ipaas.errors import InputError
from ipaas.vault import MARK, Redactor, Vault, hide_by_key, variable_name

if TYPE_CHECKING:
    from ipaas.model import Json

SECRET = 's3cr?t/+"ü>ÿ~z'
secrets = st.text(st.characters(exclude_categories=["Cs"]), min_size=8, max_size=40).filter(
    # `[redacted]` itself must not be able to hold the secret.
    lambda text: text.strip() != "" and text not in MARK
)


def test_credential_is_found_by_its_id() -> None:
    """`IPAAS_CREDENTIAL_SHOP_EU` is the credential `shop-eu`, for every tenant."""
    vault = Vault.from_environ({"IPAAS_CREDENTIAL_SHOP_EU": '{"token": "abc"}', "PATH": "/bin"})
    assert variable_name("shop-eu") == "IPAAS_CREDENTIAL_SHOP_EU"
    assert vault.find("default", "shop-eu") == {"token": "abc"}
    assert vault.find("default", "shop") is None


def test_text_of_a_wrong_credential_is_not_shown() -> None:
    """A variable that is not a JSON object of strings is named, its text is not, and all are named at once."""
    environ = {
        "IPAAS_CREDENTIAL_A": "hunter2",
        "IPAAS_CREDENTIAL_B": '{"token": 12345678}',
        "IPAAS_CREDENTIAL_C": '["hunter2"]',
        "IPAAS_CREDENTIAL_D": "{}",
    }
    with pytest.raises(InputError) as caught:
        Vault.from_environ(environ)
    assert caught.value.message.splitlines() == [
        f"`IPAAS_CREDENTIAL_{name}` is not a JSON object of strings" for name in "ABC"
    ]
    assert "hunter2" not in str(caught.value) + caught.value.hint


def test_secret_is_not_in_a_repr() -> None:
    """Printing the vault or its redactor shows no value."""
    vault = Vault.from_environ({"IPAAS_CREDENTIAL_A": '{"token": "hunter22"}'})
    assert "hunter22" not in repr(vault) + repr(vault.redactor())


@pytest.mark.parametrize(
    "encode",
    [
        pytest.param(lambda raw: raw.decode(), id="plain"),
        pytest.param(lambda raw: base64.b64encode(raw).decode(), id="base64"),
        pytest.param(lambda raw: base64.b64encode(raw).decode().rstrip("="), id="base64-bare"),
        pytest.param(lambda raw: base64.urlsafe_b64encode(raw).decode(), id="base64url"),
        pytest.param(lambda raw: base64.b64encode(b"user:" + raw).decode(), id="basic"),
        pytest.param(lambda raw: base64.b64encode(b"u:" + raw + b"\n").decode(), id="basic-2"),
        pytest.param(lambda raw: quote(raw, safe=""), id="url"),
        pytest.param(quote, id="url-path"),
        pytest.param(lambda raw: quote(raw, safe="").lower(), id="url-lower"),
        pytest.param(quote_plus, id="form"),
        pytest.param(lambda raw: json.dumps(raw.decode()), id="json"),
        pytest.param(lambda raw: json.dumps(raw.decode(), ensure_ascii=False), id="json-unicode"),
        pytest.param(lambda raw: json.dumps(raw.decode()).replace("/", "\\/"), id="json-slashes"),
        pytest.param(lambda raw: html.escape(raw.decode()), id="html"),
        pytest.param(lambda raw: raw.hex(), id="hex"),
        pytest.param(lambda raw: raw.hex().upper(), id="HEX"),
    ],
)
def test_usual_encodings_are_taken_out(encode) -> None:  # type: ignore[no-untyped-def]  # a table of lambdas
    """A secret disappears from the middle of a text in each usual encoding."""
    secret = 's3cr?t/+"x>y~z'  # no letter whose case `.lower()` above would change
    text = f"before {encode(secret.encode())} after"
    cleaned = Redactor([secret]).text(text)
    assert cleaned != text
    assert cleaned.startswith("before ")
    assert cleaned.endswith(" after")
    assert MARK in cleaned


@given(secret=secrets, before=st.binary(max_size=9), after=st.binary(max_size=9))
def test_no_base64_around_a_secret_can_be_read_back(secret: str, before: bytes, after: bytes) -> None:
    """Whatever stands around it, base64 of a secret loses all characters that only the secret decides."""
    raw = secret.encode()
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        cleaned = Redactor([secret]).text(encode(before + raw + after).decode())
        assert MARK in cleaned
        assert len(cleaned.replace(MARK, "")) <= len(base64.b64encode(before + after)) + 8


@given(secret=secrets, before=st.text(max_size=20), after=st.text(max_size=20))
def test_plain_value_never_survives(secret: str, before: str, after: str) -> None:
    """The value is in no part of the cleaned text that was in the text."""
    cleaned = Redactor([secret]).text(f"{before}{secret}{after}")
    assert all(secret not in part for part in cleaned.split(MARK))


def test_json_is_cleaned_everywhere() -> None:
    """Keys, nested values and numbers whose digits are a secret are taken out; other values keep their type."""
    redact = Redactor(["12345678", "hunter22"])
    value: Json = {"a": ["x hunter22", 12345678, 7, True, None, 1.5], "hunter22": {"deep": "hunter22"}}
    assert redact(value) == {"a": [f"x {MARK}", MARK, 7, True, None, 1.5], MARK: {"deep": MARK}}


def test_longer_secret_leaves_no_rest_of_a_shorter_one() -> None:
    """Where one secret begins with another, the longer one goes whole."""
    assert Redactor(["token", "token-live-1"]).text("token-live-1 token") == f"{MARK} {MARK}"


def test_short_secret_is_taken_out_as_a_word_only() -> None:
    """A value of under four characters does not tear words apart."""
    assert Redactor(["ab"]).text("table ab, (ab)") == f"table {MARK}, ({MARK})"


def test_nothing_to_hide_returns_the_same_object() -> None:
    """Without secrets the value itself comes back: nothing is copied."""
    value = {"a": [1, 2]}
    assert Redactor([""])(value) is value


def test_telling_names_hide_their_values() -> None:
    """Headers that carry secrets by their nature are hidden by name, others are not."""
    headers = {"Authorization": "Bearer x", "X-Api-Key": "k", "cookie": "c", "Accept": "json", "page_token": "p"}
    assert hide_by_key(headers) == {
        "Authorization": MARK,
        "X-Api-Key": MARK,
        "cookie": MARK,
        "Accept": "json",
        "page_token": "p",
    }
