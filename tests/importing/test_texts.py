"""Texts on their way to services.toml."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervisor.config.interpolate import interpolate
from supervisor.importing.texts import Ref, Text, join_words, split_words, with_port

PARTS = st.one_of(st.text(alphabet="$${}a 'b\"\\\n"), st.sampled_from([Ref("port"), Ref("env:HOME")]))
TEXTS = st.lists(PARTS, max_size=6).map(lambda parts: Text.of(*parts))


def filled(text: Text) -> str:
    """With each reference as its name in brackets."""
    return "".join(part if isinstance(part, str) else f"<{part.name}>" for part in text.parts)


@given(TEXTS)
def test_what_is_written_means_the_text(text: Text) -> None:
    """Every dollar of the source stays one, every reference is one."""
    assert interpolate(text.written, lambda name: f"<{name}>") == filled(text)


@given(st.lists(TEXTS, min_size=1, max_size=4))
def test_joined_words_split_again(words: list[Text]) -> None:
    """Whatever quotes and blanks they hold."""
    assert split_words(join_words(words)) == words


@pytest.mark.parametrize(
    ("line", "written"),
    [
        ("serve $PORT", "serve ${port}"),
        ("serve ${PORT}", "serve ${port}"),
        ("serve :${PORT:-3000}", "serve :${port}"),
        ("serve $PORTS ${PORT_A}", "serve $PORTS $${PORT_A}"),
        ("cost $$PORT", "cost $$${port}"),
    ],
)
def test_the_port_of_a_shell(line: str, written: str) -> None:
    """In all the forms in which it is written, and no other variable."""
    assert with_port(Text.of(line)).written == written
