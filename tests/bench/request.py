"""How long a small TCP request waits for its answer: ``python -m tests.bench.request``.

``serve ADDRESS`` prints its port and echoes one connection after another; ``ask ADDRESS PORT COUNT`` prints
the 50th and the 99th percentile of the microseconds that each request took.
"""

import socket
import sys
import time

SIZE = 64
"""Bytes of a request and of its answer."""


def serve(address: str) -> None:
    """Echo until killed."""
    with socket.create_server((address, 0)) as listening:
        print(listening.getsockname()[1], flush=True)
        while True:
            connection, _ = listening.accept()
            with connection:
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                while asked := connection.recv(SIZE, socket.MSG_WAITALL):
                    connection.sendall(asked)


def ask(address: str, port: int, count: int) -> tuple[float, float]:
    """Percentiles of so many requests on one connection, one after the other."""
    taken = []
    with socket.create_connection((address, port), timeout=10) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        request = bytes(SIZE)
        for _ in range(count):
            begin = time.perf_counter()
            connection.sendall(request)
            assert len(connection.recv(SIZE, socket.MSG_WAITALL)) == SIZE, "the server has ended"
            taken.append(time.perf_counter() - begin)
    return percentiles(taken)


def percentiles(seconds: list[float]) -> tuple[float, float]:
    """The 50th and the 99th, in microseconds."""
    ordered = sorted(seconds)
    return ordered[len(ordered) // 2] * 1e6, ordered[len(ordered) * 99 // 100] * 1e6


def main(words: list[str]) -> None:
    """One side."""
    if words[0] == "serve":
        serve(words[1])
    else:
        print(*ask(words[1], int(words[2]), int(words[3])))


if __name__ == "__main__":
    main(sys.argv[1:])
