"""``twistd snat``: options, and the service that they make."""

import signal
import sys
import time
from pathlib import Path
from typing import Any

from twisted.application.internet import TimerService
from twisted.application.service import MultiService
from twisted.internet.defer import Deferred, succeed
from twisted.internet.error import CannotListenError
from twisted.logger import Logger
from twisted.python import usage

from cli.configuration_file import (
    Problems,
    decoded,
    format_problems,
    read_bounded,
    read_configuration,
    what_is_usable,
)
from cli.shell import Shell
from snat.config.model import Configuration
from snat.net.capture_frame import CaptureError
from snat.net.capture_path import CAPTURE_TTL_STEP, CapturePath
from snat.net.control import ControlSocket, ControlSocketError, make_way
from snat.net.datapath import TUN_TTL_STEP, TunPath
from snat.net.files import StateDirectory, StateError
from snat.net.garbage import LOOK, Garbage
from snat.net.log import MESSAGES
from snat.net.processes import INTERVAL
from snat.net.refused import KernelRefused
from snat.net.reload import Program, pidfile_of, reason_of_this_start
from snat.net.service import RouterService
from snat.net.syslog import SystemLog
from snat.net.tls import TrustpointError
from snat.net.visitor import Visitor

DEFAULT_CONTROL = "/run/snat/control.sock"


class Options(usage.Options):
    """What ``twistd snat`` takes."""

    synopsis = "[options]"
    longdesc = "A redundant NAT router. One process is one device; see doc/operations.md."
    optParameters = [  # noqa: RUF012  Twisted's own way
        ["config", "c", None, "start-up configuration (required); it may not exist yet"],
        ["control", None, DEFAULT_CONTROL, "UNIX socket for snat-cli"],
        ["state-dir", None, None, "directory for what must survive a restart; without it nothing does"],
        ["pcap", None, None, "IN:OUT: translate the capture IN into OUT instead of live traffic"],
    ]

    optFlags = [  # noqa: RUF012  the same
        ["realtime", None, "replay the capture of --pcap as slowly as it was captured"],
        ["strict", None, "do not start with a configuration in which anything is wrong"],
    ]

    def postOptions(self) -> None:
        """Check what can be checked without touching anything."""
        if self["config"] is None:
            raise usage.UsageError("give the configuration: --config FILE")
        if self["realtime"] and self["pcap"] is None:
            raise usage.UsageError("--realtime: there is no capture; give --pcap IN:OUT")
        if self["pcap"] is not None:
            source, _, target = self["pcap"].partition(":")
            if not source or not target or Path(source) == Path(target):
                raise usage.UsageError(f"--pcap {self['pcap']}: give two paths, IN:OUT")


class SnatService(MultiService):
    """The router and its control socket; ends the process with a sentence when it cannot start."""

    log = Logger(namespace="snat", observer=MESSAGES)

    def __init__(self, control: Path, problems: Problems = (), messages: SystemLog | None = None) -> None:
        """``problems`` of the start-up file are logged when it begins, in ``messages`` like all else."""
        super().__init__()
        self._control = control
        self._problems = problems
        self._messages = messages

    def startService(self) -> None:
        """Start both, if no other daemon runs; it is asked first, before anything is touched."""
        try:
            make_way(self._control)
            if self._messages is not None:
                self._messages.attach()
            self.log.info("System restarted", mnemonic="SYS-5-RESTART")
            for problem in self._problems:
                self.log.error("{problem}; left out", problem=str(problem), mnemonic="SYS-3-STARTUP")
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

    def stopService(self) -> "Deferred[Any]":
        """Stop both; what they say at the end is logged still."""
        stopped: Deferred[Any] = super().stopService()
        return stopped.addBoth(self._say_no_more)

    def _say_no_more(self, result: Any) -> "Deferred[Any]":
        ended = succeed(None) if self._messages is None else self._messages.detach()
        return ended.addCallback(lambda _: result)


def makeService(options: Options) -> MultiService:
    """The service of one device. Ends the process, with what is wrong, if it cannot be.

    What is wrong in the start-up file is logged, and left out, unless it is to be strict.
    """
    from twisted.internet import reactor

    live: Any = reactor
    # Twisted's own is the wall clock: set back it stops all timers, set forward it ages all entries at once.
    live.seconds = time.monotonic
    path = Path(options["config"])
    text, configuration, problems = _configuration(path, strict=bool(options["strict"]))
    state = StateDirectory(Path(options["state-dir"]) if options["state-dir"] else None)
    pcap = options["pcap"]
    try:
        router = RouterService(
            configuration,
            live,
            state,
            ttl_step=CAPTURE_TTL_STEP if pcap else TUN_TTL_STEP,
            datapath=lambda device, done: (
                CapturePath(
                    device, live, done, *map(Path, pcap.split(":", 1)), realtime=bool(options["realtime"])
                )
                if pcap
                else TunPath(device, live, done, live.stop)
            ),
            startup=path,
            reload_reason=reason_of_this_start(),
            stop=live.stop,
        )
    except (StateError, TrustpointError) as error:
        _end(str(error))
    router.startup.began(text, None if problems else configuration)
    service = SnatService(Path(options["control"]), problems, router.log)
    router.setServiceParent(service)
    garbage = Garbage(lambda: router.device.translator.paths, live.seconds)
    live.callWhenRunning(garbage.begin)
    TimerService(LOOK, garbage.look).setServiceParent(service)
    live.callWhenRunning(signal.signal, signal.SIGHUP, lambda *_: live.callFromThread(router.reload))
    program = Program(pidfile_of(sys.argv[1:]))
    live.addSystemEventTrigger("after", "shutdown", _begin_anew, router, program, live)
    TimerService(INTERVAL, router.machine.processes.sample).setServiceParent(service)
    control = ControlSocket(live, Path(options["control"]), lambda visitor: _shell(router, visitor))
    router.machine.sessions = control.users
    router.log.monitor = control.log_line
    control.setServiceParent(service)
    return service


def _shell(router: RouterService, visitor: Visitor) -> Shell:
    return Shell(router, privileged=visitor.privileged, user=visitor.user, line=visitor.line)


def _begin_anew(router: RouterService, program: Program, reactor: Any) -> None:
    """After ``reload``, unless a signal came while the daemon ended: who sends it wants it to stay so."""
    if router.reloads.due and not reactor._exitSignal:
        program.begin_anew()


def _configuration(path: Path, *, strict: bool) -> tuple[str | None, Configuration, Problems]:
    """The text of the start-up file, what can be used of it, and what is wrong in it.

    A file that is not there yet is an empty configuration, as on a device that was never configured.
    """
    try:
        text = decoded(read_bounded(path))
    except FileNotFoundError:
        if not path.absolute().parent.is_dir():
            _end(f"{path}: its directory does not exist; make it first")
        return None, Configuration(), ()
    except OSError as error:
        _end(f"{path}: {error.strerror}")
    except ValueError as error:
        _end(f"{path}: {error}")
    if strict:
        configuration, problems = read_configuration(text, str(path))
        if problems:
            _end(format_problems(problems).rstrip())
        return text, configuration, ()
    return text, *what_is_usable(text, str(path))


def _end(reason: str) -> Any:
    sys.stderr.write(f"snat: {reason}\n")
    raise SystemExit(1)
