"""What an idle launcher uses, also one whose threads end while it is looked at."""

from __future__ import annotations

import subprocess
import sys

import psutil
from harness import wait_until
from idling import cpu_seconds, switches_since, voluntary_switches

THREADED = """
import sys, threading, time
def spin():
    ends = time.thread_time() + 0.2
    while time.thread_time() < ends:
        pass
    print("spun", flush=True)
    sys.stdin.readline()
thread = threading.Thread(target=spin)
thread.start()
thread.join()
print("ended", flush=True)
sys.stdin.readline()
"""


def test_a_thread_that_ends_takes_no_figure_with_it() -> None:
    """Its CPU still counts. Of its switches nobody can know any more, so there is no figure of them."""
    command = [sys.executable, "-c", THREADED]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as process:
        assert process.stdin is not None and process.stdout is not None
        own = [psutil.Process(process.pid)]
        assert process.stdout.readline() == "spun\n"
        cpu, switches = cpu_seconds(own), voluntary_switches(own)
        assert cpu >= 0.2
        assert switches_since(switches, switches) == 0
        process.stdin.write("\n")
        process.stdin.flush()
        assert process.stdout.readline() == "ended\n"
        wait_until(lambda: own[0].num_threads() == 1, 10, "the end of a thread that Python is through with")
        assert cpu_seconds(own) >= cpu
        assert switches_since(switches, voluntary_switches(own)) is None


def test_switches_of_a_thread_that_came_since_count() -> None:
    """From its first one on."""
    with subprocess.Popen(["sleep", "60"]) as process:
        (thread,) = voluntary_switches([psutil.Process(process.pid)])
        process.kill()
    assert switches_since({thread: 3}, {thread: 5, thread / "later": 2}) == 4
