"""Key → line."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import tomli_w
from hypothesis import given
from hypothesis import strategies as st

from supervisor.config.lines import KeyPath, Lines

DOCUMENT = '''\
# [services.no]
[stack]
name = "a" # base_port = 1
text = """
[services.no]
stride = 3 \\"""
"""
env_files = [
  ".env", # ]
  '[services.no]',
]
raw = \'\'\'
key = 1
\'\'\'

[services.web]
pools.metrics = { offset = 1, size = 2 }
[services."a.b" . env]
'c d' = "]"
"e\\u00e9" = 1
[[ list ]]
last=1'''

LINES = [
    (("stack",), 2),
    (("stack", "name"), 3),
    (("stack", "text"), 4),
    (("stack", "stride"), 2),
    (("stack", "env_files"), 8),
    (("stack", "raw"), 12),
    (("key",), 1),
    (("services",), 16),
    (("services", "no"), 16),
    (("services", "web"), 16),
    (("services", "web", "pools"), 17),
    (("services", "web", "pools", "metrics"), 17),
    (("services", "web", "pools", "metrics", "offset"), 17),
    (("services", "a.b"), 18),
    (("services", "a.b", "env", "c d"), 19),
    (("services", "a.b", "env", "eé"), 20),
    (("list", "last"), 22),
    (("nothing", "there"), 1),
    ((), 1),
]


@pytest.mark.parametrize(("path", "line"), LINES)
def test_each_key_has_its_line(path: KeyPath, line: int) -> None:
    """Strings, arrays and comments that look like keys don't confuse the scanner."""
    assert Lines(DOCUMENT).of(path) == line


def test_windows_line_ends_count_once() -> None:
    """A file with CRLF has the lines that an editor shows."""
    assert Lines(DOCUMENT.replace("\n", "\r\n")).of(("list", "last")) == 22


@pytest.mark.parametrize(
    "text", ['"""a"""""', "'''a'''''", '""""a"""', '"a\\""', "'a\\'", '"""\\\\"""', '""', "''", '"""\n"""']
)
def test_a_string_ends_where_toml_ends_it(text: str) -> None:
    """The next key is found after each odd way to close a string."""
    assert Lines(f"a = {text}\nb = 1").of(("b",)) == 2 + text.count("\n")


def test_a_hostile_depth_costs_nothing() -> None:
    """A key of very many parts is remembered only as deep as the scanner needs."""
    assert Lines("\n" + ".".join(["a"] * 20_000) + " = 1").of(("a",) * 20_000) == 2


keys = st.text(st.sampled_from("ab-_.#=[]{}\"'\\ é1"), min_size=1, max_size=5)
scalars = st.one_of(
    st.integers(-9, 9),
    st.booleans(),
    st.text(st.sampled_from("a\"'\\\n#[]{}=. "), max_size=12),
)
values = st.recursive(
    scalars, lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(keys, inner, max_size=3))
)
documents = st.dictionaries(keys, st.one_of(values, st.dictionaries(keys, values, max_size=4)), max_size=4)


def paths(table: dict[str, Any], prefix: KeyPath = ()) -> Iterator[KeyPath]:
    for key, value in table.items():
        yield (*prefix, key)
        if isinstance(value, dict) and len(prefix) < 6:
            yield from paths(value, (*prefix, key))


@given(documents, st.booleans())
def test_the_reported_line_contains_the_key(document: dict[str, Any], multiline: bool) -> None:
    """Whatever tomli-w writes, each key's reported line holds that key."""
    text = tomli_w.dumps(document, multiline_strings=multiline)
    lines = Lines(text)
    for path in paths(document):
        line = text.split("\n")[lines.of(path) - 1]
        assert path[-1].replace("\\", "\\\\").replace('"', '\\"') in line


@given(st.text(st.sampled_from("a.=\"'\\[]{}#\n ,1"), max_size=60))
def test_any_text_is_survived(text: str) -> None:
    """What isn't TOML at all still gives a line, and one that exists."""
    assert 1 <= Lines(text).of(("a", "a")) <= text.count("\n") + 1
