"""tinyserver.c for machines without a C compiler; run it as `python -E -s -S`."""

import os
import socket
import sys
import time

from telling import tell

LINE = b"x" * 79 + b"\n"
BATCH = 512


def print_lines(count: int) -> None:
    tell("begin")
    out = open(1, "wb", closefd=False)  # noqa: SIM115 - stdout, open to the end
    for left in range(count, 0, -BATCH):
        out.write(LINE * min(left, BATCH))
    out.write(b"end of lines\n")
    out.flush()
    tell("done")
    while True:
        time.sleep(3600)


def serve(port: int) -> None:
    with socket.create_server(("127.0.0.1", port)) as server:
        tell("ready", port)
        while True:
            server.accept()[0].close()


if __name__ == "__main__":
    if len(sys.argv) > 2:
        print_lines(int(sys.argv[2]))
    else:
        serve(int(sys.argv[1] if len(sys.argv) > 1 else os.environ["PORT"]))
