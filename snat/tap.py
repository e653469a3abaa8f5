"""``twistd snat``: options, and the service that they make."""

import gc
import signal
import sys
from pathlib import Path
from typing import Any

from twisted.application.service import MultiService
from twisted.internet.error import CannotListenError
from twisted.python import usage

from cli.configuration_file import format_problems, read_configuration
from cli.shell import Shell
from snat.config.model import Configuration
from snat.net.control import ControlSocket, ControlSocketError, make_way
from snat.net.datapath import CAPTURE_TTL_STEP, TUN_TTL_STEP, CapturePath, TunPath
from snat.net.files import StateDirectory, StateError
from snat.net.pcap import CaptureError
from snat.net.refused import KernelRefused
from snat.net.service import RouterService
from snat.net.tls import TrustpointError

DEFAULT_CONTROL = "/run/snat/control.sock"


class Options(usage.Options):
    """What ``twistd snat`` takes."""

    synopsis = "[options]"
    longdesc = "A redundant NAT router. One process is one device; see doc/operations.md."
    optParameters = [  # noqa: RUF012  Twisted's own way
        ["config", "c", None, "configuration file (required)"],
        ["control", None, DEFAULT_CONTROL, "UNIX socket for snat-cli"],
        ["state-dir", None, None, "directory for what must survive a restart; without it nothing does"],
        ["pcap", None, None, "IN:OUT: translate the capture IN into OUT instead of live traffic"],
    ]

    def postOptions(self) -> None:
        """Check what can be checked without touching anything."""
        if self["config"] is None:
            raise usage.UsageError("give the configuration: --config FILE")
        if self["pcap"] is not None:
            source, _, target = self["pcap"].partition(":")
            if not source or not target or Path(source) == Path(target):
                raise usage.UsageError(f"--pcap {self['pcap']}: give two paths, IN:OUT")


class SnatService(MultiService):
    """The router and its control socket; ends the process with a sentence when it cannot start."""

    def __init__(self, control: Path) -> None:
        super().__init__()
        self._control = control

    def startService(self) -> None:
        """Start both, if no other daemon runs; it is asked first, before anything is touched."""
        try:
            make_way(self._control)
            super().startService()
        except (
            KernelRefused,
            StateError,
            ControlSocketError,
            CaptureError,
            CannotListenError,
            OSError,
        ) as error:
            _end(str(error))


def makeService(options: Options) -> MultiService:
    """The service of one device. Ends the process, with what is wrong, if the configuration is not good."""
    from twisted.internet import reactor

    configuration = _configuration(Path(options["config"]))
    live: Any = reactor
    state = StateDirectory(Path(options["state-dir"]) if options["state-dir"] else None)
    pcap = options["pcap"]
    try:
        router = RouterService(
            configuration,
            live,
            state,
            ttl_step=CAPTURE_TTL_STEP if pcap else TUN_TTL_STEP,
            datapath=lambda device, done: (
                CapturePath(device, live, done, *map(Path, pcap.split(":", 1)))
                if pcap
                else TunPath(device, live, done, live.stop)
            ),
        )
    except (StateError, TrustpointError) as error:
        _end(str(error))
    control = Path(options["control"])
    service = SnatService(control)
    router.setServiceParent(service)
    live.callWhenRunning(_freeze)
    live.callWhenRunning(signal.signal, signal.SIGHUP, lambda *_: live.callFromThread(router.reload))
    ControlSocket(live, control, lambda: Shell(router, privileged=True)).setServiceParent(service)
    return service


def _freeze() -> None:
    """What is there from the start stays: the garbage collector need not walk it again (40 ms each time)."""
    gc.collect()
    gc.freeze()


def _configuration(path: Path) -> Configuration:
    try:
        text = path.read_text()
    except OSError as error:
        _end(f"{path}: {error.strerror}")
    except ValueError:
        _end(f"{path}: is not a text file")
    configuration, problems = read_configuration(text, str(path))
    if problems:
        _end(format_problems(problems).rstrip())
    return configuration


def _end(reason: str) -> Any:
    sys.stderr.write(f"snat: {reason}\n")
    raise SystemExit(1)
