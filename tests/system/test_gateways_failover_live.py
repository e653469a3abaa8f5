"""An FTP session whose router is killed: the download ends, and the control connection goes on."""

import ftplib
import hashlib
import io
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from snat.lab.failover import FAILOVER
from snat.lab.laboratory import Laboratory
from snat.lab.process import wait_for
from snat.lab.site import Site
from snat.lab.topology import SERVER
from tests.system.namespaces import Namespace

pytestmark = pytest.mark.root
pytest.importorskip("pyftpdlib")

SMALL = bytes(range(256)) * 64
LARGE = bytes(range(256)) * 16384
"""4 MiB: four seconds at the server's pace."""


@contextmanager
def ftp_server(prefix: tuple[str, ...], directory: Path) -> Iterator[None]:
    command = [*prefix, sys.executable, "-m", "tests.system.ftp_server", SERVER, "21", str(directory), "slow"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield
    finally:
        process.kill()
        process.communicate()


class Download(threading.Thread):
    """A file, as it comes."""

    def __init__(self, ftp: ftplib.FTP, name: str, host: Namespace) -> None:
        super().__init__()
        self._ftp, self._name, self._host = ftp, name, host
        self.got = bytearray()
        self.failure: BaseException | None = None

    def run(self) -> None:
        try:
            with self._host.entered():
                self._ftp.retrbinary(f"RETR {self._name}", self.got.extend, blocksize=4096)
        except BaseException as failure:  # the test tells it
            self.failure = failure


@pytest.mark.parametrize("passive", [False, True], ids=["active", "passive"])
def test_a_session_outlives_its_router(tmp_path: Path, passive: bool) -> None:
    (tmp_path / "small").write_bytes(SMALL)
    (tmp_path / "large").write_bytes(LARGE)
    with Laboratory(progress=sys.stderr) as lab:
        site = Site(lab, FAILOVER)
        first, second = site.routers
        client = Namespace(site.network.namespace("client"))
        with (
            ftp_server(site.network.inside("server"), tmp_path),
            client.entered(),
            ftplib.FTP(SERVER, timeout=30) as ftp,
        ):
            ftp.login()
            ftp.set_pasv(False)
            for _ in range(5):  # each adds to the numbers
                fetch(ftp, "small", SMALL)
            ftp.set_pasv(passive)
            download = Download(ftp, "large", client)
            download.start()
            wait_for(lambda: len(download.got) > 1 << 20 or None, seconds=20, failure=lambda: "no bytes")
            shown = first.show("show ip nat statistics")
            assert shown is not None
            counters = shown["counters"]  # type: ignore[call-overload]
            assert counters["gateway ftp"]["edit"] >= 5
            assert counters["translate"]["read_delayed"] >= 1, "the other router is to know of edits first"
            lab.kill(first)
            assert len(download.got) < len(LARGE)
            lab.await_standing(second, "MANAGE")
            download.join(60)
            assert download.failure is None
            assert hashlib.sha256(download.got).digest() == hashlib.sha256(LARGE).digest()
            for mode in (False, True, False):  # the server refuses a PORT of another address than it sees
                ftp.set_pasv(mode)
                fetch(ftp, "small", SMALL)
            assert ftp.voidcmd("NOOP").startswith("200")


def fetch(ftp: ftplib.FTP, name: str, expected: bytes) -> None:
    got = io.BytesIO()
    ftp.retrbinary(f"RETR {name}", got.write)
    assert got.getvalue() == expected
