"""``vrrp``: two routers whose active one keepalived chooses (Fig. 2B), under live traffic.

The client's gateway is a virtual address of keepalived's. When a router dies, all of it dies: both daemons
without a word, its cables, and the virtual address, as when somebody pulls the plug.
"""

import os
import shutil
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from snat.lab.configuration import Member, following_text
from snat.lab.errors import LabError
from snat.lab.process import Program
from snat.lab.router import Router
from snat.lab.topology import VIRTUAL_ADDRESS

INSTANCE: Final = "VI_1"
_INTERFACES: Final = ("in0", "out0", "rep0")
_CONFIGURATION: Final = """\
global_defs {{
    vrrp_version 3
    vrrp_notify_fifo {fifo}
    vrrp_garp_master_delay 1
}}
vrrp_track_file snat {{
    file {track}
    weight 1
}}
vrrp_instance {instance} {{
    interface in0
    virtual_router_id 10
    priority {priority}
    advert_int 0.2
    virtual_ipaddress {{
        {address}/24
    }}
    track_interface {{
        out0
    }}
    track_file {{
        snat
    }}
}}
"""


class VrrpRouter(Router):
    """One machine: ``twistd snat``, and keepalived beside it."""

    def __init__(
        self, member: Member, members: Sequence[Member], *, directory: Path, prefix: Sequence[str]
    ) -> None:
        if shutil.which("keepalived") is None:
            raise LabError("vrrp needs keepalived: apt-get install keepalived")
        host = member.host
        fifo, track = (directory / f"{host}.{kind}" for kind in ("fifo", "track"))
        self._track = track
        line = f"keepalived {INSTANCE} fifo {fifo} track-file {track}"
        text = following_text(member, members, certificates=directory / "pki", follows=line)
        super().__init__(host, text, directory=directory, prefix=prefix)
        self._directory = directory
        self._keepalived: Program | None = None
        self._file = directory / f"{host}.keepalived.conf"
        priority = 150 if member is members[0] else 100
        self._file.write_text(
            _CONFIGURATION.format(
                fifo=fifo, track=track, instance=INSTANCE, priority=priority, address=VIRTUAL_ADDRESS
            )
        )

    def start(self) -> None:
        """Plug it in: cables first, then both daemons."""
        self._cables("up")
        self._track.write_text("-254\n")  # what the machine before its death said is forgotten
        super().start()
        names = {kind: str(self._directory / f"{self.host}.keepalived.{kind}") for kind in ("pid", "vrrp")}
        options = ["-n", "-l", "-P", "-f", str(self._file), "-p", names["pid"], "-r", names["vrrp"]]
        command = [*self._prefix, "keepalived", *options]
        log = self._directory / f"{self.host}.keepalived.log"
        self._keepalived = Program(f"{self.host} keepalived", command, log=log)

    def kill(self) -> None:
        """Pull the plug."""
        self._cables("down")
        super().kill()
        if self._keepalived is not None:
            os.killpg(self._keepalived.pid, signal.SIGKILL)  # its child, too, before it can say goodbye
            self._keepalived.kill()
        self._ip("addr", "del", f"{VIRTUAL_ADDRESS}/24", "dev", "in0")

    def stop(self) -> None:
        """End both."""
        if self._keepalived is not None:
            self._keepalived.stop()
        super().stop()

    def _cables(self, state: str) -> None:
        for interface in _INTERFACES:
            self._ip("link", "set", interface, state)

    def _ip(self, *arguments: str) -> None:
        """Whatever was so already is no error."""
        subprocess.run([*self._prefix, "ip", *arguments], capture_output=True, check=False)
