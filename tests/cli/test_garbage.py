"""When Python looks for garbage, in processes of their own: it is a setting of the whole process."""

from __future__ import annotations

import subprocess
import sys

import pytest

LOADED_BY_US = """
import atexit, gc, sys, types
import click
from supervisor import __main__

def tell(when):
    print(when, gc.isenabled(), gc.get_freeze_count() > 1000)

@click.command()
def look():
    tell("command")

sys.modules["look"] = types.ModuleType("look")
sys.modules["look"].look = look
sys.argv = ["portsup", *sys.argv[1:]]
from supervisor.cli import main
main.COMMANDS["look"] = main.Entry("look", "look", "Look.")
atexit.register(tell, "end")
__main__.main()
"""


def told(*arguments: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", LOADED_BY_US, *arguments],
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    return done.stdout.splitlines()


def test_a_command_may_live_long() -> None:
    """It runs with the collector on, which passes over what was loaded before; so does the last search."""
    assert told("look") == ["command True True", "end True True"]


def test_the_end_of_what_is_no_command() -> None:
    """`--version` is over before a command is loaded."""
    assert told("--version")[1:] == ["end False True"]


@pytest.mark.parametrize("before", ["enable", "disable"])
def test_a_collector_that_is_on_is_left_alone(before: str) -> None:
    """Whoever calls `main` from a process of their own keeps what they have."""
    script = f"""
import gc
from supervisor.cli import garbage
gc.{before}()
garbage.search_from_now_on()
print(gc.isenabled(), gc.get_freeze_count() > 1000)
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=30, check=True
    )
    assert done.stdout.split() == ["True", str(before == "disable")]
