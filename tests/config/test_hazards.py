"""Warnings about what will hurt later."""

from __future__ import annotations

from pathlib import Path

import pytest

from supervisor.config.hazards import ephemeral_range, hazards
from supervisor.config.load import load

SAMPLE = """\
[services.mcp-universal]
command = "x"
pool = { offset = 0, size = 3 }

[services.api-server]
command = "x"
pool = { ports = [9000, 9001, 9002] }
"""


def warnings(folder: Path, text: str) -> list[str]:
    file = folder / "services.toml"
    file.write_text(text)
    return [str(warning).removeprefix(f"{file}:") for warning in load(file).warnings]


def test_the_sample_stack(tmp_path: Path) -> None:
    """6000 is a port that browsers refuse; that 9000 is instance 31's too is no news."""
    (only,) = warnings(tmp_path, SAMPLE)
    assert only.startswith("3: services.mcp-universal.pool: browsers refuse to open port 6000 (")


def test_a_shared_port_of_an_instance_that_people_start(tmp_path: Path) -> None:
    """The locks keep the two apart, but which of them gets it depends on who comes first."""
    _, second = warnings(tmp_path, SAMPLE.replace("9000, 9001, 9002", "7900, 7901"))
    assert second == (
        "7: services.api-server.pool: overlaps services.mcp-universal.pool of instance 20 at port 7900-7901"
    )


def test_a_shared_port_beyond_the_last_instance_meets_nobody(tmp_path: Path) -> None:
    """What lies past the last whole stride is no instance's."""
    text = "[stack]\nbase_port = 20000\nstride = 30000\n" + SAMPLE.replace("9000, 9001, 9002", "50000")
    assert not any("overlaps" in warning for warning in warnings(tmp_path, text))


def test_a_missing_folder_is_only_doubted(tmp_path: Path) -> None:
    """A dependency may make it before the service starts."""
    (warning,) = warnings(tmp_path, "[services.a]\ncommand = 'x'\ncwd = 'build'")
    assert warning.startswith("3: services.a.cwd: there is no such folder yet (")


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
    found = [message for message, _ in hazards(ports, range(32768, 61000))]
    assert len(found) == len(said)
    assert all(message.startswith(start) for message, start in zip(found, said, strict=True))


def test_the_kernels_range_is_a_range_of_ports() -> None:
    """Read for real; empty where the kernel doesn't say."""
    found = ephemeral_range()
    assert not found or 1 <= found.start < found.stop <= 65536
