"""Both ends of an FTP session: ``python -m snat.lab.ftp server ADDRESS DIRECTORY`` or ``... client ADDRESS``.

The server is pyftpdlib's, the client the standard library's; neither knows of a NAT. The client obeys JSON
lines on standard input, as :mod:`snat.lab.traffic` does.
"""

import ftplib
import hashlib
import json
import sys
import threading
import time
import warnings
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from typing import Any, Final

PORT: Final = 21
SMALL: Final = bytes(range(256)) * 64
LARGE: Final = bytes(range(256)) * 16384
"""4 MiB: four seconds at the server's pace."""
PACE: Final = 1_000_000
"""Bytes a second that the server sends."""
_TIMEOUT: Final = 30.0


def is_available() -> bool:
    """Whether there is a server."""
    return find_spec("pyftpdlib") is not None


class Client:
    """A session, and at most one download at a time."""

    def __init__(self, address: str) -> None:
        self._ftp = ftplib.FTP(address, timeout=_TIMEOUT)  # noqa: S321
        self._ftp.login()
        self._download = threading.Thread()
        self._arrivals: list[float] = []
        self._hash = hashlib.sha256()
        self._got = 0
        self._data = ""
        self._failure = ""

    def control(self) -> dict[str, Any]:
        """Where this end of the control connection is."""
        assert self._ftp.sock is not None
        return {"local": _place(self._ftp.sock.getsockname())}

    def fetch(self, passive: int = 0) -> dict[str, Any]:
        """A small file; whether all of it came."""
        got = bytearray()
        self._ftp.set_pasv(bool(passive))
        try:
            self._ftp.retrbinary("RETR small", got.extend)
        except (OSError, EOFError, ftplib.Error) as failure:
            return {"whole": False, "why": str(failure)}
        return {"whole": bytes(got) == SMALL}

    def begin(self, passive: int = 0) -> dict[str, Any]:
        """Begin to download the large file."""
        self._ftp.set_pasv(bool(passive))
        self._download = threading.Thread(target=self._retrieve, daemon=True)
        self._download.start()
        return {}

    def progress(self) -> dict[str, Any]:
        """How far the download is, and when pieces of it came."""
        return {
            "bytes": self._got,
            "alive": self._download.is_alive(),
            "local": self._data,
            "arrivals": list(self._arrivals),
            "whole": self._hash.digest() == hashlib.sha256(LARGE).digest(),
            "why": self._failure,
        }

    def _retrieve(self) -> None:
        try:
            with self._ftp.transfercmd("RETR large") as data:
                self._data = _place(data.getsockname())
                while piece := data.recv(1 << 16):
                    self._hash.update(piece)
                    self._got += len(piece)
                    self._arrivals.append(time.monotonic())
            self._ftp.voidresp()
        except (OSError, EOFError, ftplib.Error) as failure:
            self._failure = str(failure)


def _place(socket_name: tuple[str, int]) -> str:
    return f"{socket_name[0]}:{socket_name[1]}"


def client(address: str) -> None:
    """Obey until standard input ends."""
    session = Client(address)
    answers: Mapping[str, Callable[..., dict[str, Any]]] = {
        "control": session.control,
        "fetch": session.fetch,
        "begin": session.begin,
        "progress": session.progress,
    }
    print(json.dumps({}), flush=True)
    for line in sys.stdin:
        asked = json.loads(line)
        print(json.dumps(answers[asked.pop("ask")](**asked)), flush=True)


def server(address: str, directory: str) -> None:
    """Serve anybody until killed, slowly."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from pyftpdlib.authorizers import DummyAuthorizer
        from pyftpdlib.handlers import FTPHandler, ThrottledDTPHandler
        from pyftpdlib.servers import FTPServer

        authorizer = DummyAuthorizer()
        authorizer.add_anonymous(directory)
        slow = type("Slow", (ThrottledDTPHandler,), {"write_limit": PACE})
        handler = type("Handler", (FTPHandler,), {"use_sendfile": False, "dtp_handler": slow})
        handler.authorizer = authorizer  # type: ignore[attr-defined]
        serving = FTPServer((address, PORT), handler)
        print(json.dumps({}), flush=True)
        serving.serve_forever(handle_exit=False)


if __name__ == "__main__":
    if sys.argv[1] == "client":
        client(sys.argv[2])
    else:
        server(*sys.argv[2:4])
