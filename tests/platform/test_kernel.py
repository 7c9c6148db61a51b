"""What the kernel's files say, in their own forms."""

from __future__ import annotations

from pathlib import Path

import pytest

from supervisor.platform.contract import Allowance
from supervisor.platform.kernel import cgroup_limits, hides, reserved_ports


@pytest.mark.parametrize(
    ("text", "ports"),
    [
        ("\n", ()),
        ("8080\n", (range(8080, 8081),)),
        ("8080,9000-9002\n", (range(8080, 8081), range(9000, 9003))),
    ],
)
def test_reserved_ports(text: str, ports: tuple[range, ...]) -> None:
    """Numbers and spans, or none."""
    assert reserved_ports(text) == ports


@pytest.mark.parametrize(
    ("mounts", "hidden"),
    [
        ("", False),
        ("proc /proc proc rw,relatime 0 0\n", False),
        ("proc /proc proc rw,hidepid=0 0 0\n", False),
        ("proc /proc proc rw,hidepid=off 0 0\n", False),
        ("proc /proc proc rw,hidepid=2 0 0\n", True),
        ("proc /proc proc rw,relatime,hidepid=invisible,gid=4 0 0\n", True),
        ("proc /proc proc rw,hidepid=2 0 0\nproc /proc proc rw 0 0\n", False),
        ("proc /jail/proc proc rw,hidepid=2 0 0\n", False),
    ],
)
def test_hidden_processes(mounts: str, hidden: bool) -> None:
    """By the mount that is seen, in numbers and in the words of newer kernels."""
    assert hides(mounts) is hidden


def cgroup(folder: Path, limit: str, used: int) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "pids.max").write_text(f"{limit}\n")
    (folder / "pids.current").write_text(f"{used}\n")
    return folder


def test_the_cgroup_and_all_above_it(tmp_path: Path) -> None:
    """Version 2: whatever limits one of them limits this process."""
    outer = cgroup(tmp_path / "user.slice", "100", 90)
    cgroup(tmp_path / "user.slice/app.scope", "max", 3)
    inner = cgroup(tmp_path / "user.slice/app.scope/x", "50", 2)
    assert list(cgroup_limits(tmp_path, "0::/user.slice/app.scope/x\n")) == [
        Allowance(f"the cgroup {inner}", 2, 50),
        Allowance(f"the cgroup {outer}", 90, 100),
    ]


def test_the_controller_of_version_1(tmp_path: Path) -> None:
    """In a folder of its own; other controllers' limits are none of processes."""
    own = cgroup(tmp_path / "pids/docker/abc", "64", 5)
    cgroup(tmp_path / "docker/abc", "1", 1)
    told = "8:pids:/docker/abc\n4:memory:/docker/abc\n0::/\n"
    assert list(cgroup_limits(tmp_path, told)) == [Allowance(f"the cgroup {own}", 5, 64)]


def test_a_cgroup_that_is_not_mounted(tmp_path: Path) -> None:
    """Says nothing."""
    assert list(cgroup_limits(tmp_path / "none", "0::/a\n")) == []
