"""portpicker_worker.py COUNT: says "ready", and for a line on stdin picks COUNT ports; ends with stdin.

Run by the Python that has portpicker. Answers with a line of JSON: the ports, and when it began and ended.
"""

import json
import sys
import time

import portpicker  # type: ignore[import-untyped]


def main(count: int) -> None:
    print(json.dumps("ready"), flush=True)
    for _ in sys.stdin:
        began = time.time()
        ports = [portpicker.pick_unused_port() for _ in range(count)]
        print(json.dumps({"ports": ports, "began": began, "ended": time.time()}), flush=True)


main(int(sys.argv[1]))
