"""Many command lines from one warm start: front_door.py < LINES, each a JSON list of arguments.

Answers each with a line of JSON: exit code, stdout, stderr. Each is the console script itself, run in
a forked copy of this process: what differs from a start by a shell is that Python is up already.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import traceback
from typing import Any

import supervisor.cli.check
import supervisor.cli.main  # noqa: F401 - what is to be warm
from supervisor.__main__ import main


def call(arguments: list[str]) -> dict[str, Any]:
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        pid = os.fork()
        if pid == 0:
            os.dup2(out.fileno(), 1)
            os.dup2(err.fileno(), 2)
            enter(arguments)
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        out.seek(0)
        err.seek(0)
        texts = [file.read().decode(errors="surrogateescape") for file in (out, err)]
    return {"code": code, "stdout": texts[0], "stderr": texts[1]}


def enter(arguments: list[str]) -> None:
    """What the interpreter does around a script."""
    sys.argv = ["portsup", *arguments]
    code = 1
    try:
        main()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


for line in sys.stdin:
    print(json.dumps(call(json.loads(line))), flush=True)
