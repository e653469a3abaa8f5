"""An FTP server for live tests: ``python -m tests.system.ftp_server ADDRESS PORT DIRECTORY [slow]``.

Anybody may read and write.
"""

import sys
import warnings

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from pyftpdlib.authorizers import DummyAuthorizer
    from pyftpdlib.handlers import FTPHandler, ThrottledDTPHandler
    from pyftpdlib.servers import FTPServer

SLOW = 1_000_000
"""Bytes a second."""


class Slow(ThrottledDTPHandler):  # type: ignore[misc]
    read_limit = write_limit = SLOW


class Handler(FTPHandler):  # type: ignore[misc]
    banner = "ready"
    use_sendfile = False


def main(address: str, port: str, directory: str, speed: str = "") -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        Handler.authorizer = DummyAuthorizer()
        Handler.authorizer.add_anonymous(directory, perm="elradfmwMT")
        if speed:
            Handler.dtp_handler = Slow
        server = FTPServer((address, int(port)), Handler)
        print("ready", flush=True)
        server.serve_forever(handle_exit=False)


if __name__ == "__main__":
    main(*sys.argv[1:])
