"""How the services in Python tell what happens when, like tinyserver.c."""

import os
import socket
import time


def tell(event: str, port: int = 0) -> None:
    text = f"{event} {port} {os.getpid()} {time.monotonic_ns()}"
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.sendto(text.encode(), ("127.0.0.1", int(os.environ["BENCH_NOTIFY"])))
