"""What isn't TOML: said with its line, and for the usual slips with what would be right."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervisor.config.load import parse
from supervisor.errors import ConfigError

FILE = Path("/w/services.toml")

QUOTES = "strings need quotes"
BRACES = "a table in braces stays on one line, without a comma at its end"


def detail(text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        parse(FILE, text)
    assert caught.value.message == "services.toml is not valid TOML"
    (line,) = caught.value.details
    return line.removeprefix(f"{FILE}:")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[a]\r\ncommand = python3 x\r\n", f"2: Invalid value ({QUOTES})"),
        ("a = [1, ./x]", f"1: Invalid value ({QUOTES})"),
        ("timeout = 10s", f"1: Expected newline or end of document after a statement ({QUOTES})"),
        ("r = { timeout = 10s, tcp = true }", f"1: Unclosed inline table ({QUOTES})"),
        ("shell = True", "1: Invalid value (write true or false)"),
        ("[s.a]\nx = 1\n[s.a]", "3: s.a is declared twice"),
        ("[s.a]\nx = 1\n[s.'b c']\n[s.'b c']", '4: s."b c" is declared twice'),
        ("[s]\np = { x = 1 }\n[s.p]", "3: s.p is declared twice"),
        ("[s]\np = { x = 1 }\np.y = 2\n", "3: s.p is declared twice"),
        ("x.y = 1\n x.y = 2", "2: x.y is declared twice"),
        ("[s]\np = 1\n[s.p]", "3: s.p is declared twice"),
        ("p = 1\np = '''\n'''", "3: a key is declared twice"),
        ("p = { a = 1,\n b = 2 }", f"1: Invalid initial character for a key part ({BRACES})"),
        ("p = { a = 1, }", f"1: Invalid initial character for a key part ({BRACES})"),
        # nothing to add
        ("a =", "1: Invalid value"),
        ("a = 'x' 'y'", "1: Expected newline or end of document after a statement"),
        ("a = [1, 2\nb = 3", "2: Unclosed array"),
        ("p = { a = 'x' b = 'y' }", "1: Unclosed inline table"),
        ("[x.é]", "1: Invalid initial character for a key part"),
        ("a = 1\n[s", "2: Expected ']' at the end of a table declaration"),
        ("a = " + "[" * 20_000, "1: nested too deeply"),
    ],
)
def test_a_complaint(text: str, said: str) -> None:
    """The line stands in front, and not again at the end."""
    assert detail(text) == said


def test_a_complaint_has_an_end() -> None:
    """However long the key that it names is."""
    key = "k" * 5000
    assert detail(f"[{key}]\n[{key}]").startswith("2: kkk")
    assert len(detail(f"[{key}]\n[{key}]")) < 250
    assert len(detail("a = " + "9" * 5000)) < 250


@given(st.text(st.sampled_from("ab.=\"'\\[]{}#\n\r ,1é"), max_size=60))
def test_any_text_is_survived(text: str) -> None:
    """A document, or an error with a line that there is."""
    try:
        parse(FILE, text)
    except ConfigError as error:
        line = int(error.details[0].removeprefix(f"{FILE}:").split(":")[0])
        assert 1 <= line <= text.count("\n") + 1
