"""Real FTP and TFTP clients and servers through one real daemon: active and passive, on either side."""

import ftplib
import hashlib
import io
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.system.daemons import poll
from tests.system.namespaces import Namespace
from tests.system.site import CONFIGURATION, SERVER, Site, site

pytestmark = pytest.mark.root
pytest.importorskip("pyftpdlib")

CLIENT = "10.0.0.5"
PUBLISHED = "203.0.113.20"
"""At which the inside server is found: its control port alone, or all of it."""
BY_PORT = f"ip nat inside source static tcp {CLIENT} 21 {PUBLISHED} 21"
WHOLE = f"ip nat inside source static {CLIENT} {PUBLISHED}"
BY_PEER = "ip nat filtering address-port-dependent\nip nat service tftp"
"""What opens an inside port is the gateway alone."""
BODY = bytes(range(256)) * 8192
DIGEST = hashlib.sha256(BODY).hexdigest()


def needs(program: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(shutil.which(program) is None, reason=f"{program} is not installed")


def with_lines(*lines: str) -> str:
    return CONFIGURATION.replace("\nend\n", "\n" + "\n".join(lines) + "\nend\n")


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with site(tmp_path_factory.mktemp("site"), with_lines(BY_PORT, BY_PEER)) as made:
        yield made


@pytest.fixture
def files(tmp_path: Path) -> Path:
    directory = tmp_path / "files"
    directory.mkdir(mode=0o755)
    (directory / "file").write_bytes(BODY)
    return directory


@contextmanager
def ftp_server(host: Namespace, address: str, directory: Path) -> Iterator[None]:
    process = host.start(sys.executable, "-m", "tests.system.ftp_server", address, "21", str(directory))
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    try:
        yield
    finally:
        process.kill()
        process.communicate()


def both_ways(host: Namespace, address: str, *, passive: bool, times: int = 3) -> None:
    """Down and up, several times over one control connection, whose numbers shift each time."""
    with host.entered(), ftplib.FTP(address, timeout=20) as ftp:
        ftp.login()
        ftp.set_pasv(passive)
        for number in range(times):
            got = io.BytesIO()
            ftp.retrbinary("RETR file", got.write)
            assert hashlib.sha256(got.getvalue()).hexdigest() == DIGEST
            ftp.storbinary(f"STOR up{number}", io.BytesIO(BODY))
            assert ftp.size(f"up{number}") == len(BODY)
        assert "file" in ftp.nlst()


@pytest.mark.parametrize("passive", [True, False], ids=["passive", "active"])
def test_an_inside_client(here: Site, files: Path, passive: bool) -> None:
    before = counted(here)
    with ftp_server(here.server, SERVER, files):
        both_ways(here.client, SERVER, passive=passive)
    assert (counted(here) > before) is not passive, "what is edited is PORT"


@pytest.mark.parametrize("passive", [True, False], ids=["passive", "active"])
def test_an_inside_server(here: Site, files: Path, passive: bool) -> None:
    with ftp_server(here.client, CLIENT, files):
        both_ways(here.server, PUBLISHED, passive=passive)


def counted(here: Site) -> int:
    return here.daemon.counters().get("gateway ftp", {}).get("edit", 0)


@needs("curl")
@pytest.mark.parametrize("option", [(), ("--ftp-port", "-")], ids=["EPSV", "EPRT"])
@pytest.mark.parametrize("inside", [True, False], ids=["client inside", "server inside"])
def test_curl(here: Site, files: Path, option: tuple[str, ...], inside: bool, tmp_path: Path) -> None:
    client, server = (here.client, here.server) if inside else (here.server, here.client)
    with ftp_server(server, SERVER if inside else CLIENT, files):
        url = f"ftp://{SERVER if inside else PUBLISHED}/file"
        client.run("curl", "-sSf", "-m", "20", *option, "-o", str(tmp_path / "got"), url)
    assert (tmp_path / "got").read_bytes() == BODY


@needs("lftp")
@pytest.mark.parametrize("passive", ["yes", "no"])
@pytest.mark.parametrize("inside", [True, False], ids=["client inside", "server inside"])
def test_lftp(here: Site, files: Path, passive: str, inside: bool, tmp_path: Path) -> None:
    client, server = (here.client, here.server) if inside else (here.server, here.client)
    where, got = SERVER if inside else PUBLISHED, tmp_path / "got"
    settings = f"set ftp:passive-mode {passive}; set net:max-retries 1; set net:timeout 10"
    orders = f"{settings}; open ftp://{where}; get file -o {got}; put {got} -o back; ls"
    with ftp_server(server, SERVER if inside else CLIENT, files):
        listed = client.run("lftp", "-c", orders)
    assert got.read_bytes() == (files / "back").read_bytes() == BODY
    assert "back" in listed


@needs("vsftpd")
@pytest.mark.parametrize("passive", [True, False], ids=["passive", "active"])
def test_vsftpd(here: Site, files: Path, passive: bool, tmp_path: Path) -> None:
    settings = {
        "listen": "YES",
        "listen_address": SERVER,
        "background": "NO",
        "anonymous_enable": "YES",
        "anon_root": files,
        "seccomp_sandbox": "NO",
        "secure_chroot_dir": _empty(tmp_path),
        "connect_from_port_20": "YES",
    }
    path = tmp_path / "vsftpd.conf"
    path.write_text("".join(f"{name}={value}\n" for name, value in settings.items()))
    for directory in (files, *files.parents[:3]):
        directory.chmod(0o755)
    server = here.server.start("vsftpd", str(path))
    poll(lambda: ":21 " in here.server.run("ss", "-Hltn"), seconds=5.0, of=(here.daemon,))
    try:
        with here.client.entered(), ftplib.FTP(SERVER, timeout=20) as ftp:
            ftp.login()
            ftp.set_pasv(passive)
            for _ in range(3):
                got = io.BytesIO()
                ftp.retrbinary("RETR file", got.write)
                assert hashlib.sha256(got.getvalue()).hexdigest() == DIGEST
    finally:
        server.terminate()
        server.communicate(timeout=5)


def _empty(tmp_path: Path) -> Path:
    directory = tmp_path / "empty"
    directory.mkdir()
    return directory


@needs("in.tftpd")
@needs("tftp")
def test_tftp(here: Site, files: Path, tmp_path: Path) -> None:
    """The server answers from another port; the filtering lets nobody else in."""
    for directory in (files, *files.parents[:3]):
        directory.chmod(0o755)
    (files / "file").chmod(0o644)
    small = BODY[:100_000]
    (files / "small").write_bytes(small)
    server = here.server.start("in.tftpd", "-L", "-a", f"{SERVER}:69", "-u", "root", "-s", str(files))
    poll(lambda: ":69 " in here.server.run("ss", "-Hlun"), seconds=5.0, of=(here.daemon,))
    try:
        here.client.run("tftp", "-m", "binary", SERVER, "-c", "get", "small", str(tmp_path / "got"))
    finally:
        server.kill()
        server.communicate()
    assert (tmp_path / "got").read_bytes() == small
    assert here.daemon.counters()["gateway tftp"]["message"] >= 1


def test_what_show_and_debug_say(here: Site, files: Path) -> None:
    with ftp_server(here.server, SERVER, files):
        with here.client.entered(), ftplib.FTP(SERVER, timeout=20) as ftp:
            ftp.login()
            ftp.set_pasv(False)
            ftp.retrbinary("RETR file", lambda _: None)
            shown = here.daemon.cli("show ip nat translations verbose").stdout
        told = here.daemon.cli("show ip nat statistics").stdout
    assert "context ftp version 1, begun inside, outward +" in shown
    assert "Counters of gateway ftp:" in told
    assert "  edit = " in told


@needs("curl")
def test_without_the_gateway_an_active_client_waits_in_vain(tmp_path: Path, files: Path) -> None:
    with (
        site(tmp_path, with_lines("no ip nat service ftp")) as made,
        ftp_server(made.server, SERVER, files),
    ):
        order = ("curl", "-sSf", "-m", "4", "--ftp-port", "-", f"ftp://{SERVER}/file")
        with pytest.raises(AssertionError, match="curl"):
            made.client.run(*order)
        assert "gateway ftp" not in made.daemon.counters()
