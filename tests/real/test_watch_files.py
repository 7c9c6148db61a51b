"""`watch`: a service restarts when one of its files changes."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from harness import Home, Portsup, wait_until, write_stack

from supervisor.supervise.change_pace import IN_A_ROW

SLEEP = [sys.executable, "-I", "-S", "-c", "import signal; print('up', flush=True); signal.pause()"]
UP = {"command": SLEEP, "ready": {"log": "^up$"}}


def count(home: Home, event: str, service: str | None = None) -> int:
    return sum(one["event"] == event and one.get("service") in (service, None) for one in home.events())


def watching(home: Home, times: int = 1) -> None:
    wait_until(lambda: count(home, "watch.began") == times, 10, "the watch")


def restarted(portsup: Portsup, change: Callable[[], object], *services: str) -> None:
    """Do it, and see that these restart once and no others."""
    home = portsup.home
    names = [one["name"] for one in portsup.instance(1)["services"]]
    before = {name: count(home, "unit.spawned", name) for name in names}
    change()
    expected = {name: before[name] + (name in services) for name in names}
    wait_until(
        lambda: all(count(home, "unit.spawned", name) >= expected[name] for name in names), 10, "the restart"
    )
    portsup.wait_for_services(1, ("RUNNING", "STOPPED", "FATAL"))
    assert {name: count(home, "unit.spawned", name) for name in names} == expected


@pytest.mark.slow
def test_files_that_change(portsup: Portsup, portsup_home: Home, ports_block: int) -> None:
    """One restart for a burst; new folders are followed; who was stopped by hand stays so; who failed is
    started anew; a reload changes what is watched."""
    for folder in ("app/src/deep", "app/node_modules/x"):
        (portsup.cwd / folder).mkdir(parents=True)
    services: dict[str, Any] = {
        "web": {**UP, "cwd": "app", "watch": ["**/*.py"]},
        "docs": {**UP, "watch": ["docs/*.md"]},
        "bug": {
            "command": [*SLEEP[:-1], f"import os; os.path.exists('fixed') or exit(1); {SLEEP[-1]}"],
            "ready": {"log": "^up$"},
            "watch": ["fixed"],
            "backoff": {"limit": 0},
        },
        "off": {**UP, "watch": ["app/**"]},
    }
    write_stack(portsup.cwd, services, base_port=ports_block)
    running = portsup.up("-i", "1")
    portsup.wait_for_services(1, ("RUNNING", "FATAL"))
    assert portsup.run("stop", "off").returncode == 0
    watching(portsup_home)
    app = portsup.cwd / "app"

    def burst() -> None:
        for number in range(20):
            (app / "src" / f"{number}.py").write_text("x")
        (app / "src" / "new.tmp").write_text("y")
        (app / "src" / "new.tmp").rename(app / "src" / "deep" / "main.py")

    restarted(portsup, burst, "web")
    wait_until(lambda: "src/0.py changed: restarting" in running.stderr, 5)
    assert running.stderr.count("changed: restarting") == 1

    for folder in ("app/src/fresh/below", "docs"):
        (portsup.cwd / folder).mkdir(parents=True)
    restarted(portsup, lambda: (app / "src/fresh/below/a.py").write_text("x"), "web")
    (app / "node_modules/x/a.py").write_text("x")
    (app / "src/a.pyc").write_text("x")
    restarted(portsup, lambda: (portsup.cwd / "docs/a.md").write_text("x"), "docs")
    restarted(portsup, lambda: (portsup.cwd / "fixed").touch(), "bug")
    restarted(portsup, lambda: shutil.rmtree(app / "src/fresh"), "web")

    services["docs"]["watch"] = ["docs/*.txt"]
    write_stack(portsup.cwd, services, base_port=ports_block)
    began = count(portsup_home, "watch.began")
    assert "~ docs: keeps running: watch docs/*.md → docs/*.txt" in portsup.run("reload").stdout
    watching(portsup_home, began + 1)
    (portsup.cwd / "docs/b.md").write_text("x")
    restarted(portsup, lambda: (portsup.cwd / "docs/a.txt").write_text("x"), "docs")
    assert portsup.service(1, "off")["state"] == "STOPPED"
    assert portsup.service(1, "web")["restarts"] == 0, "none that portsup had to do"


LIMIT = "echo 1 > /proc/sys/user/max_inotify_watches && exec "
"""In a user namespace of one's own. One watch is the services.toml's folder's."""


def may_limit() -> bool:
    done = subprocess.run(["unshare", "--user", "--map-root-user", "sh", "-c", f"{LIMIT}true"], check=False)
    return done.returncode == 0


@pytest.mark.slow
def test_what_cannot_be_watched(portsup_home: Home, tmp_path: Path, ports_block: int) -> None:
    """A folder that is missing, or no inotify watches left: a warning that says what to do, no failure."""
    if not may_limit():
        pytest.skip("needs user namespaces")
    (tmp_path / "src").mkdir()
    services = {"web": {**UP, "watch": ["*/*.py"]}, "api": {**UP, "cwd": "gone", "watch": ["*.py"]}}
    write_stack(tmp_path, services, base_port=ports_block)
    limited = ("unshare", "--user", "--map-root-user", "sh", "-c", f'{LIMIT}"$0" "$@"')
    portsup = Portsup(portsup_home, tmp_path, limited)
    try:
        running = portsup.up("-i", "1")
        wait_until(lambda: "inotify watches are used up (raise the limit: sysctl" in running.stderr, 10)
        assert f"warning: watches no file: its folder {tmp_path}/gone does not exist" in running.stderr
        assert portsup.wait_for_service(1, "web", "RUNNING")["ready"]
    finally:
        portsup.close()


@pytest.mark.slow
def test_a_folder_that_is_made_anew(portsup: Portsup, portsup_home: Home, ports_block: int) -> None:
    """The service's own, as when git changes to a branch without it and back."""
    app = portsup.cwd / "app"
    app.mkdir()
    write_stack(portsup.cwd, {"web": {**UP, "cwd": "app", "watch": ["*.py"]}}, base_port=ports_block)
    portsup.up("-i", "1")
    portsup.wait_for_services(1, ("RUNNING",))
    watching(portsup_home)

    def make_anew() -> None:
        app.rmdir()
        app.mkdir()
        (app / "b.py").touch()

    restarted(portsup, make_anew, "web")
    restarted(portsup, (app / "b.py").touch, "web")


@pytest.mark.slow
def test_a_service_that_changes_its_own_files(portsup: Portsup, portsup_home: Home, ports_block: int) -> None:
    """It is told, and restarts slowly from then on; who stops it ends that."""
    writes = [*SLEEP[:-1], f"open('own.txt', 'w').write('x'); {SLEEP[-1]}"]
    write_stack(portsup.cwd, {"web": {**UP, "command": writes, "watch": ["*.txt"]}}, base_port=ports_block)
    running = portsup.up("-i", "1")
    portsup.wait_for_services(1)
    watching(portsup_home)
    (portsup.cwd / "own.txt").touch()
    wait_until(lambda: "does web write it?" in running.stderr, 20)
    spawned = count(portsup_home, "unit.spawned")
    assert spawned <= IN_A_ROW + 3
    portsup.wait_for_services(1)
    assert portsup.run("stop", "web").returncode == 0
    assert count(portsup_home, "unit.spawned") == spawned
