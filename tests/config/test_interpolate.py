"""The `${…}` language."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervisor.config.interpolate import interpolate, names, references, templates
from supervisor.config.model import Ready, ReadyKind, Service

TEXTS = [
    ("", [], ""),
    ("plain", [], "plain"),
    ("${port}", ["port"], "<port>"),
    (
        "a${mcp-universal.port}b${x.m_1.url}",
        ["mcp-universal.port", "x.m_1.url"],
        "a<mcp-universal.port>b<x.m_1.url>",
    ),
    ("$$", [], "$"),
    ("$${port}", [], "${port}"),
    ("$$${port}", ["port"], "$<port>"),
    ("$$$$", [], "$$"),
    ("$HOME $1 $", [], "$HOME $1 $"),
    ("${env:HOME}/$USER", ["env:HOME"], "<env:HOME>/$USER"),
    ("${a\nb}", ["a\nb"], "<a\nb>"),
]


@pytest.mark.parametrize(("text", "used", "filled"), TEXTS)
def test_references_and_filling_in_agree(text: str, used: list[str], filled: str) -> None:
    """Each form is read and filled in alike."""
    assert references(text) == used
    assert interpolate(text, "<{}>".format) == filled


@pytest.mark.parametrize("text", ["${", "a ${port", "${}", "$$${"])
def test_what_is_malformed_is_refused(text: str) -> None:
    """An open brace and an empty name raise, in both functions."""
    with pytest.raises(ValueError, match=r"\$\{"):
        references(text)
    with pytest.raises(ValueError, match=r"\$\{"):
        interpolate(text, str)


def test_a_value_is_not_filled_in_again() -> None:
    """A variable's content with dollars comes through as it is."""
    assert interpolate("${a}", lambda _: "${b}$$") == "${b}$$"


@given(st.text())
def test_doubled_dollars_come_through(text: str) -> None:
    """Any text can be written by doubling its dollars."""
    assert interpolate(text.replace("$", "$$"), lambda _: "wrong") == text


def test_names_of_a_worker_and_of_a_service_with_pools() -> None:
    """A worker has no port of its own; named pools stand behind their service."""
    pools = {"web": ["port", "metrics"], "job": []}
    everywhere = ["instance", "base_port", "stack", "data_dir"]
    web = ["web.port", "web.url", "web.metrics.port", "web.metrics.url"]
    assert names([], pools) == [*everywhere, *web]
    assert names(["port", "metrics"], pools) == [*everywhere, "port", "url", *web]
    assert names([], pools, socket=True) == [*everywhere, "port_fd", *web]


def test_a_log_pattern_holds_no_references() -> None:
    """A regular expression's dollars are its own; http paths and exec words are filled in."""
    pattern = Ready(ReadyKind.LOG, pattern="${a}$")
    assert list(templates(Service("a", ("x",), ready=pattern))) == [(("command",), "x")]
    http = Ready(ReadyKind.HTTP, path="/${port}")
    assert (("ready", "http"), "/${port}") in list(templates(Service("a", ("x",), ready=http)))
