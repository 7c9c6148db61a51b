"""tinyserver.c for machines without a C compiler; run it as `python -I -S`."""

import os
import socket
import sys
import time

LINE = b"x" * 79 + b"\n"
BATCH = 512


def tell(event: str) -> None:
    text = f"{event} {os.environ.get('PORT', '0')} {os.getpid()} {time.monotonic_ns()}"
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.sendto(text.encode(), ("127.0.0.1", int(os.environ["BENCH_NOTIFY"])))


def print_lines(lines: int) -> None:
    tell("begin")
    out = open(1, "wb", closefd=False)  # noqa: SIM115 - stdout, open to the end
    for left in range(lines, 0, -BATCH):
        out.write(LINE * min(left, BATCH))
    out.write(b"end of lines\n")
    out.flush()
    tell("done")
    while True:
        time.sleep(3600)


def serve() -> None:
    with socket.create_server(("127.0.0.1", int(os.environ["PORT"]))) as server:
        tell("ready")
        while True:
            server.accept()[0].close()


if __name__ == "__main__":
    print_lines(int(sys.argv[1])) if len(sys.argv) > 1 else serve()
