"""The rights that ``doc/systemd`` gives are enough: an account of its own, two capabilities, no way to more.

``setpriv`` gives them, as systemd would; what else the units forbid is not tried here. One is added, to read
whatever is there: the interpreter of the tests may be in a home that only root may enter.
"""

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from tests.system.namespaces import Namespace, cable, namespaces

pytestmark = pytest.mark.root

NOBODY = 65534
READ = "dac_read_search"
ROOT = Path(__file__).parent.parent.parent
UNITS = ROOT / "doc" / "systemd"
SECONDS = 15.0
CONFIGURATION = """\
interface in0
 ip address 10.0.0.1 255.255.255.0
 ip nat inside
 ip tcp adjust-mss 1300
interface out0
 ip address 203.0.113.1 255.255.255.0
 ip nat outside
 no shutdown
ip nat pool POOL1 203.0.113.16 203.0.113.19 prefix-length 24
ip nat inside source list 1 pool POOL1 overload
access-list 1 permit 10.0.0.0 0.0.0.255
ip route 192.0.2.0 255.255.255.0 203.0.113.254
"""


@pytest.fixture
def router() -> Iterator[Namespace]:
    with namespaces("router", "host") as (router, host):
        cable(router, "in0", host, "eth0")
        cable(router, "out0", host, "eth1")
        yield router


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """What the unit's directories are, owned by the account; and a TUN device that anybody may open.

    udev makes /dev/net/tun so; here and there it is root's alone.
    """
    for name in ("etc", "state", "run"):
        (tmp_path / name).mkdir(mode=0o700)
        os.chown(tmp_path / name, NOBODY, NOBODY)
    file = tmp_path / "etc" / "snat.conf"
    file.write_text(CONFIGURATION)
    file.chmod(0o600)
    os.chown(file, NOBODY, NOBODY)
    os.mknod(tmp_path / "tun", 0o020666, os.makedev(10, 200))
    (tmp_path / "tun").chmod(0o666)
    return tmp_path


def of_unit(file: str, key: str) -> list[str]:
    """The capabilities that a unit gives."""
    found = re.search(f"^{key}=(.*)$", (UNITS / file).read_text(), re.MULTILINE)
    assert found is not None
    return found[1].lower().replace("cap_", "").split()


def limited(account: int, bounds: Iterable[str], ambient: Iterable[str]) -> list[str]:
    """``setpriv`` before a command: an account, capabilities at most and at first, and no way to more."""
    most, given = (",".join(["-all", *(f"+{one}" for one in (*caps, READ))]) for caps in (bounds, ambient))
    ids = (f"--reuid={account}", f"--regid={account}", "--clear-groups")
    sets = (f"--bounding-set={most}", f"--inh-caps={given}", f"--ambient-caps={given}")
    return ["setpriv", *ids, *sets, "--no-new-privs"]


def python(*arguments: str) -> list[str]:
    return ["env", f"PYTHONPATH={ROOT}", "PYTHONDONTWRITEBYTECODE=1", sys.executable, "-m", *arguments]


def run(router: Namespace, *line: str) -> "subprocess.CompletedProcess[str]":
    """Run something in the router's namespace that may fail."""
    command = ["ip", "netns", "exec", router.name, *line]
    return subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)


def daemon(home: Path, bounds: Iterable[str], ambient: Iterable[str]) -> list[str]:
    """The daemon's command line; every wrapper becomes the next by exec."""
    prepare = 'mount --bind "$1/tun" /dev/net/tun && cd "$1" && shift && exec "$@"'
    options = ("--config", "etc/snat.conf", "--state-dir", "state", "--control", "run/control.sock")
    return [
        *("sh", "-c", prepare, "sh", str(home)),
        *limited(NOBODY, bounds, ambient),
        *python("twisted", "--log-format=text", "snat", *options),
    ]


def test_the_daemon_does_all_its_work_with_the_rights_of_its_unit(router: Namespace, home: Path) -> None:
    given = [of_unit("snat.service", key) for key in ("CapabilityBoundingSet", "AmbientCapabilities")]
    process = router.start(*daemon(home, *given))
    control = home / "run" / "control.sock"
    end = time.monotonic() + SECONDS
    while not control.exists():
        assert process.poll() is None, "it ended"
        assert time.monotonic() < end, "it is not ready"
        time.sleep(0.05)
    shell = python(
        "cli.terminal", "--control", str(control), "-c", "show ip interface brief", "-c", "write memory"
    )
    said = run(router, *limited(NOBODY, (), ()), *shell)
    assert said.returncode == 0, said.stderr
    assert "10.0.0.1" in said.stdout
    assert (home / "etc" / "snat.conf.previous").read_text() == CONFIGURATION
    assert "iif in0 lookup 1001" in re.sub(r"\s+", " ", router.ip("rule"))
    assert "192.0.2.0/24 via 203.0.113.254" in router.ip("route")
    assert router.sysctl("ipv4/ip_forward") == "1"
    for table in ("snatguard", "snatmss"):
        assert table in router.run("nft", "list", "tables")
    for tun in ("snat-i", "snat-o"):
        assert f" {tun}: " in router.ip("link")
    status = Path(f"/proc/{process.pid}/status").read_text()
    assert re.search(r"^NoNewPrivs:\s+1$", status, re.MULTILINE)
    assert re.search(rf"^Uid:\s+{NOBODY}\s", status, re.MULTILINE)


def test_without_them_it_says_what_it_lacks(router: Namespace, home: Path) -> None:
    """The test above can fail."""
    done = run(router, *daemon(home, (), ()))
    assert done.returncode == 1
    assert "CAP_NET_ADMIN" in done.stderr


def test_the_guard_stands_with_the_rights_of_its_unit(router: Namespace, home: Path) -> None:
    bounds = of_unit("snat-guard.service", "CapabilityBoundingSet")
    command = python("snat", "kernel", "guard", str(home / "etc" / "snat.conf"))
    done = run(router, *limited(0, bounds, ()), *command)
    assert (done.stdout, done.stderr) == ("Guarded: in0\n", "")
    assert 'iifname "in0"' in router.run("nft", "list", "table", "ip", "snatguard")
    assert run(router, *limited(0, (), ()), *command).returncode == 1
