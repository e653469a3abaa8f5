"""``twistd snat``: options, and the service that they make."""

import gc
import signal
import sys
from pathlib import Path
from typing import Any

from twisted.application.service import MultiService
from twisted.internet.error import CannotListenError
from twisted.python import usage

from cli.configuration_file import format_problems, read_usable
from cli.shell import Shell
from snat.config.model import Configuration
from snat.net.control import ControlSocket, ControlSocketError, make_way
from snat.net.datapath import CAPTURE_TTL_STEP, TUN_TTL_STEP, CapturePath, TunPath
from snat.net.files import StateDirectory, StateError
from snat.net.pcap import CaptureError
from snat.net.refused import KernelRefused
from snat.net.service import RouterService
from snat.net.startup_file import StartupFile
from snat.net.tls import TrustpointError

DEFAULT_CONTROL = "/run/snat/control.sock"


class Options(usage.Options):
    """What ``twistd snat`` takes."""

    synopsis = "[options]"
    longdesc = "A redundant NAT router. One process is one device; see doc/operations.md."
    optFlags = [  # noqa: RUF012  Twisted's own way
        ["strict", None, "do not start with a configuration that has anything wrong"],
    ]
    optParameters = [  # noqa: RUF012  Twisted's own way
        ["config", "c", None, "start-up configuration (required); begins empty if there is no such file"],
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

    startup = StartupFile(Path(options["config"]).absolute())
    configuration = _configuration(startup, options["config"], strict=bool(options["strict"]))
    live: Any = reactor
    state = StateDirectory(Path(options["state-dir"]) if options["state-dir"] else None)
    pcap = options["pcap"]
    try:
        router = RouterService(
            configuration,
            live,
            state,
            startup=startup,
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


def _configuration(startup: StartupFile, path: str, *, strict: bool) -> Configuration:
    """That of the start-up file, or an empty one if there is none yet, as a router has out of its box.

    ``path`` is the file as it was given. What is wrong in it is told and left out, unless it is to be
    ``strict``.
    """
    try:
        text = startup.read()
    except OSError as error:
        _end(f"{path}: {error.strerror}")
    except ValueError as error:
        _end(f"{path}: {error}")
    if text is None and not startup.path.parent.is_dir():
        _end(f"{path}: there is no directory {startup.path.parent}")
    configuration, problems = read_usable(text or "", path)
    if problems and strict:
        _end(format_problems(problems).rstrip())
    for problem in problems:
        sys.stderr.write(f"snat: left out: {format_problems([problem])}")
    return configuration


def _end(reason: str) -> Any:
    sys.stderr.write(f"snat: {reason}\n")
    raise SystemExit(1)
