"""What looks like a secret, and what is shown instead."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervisor.masking import MASK, looks_secret, mask, mask_command, mask_text, secrets_of, without


@pytest.mark.parametrize(
    "name",
    [
        "TOKEN", "GITHUB_TOKEN", "github-token", "--auth-token", "authToken", "CSRFTOKEN", "TOKEN_2",
        "TOKEN2", "SECRET", "client_secret", "SECRET_KEY_BASE", "PASSWORD", "PGPASSWORD", "PASSWORD_FILE",
        "DB_PASSWD", "KEY", "API_KEY", "APIKEY", "api.key", "apiKey", "AWS_ACCESS_KEY_ID", "S3KEY", "KEYS",
        "PRIVATE_KEY", "AWS_CREDENTIALS", "CREDENTIAL", "GIT_CREDS", "SSH_PASSPHRASE", "DB_PASS", "pass",
        "PW", "PW_FILE", "MYSQL_PWD", "BASIC_AUTH", "Authorization",
    ],
)  # fmt: skip
def test_secret_names(name: str) -> None:
    """The words TOKEN, SECRET, PASSWORD, KEY, CREDENTIAL and their kin, however they are strung together."""
    assert looks_secret(name)
    assert mask(name, "x") == MASK


@pytest.mark.parametrize(
    "name",
    [
        "MONKEY", "KEYBOARD", "KEYBOARD_LAYOUT", "TURKEY", "TOKENIZER", "TOKENIZERS_PARALLELISM", "SECRETARY",
        "COMPASS", "PASSENGERS", "BYPASS", "AUTHOR", "AUTHORITY", "XAUTHORITY", "PWD", "OLDPWD", "PATH",
        "PORT", "LOG_LEVEL", "", "_", "2",
    ],
)  # fmt: skip
def test_innocent_names(name: str) -> None:
    """Longer words that hold one of those are none of them."""
    assert not looks_secret(name)
    assert mask(name, "x") == "x"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("postgres://me:pass@db/x", f"postgres://me:{MASK}@db/x"),
        ("redis://:pass@db/0", f"redis://:{MASK}@db/0"),
        ("amqp://u:p@ss/w:rd@db", f"amqp://u:{MASK}@db"),
        ("http://me:1234@db:80/", f"http://me:{MASK}@db:80/"),
        ("http://db:80/x@y", "http://db:80/x@y"),
        ("ssh://git@host/x", "ssh://git@host/x"),
        ("http://db/?token=abc&x=1", f"http://db/?token={MASK}&x=1"),
        ("API_KEY='a b' server", f"API_KEY={MASK} server"),
        ('API_KEY="a b" server', f"API_KEY={MASK} server"),
        ("server --token abc --port 1", f"server --token {MASK} --port 1"),
        ("server --token --port 1", "server --token --port 1"),
        ("curl -H 'Authorization: Bearer abc' x", f"curl -H 'Authorization: Bearer {MASK} x"),
        ("MONKEY=see", "MONKEY=see"),
    ],
)
def test_texts(text: str, shown: str) -> None:
    """URLs' passwords and what is named like a secret go, the rest stays."""
    assert mask_text(text) == shown


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        (["x", "--token", "a b", "c"], ["x", "--token", MASK, "c"]),
        (["x", "--token=a b", "c"], ["x", f"--token={MASK}", "c"]),
        (["x", "--token", "--port", "1"], ["x", "--token", "--port", "1"]),
        (["env", "API_KEY=abc", "x"], ["env", f"API_KEY={MASK}", "x"]),
        (["sh", "-c", "x --key abc"], ["sh", "-c", f"x --key {MASK}"]),
        (["key", "abc"], ["key", "abc"]),
        ([], []),
    ],
)
def test_commands(words: list[str], shown: list[str]) -> None:
    """What follows an option of a secret's name is masked as a whole."""
    assert mask_command(words) == shown


def test_values() -> None:
    """The values of secret-looking variables are found in a text, the longest first; short ones stay."""
    secrets = secrets_of({"TOKEN": "abcdef", "KEY": "abcdefgh", "PIN_KEY": "1", "HOME": "/root/x"})
    assert secrets == {"abcdef", "abcdefgh"}
    assert without("say abcdefgh and abcdef, 1 in /root/x", secrets) == f"say {MASK} and {MASK}, 1 in /root/x"


@given(st.text(), st.lists(st.text()))
def test_anything_can_be_asked(text: str, words: list[str]) -> None:
    """No text breaks it, and no word of a command line is lost."""
    looks_secret(text)
    mask_text(text)
    assert len(mask_command(words)) == len(words)
