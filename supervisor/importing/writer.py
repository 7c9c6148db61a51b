"""Draft → the text of services.toml, with comments. Pure."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping, Sequence

import tomli_w

from supervisor.config.model import MAIN_POOL
from supervisor.importing.draft import Draft, Port, ServiceDraft
from supervisor.importing.layout import Layout, Pool, lay_out
from supervisor.importing.texts import Text

WIDTH = 100
"""Columns of a comment."""

_PLACE_OF_COMMENTS = 48


def write(draft: Draft) -> str:
    """The whole file. What was not carried over stands below its head."""
    ports = [port for service in draft.services for port in service.ports]
    layout = lay_out([port.usual for port in ports])
    blocks = [_head(draft), _stack(draft, layout)]
    pools = iter(enumerate(layout.pools))
    for service in draft.services:
        its = [(port, *next(pools)) for port in service.ports]
        block = _service(service, [_Given(port, pool, layout.first_port(i)) for port, i, pool in its])
        blocks.append(_commented_out(service.disabled, block) if service.disabled is not None else block)
    return "\n\n".join(blocks) + "\n"


class _Given:
    """A port with its pool and its number in instance 1."""

    def __init__(self, port: Port, pool: Pool, number: int) -> None:
        self.port, self.pool, self.number = port, pool, number


def _head(draft: Draft) -> str:
    lines = [f"# Made from {draft.source} by `portsup init`. `portsup check` shows what an instance gets."]
    report = list(draft.report())
    if report:
        lines += ["#", "# Not carried over:"]
        lines += [comment for line in report for comment in _comment(f"- {line}", further="  ")]
    return "\n".join(lines)


def _comment(text: str, further: str = "") -> list[str]:
    text = "".join(char if char.isprintable() else " " for char in text)
    return textwrap.wrap(
        text,
        WIDTH,
        initial_indent="# ",
        subsequent_indent=f"# {further}",
        break_long_words=False,
        break_on_hyphens=False,
    )


def _stack(draft: Draft, layout: Layout) -> str:
    lines = ["[stack]"]
    if draft.stack:
        lines.append(_entry("name", draft.stack))
    lines += [
        _remarked(f"base_port = {layout.base_port}", "instance 1 counts its ports from here …"),
        _remarked(f"stride = {layout.stride}", f"… and instance 2 from {layout.base_port + layout.stride}"),
    ]
    if draft.env_files:
        lines.append(_remarked(_entry("env_files", draft.env_files), "every service gets their variables"))
    return "\n".join(lines)


def _service(service: ServiceDraft, ports: Sequence[_Given]) -> str:
    lines = [line for remark in service.remarks for line in _comment(remark)]
    lines.append(f"[services.{service.name}]")
    lines.append(_entry("command", service.command))
    if service.shell:
        lines.append("shell = true")
    if service.cwd not in (".", ""):
        lines.append(_entry("cwd", service.cwd))
    lines += [_pool(given) for given in ports]
    lines += _keys(service)
    lines += _env(service)
    return "\n".join(lines)


def _pool(given: _Given) -> str:
    port, pool = given.port, given.pool
    table = f"offset = {pool.offset}, size = {pool.size}"
    told = f"instance 1: {given.number}"
    if port.usual not in (None, given.number):
        told += f", for {port.usual}"
    if port.pool == MAIN_POOL:
        return _remarked(f"pool = {{ {table} }}", f"{told}, in $PORT")
    env = f', env = "{port.env}"' if port.env else ""
    return _remarked(f"pools.{port.pool} = {{ {table}{env} }}", told)


def _keys(service: ServiceDraft) -> Iterator[str]:
    if service.depends_on:
        yield _entry("depends_on", service.depends_on)
    if service.ready:
        yield f"ready = {_inline(service.ready)}"
    if service.restart is not None:
        yield _entry("restart", service.restart)
    if service.limit is not None:
        yield f"backoff = {{ limit = {service.limit} }}"
    if service.stop:
        yield f"stop = {_inline(service.stop)}"
    if service.shield is not None:
        yield _entry("shield", service.shield)


def _env(service: ServiceDraft) -> Iterator[str]:
    if service.env:
        yield ""
        yield f"[services.{service.name}.env]"
        yield from (_entry(name, value.written) for name, value in service.env.items())


def _inline(table: Mapping[str, object]) -> str:
    return "{ " + ", ".join(_entry(key, value) for key, value in table.items()) + " }"


def _entry(key: str, value: object) -> str:
    """On one line: tomli-w gives an array a line for each of its values."""
    if isinstance(value, Text):
        value = value.written
    if isinstance(value, list | tuple):
        values = (_entry("_", one).removeprefix("_ = ") for one in value)
        return f"{key} = [{', '.join(values)}]"
    return tomli_w.dumps({key: value}).rstrip("\n")


def _remarked(entry: str, remark: str) -> str:
    return f"{entry.ljust(_PLACE_OF_COMMENTS)} # {remark}"


def _commented_out(reason: str, block: str) -> str:
    lines = [*_comment(f"Not started: {reason}. Take the # away to have it:"), *_each_commented(block)]
    return "\n".join(lines)


def _each_commented(block: str) -> Iterator[str]:
    for line in block.split("\n"):
        yield f"# {line}".rstrip()
