"""Debian's conntrackd in a namespace, for the row ``vs-conntrackd``."""

import os
import re
import subprocess
import time
from pathlib import Path

from tests.system.namespaces import Namespace

CONFIGURATION = """
Sync {{
    Mode FTFW {{
        ResendQueueSize 131072
        PurgeTimeout 60
        ACKWindowSize 300
        DisableExternalCache off
    }}
    UDP {{
        IPv4_address {near}
        IPv4_Destination_Address {far}
        Port 3780
        Interface sync0
        SndSocketBuffer 8388608
        RcvSocketBuffer 8388608
        Checksum on
    }}
}}
General {{
    Systemd off
    HashSize {size}
    HashLimit {limit}
    LogFile {log}
    LockFile {lock}
    UNIX {{
        Path {control}
    }}
    NetlinkBufferSize 20971520
    NetlinkBufferSizeMaxGrowth 20971520
}}
"""
_STEP_S = 0.001
"""Of pacing: ``conntrack -R`` is given what is due so often, as our router is."""


def flow(number: int) -> str:
    """A line for ``conntrack -R``: the same flow as ``tests.bench.codec.record`` makes."""
    host, outside = 0x0A000000 + number // 50000, 0xCB007100 + number // 60000
    near, seen = _dotted(host), _dotted(outside)
    return (
        f"-A -p tcp -s {near} -d 198.51.100.2 --sport {1024 + number % 50000} --dport 443"
        f" --src-nat {seen}:{1024 + number % 60000}"
        " --state ESTABLISHED -t 7440 -u ASSURED,SEEN_REPLY\n"
    )


class Conntrackd:
    """One daemon, and the kernel's table of its namespace."""

    def __init__(self, host: Namespace, directory: Path, near: str, far: str, count: int) -> None:
        self._host = host
        self._file = directory / f"{host.name}.conf"
        paths = {one: directory / f"{host.name}.{one}" for one in ("log", "lock", "control")}
        self._lock = paths["lock"]
        self._file.write_text(
            CONFIGURATION.format(near=near, far=far, size=count, limit=4 * count, **paths), encoding="ascii"
        )
        self.start()

    def start(self) -> None:
        """Until it answers."""
        self._lock.unlink(missing_ok=True)
        self._process = self._host.start("conntrackd", "-C", str(self._file))
        end = time.monotonic() + 15
        while not self._answer("-s"):
            assert time.monotonic() < end, self._file.with_suffix(".log").read_text()
            time.sleep(0.02)

    def stop(self) -> None:
        """At once, if it runs."""
        self._process.kill()
        self._process.wait(30)

    def load(self, flows: list[str], rate: int = 0) -> None:
        """Flows into the kernel's table: by the kernel's and conntrack's own speed, or so many a second."""
        command = ["ip", "netns", "exec", self._host.name, "conntrack", "-R", "/dev/stdin"]
        pipe = subprocess.PIPE
        with subprocess.Popen(
            command, text=True, stdin=pipe, stdout=subprocess.DEVNULL, stderr=pipe
        ) as restore:
            assert restore.stdin is not None
            begin, done = time.monotonic(), 0
            while done < len(flows):
                due = min(len(flows), int((time.monotonic() - begin) * rate)) if rate else len(flows)
                restore.stdin.writelines(flows[done:due])
                restore.stdin.flush()
                done = due
                time.sleep(_STEP_S)
            _, said = restore.communicate()
        assert restore.returncode == 0, said

    def ask(self, option: str) -> str:
        """An answer of the daemon."""
        return self._host.run("conntrackd", "-C", str(self._file), option)

    def _answer(self, option: str) -> str:
        try:
            return self.ask(option)
        except AssertionError:
            return ""

    def external(self) -> int:
        """Flows of the other's that it holds."""
        found = re.search(r"cache external:\s+current active connections:\s+(\d+)", self.ask("-s"))
        assert found is not None
        return int(found[1])

    def in_kernel(self) -> int:
        """Flows of the namespace."""
        return int(self._host.run("conntrack", "-C"))

    def cpu(self) -> float:
        """Seconds, of user and system."""
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def resident(self) -> int:
        """Bytes."""
        return int(Path(f"/proc/{self._process.pid}/statm").read_text().split()[1]) * os.sysconf(
            "SC_PAGESIZE"
        )


def _dotted(address: int) -> str:
    return ".".join(map(str, address.to_bytes(4, "big")))
