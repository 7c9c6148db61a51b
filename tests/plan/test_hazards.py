"""Warnings about the ports of the instance at hand."""

from __future__ import annotations

from pathlib import Path

import pytest

from supervisor.config.ephemeral import ephemeral_range
from supervisor.config.load import load
from supervisor.plan.hazards import hazards
from supervisor.plan.plan import make_plan

SAMPLE = """\
[services.mcp-universal]
command = "x"
pool = { offset = 0, size = 3 }

[services.api-server]
command = "x"
pool = { ports = [9000, 9001, 9002] }
"""

EPHEMERAL = range(32768, 61000)


def warnings(folder: Path, instance: int, text: str = SAMPLE) -> list[str]:
    file = folder / "services.toml"
    file.write_text(text)
    config = load(file)._replace(ephemeral=EPHEMERAL)
    assert config.warnings == ()
    return [str(warning).removeprefix(f"{file}:") for warning in make_plan(config, instance).warnings]


def test_an_instance_is_warned_of_its_own_ports_only(tmp_path: Path) -> None:
    """6000 is a port that browsers refuse; instance 2 doesn't use it, and instance 7 has one of its own."""
    (first,) = warnings(tmp_path, 1)
    assert first == (
        "3: services.mcp-universal.pool: browsers refuse to open port 6000"
        " (fine for services that no browser opens)"
    )
    assert warnings(tmp_path, 2) == []
    (seventh,) = warnings(tmp_path, 7, SAMPLE.replace("offset = 0", "offset = 65"))
    assert "browsers refuse to open port 6665-6667 (" in seventh


def test_a_high_number_reaches_the_kernels_range(tmp_path: Path) -> None:
    """Instance 300 of the sample begins at 35900."""
    (only,) = warnings(tmp_path, 300)
    assert only.startswith("3: services.mcp-universal.pool: port 35900-35902 lies in the kernel's range")


def test_a_shared_port_that_is_a_relative_one_of_this_instance(tmp_path: Path) -> None:
    """The locks keep the two apart, but which of them gets it depends on who comes first."""
    (only,) = warnings(tmp_path, 31)
    assert only == (
        "7: services.api-server.pool: overlaps services.mcp-universal.pool of instance 31 at port 9000-9002"
        " (leave this number out, or share other ports)"
    )
    assert warnings(tmp_path, 30) == warnings(tmp_path, 32) == []


def test_warnings_stand_in_the_files_order(tmp_path: Path) -> None:
    """Also where a dependency starts before what stands above it, and where [defaults] has the pool."""
    text = (
        "[defaults]\npool = { ports = [80] }\n[services.a]\ncommand = 'x'\ndepends_on = ['b']\n"
        "pools.m = { ports = [81] }\n[services.b]\ncommand = 'x'\npool = { ports = [82] }\n"
    )
    keys = [warning.split(": ")[1] for warning in warnings(tmp_path, 1, text)]
    assert keys == ["defaults.pool", "services.a.pools.m", "services.b.pool"]


@pytest.mark.parametrize(
    ("ports", "said"),
    [
        (range(7000, 7010), []),
        (range(6664, 6671), ["browsers refuse to open port 6665-6669"]),
        ([6566, 6679, 6697, 10080], ["browsers refuse to open port 6566, 6679, 6697, 10080"]),
        ([80, 443, 1024], ["port 80, 443 usually needs root"]),
        (
            range(32766, 32770),
            ["port 32768-32769 lies in the kernel's range for outgoing connections, 32768-60999"],
        ),
        ([22, 6000, 40000], ["browsers refuse", "port 40000 lies", "port 22 usually"]),
    ],
)
def test_one_warning_for_each_kind(ports: list[int], said: list[str]) -> None:
    """A pool of many such ports is warned about once."""
    found = [message for message, _ in hazards(ports, EPHEMERAL)]
    assert len(found) == len(said)
    assert all(message.startswith(start) for message, start in zip(found, said, strict=True))


def test_the_kernels_range_is_a_range_of_ports(tmp_path: Path) -> None:
    """Read for real, with the file; empty where the kernel doesn't say."""
    (tmp_path / "services.toml").write_text(SAMPLE)
    found = load(tmp_path / "services.toml").ephemeral
    assert found == ephemeral_range()
    assert not found or 1 <= found.start < found.stop <= 65536
