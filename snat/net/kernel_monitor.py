"""What other programs change of ours in the kernel is put back, while the daemon runs.

Network managers flush rules and routes that they do not know, interfaces come and go, operators mistype. The
kernel tells that something changed (:mod:`snat.net.kernel_events`), and every ten seconds we look unasked.
What is found is compared with what should be, so our own changes, which the kernel tells of too, cause a look
and no work. :mod:`snat.net.restoring` decides when.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from pyroute2.netlink.exceptions import NetlinkError
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorFDSet, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from snat.counters import as_dict
from snat.net.kernel_events import KernelEvents, subscribe
from snat.net.kernel_look import Kind, Look
from snat.net.log import MESSAGES
from snat.net.refused import KernelRefused
from snat.net.restoring import FIRST, PERIOD, Restoring

Fences = frozenset[Kind]
"""Which of the nft tables are not as they should be, as kinds."""
AskFences = Callable[[], "Deferred[Fences]"]
"""Asks nft in a thread: it is a program of its own."""


FAILURES: Final = (KernelRefused, NetlinkError, OSError)
"""How looking and putting back fail."""


@dataclass(slots=True)
class MonitorCounters:
    """What was put back, by :class:`Kind`, once for each time; and what hindered."""

    restored_rules: int = 0
    restored_routes: int = 0
    restored_interfaces: int = 0
    restored_tuns: int = 0
    restored_addresses: int = 0
    restored_proxies: int = 0
    restored_sysctls: int = 0
    restored_guard: int = 0
    restored_host: int = 0
    refused: int = 0
    """Times that not all could be put back."""
    interfaces_lost: int = 0
    """Times that an inside or outside interface went away."""

    def count(self, kinds: frozenset[Kind]) -> None:
        """One more of each."""
        for kind in kinds:
            name = f"restored_{kind}"
            setattr(self, name, getattr(self, name) + 1)


class ReactorFDSetTime(IReactorFDSet, IReactorTime):
    """What this and the TUNs need of a reactor."""


class KernelMonitor:
    """Looks, compares, puts back, and tells of it in the log."""

    log = Logger(observer=MESSAGES)

    def __init__(
        self,
        reactor: ReactorFDSetTime,
        look: Callable[[], Look],
        restore: Callable[[frozenset[Kind]], None],
        ask_fences: AskFences,
    ) -> None:
        """``look`` and ``restore`` block for some milliseconds, and raise KernelRefused."""
        self.counters = MonitorCounters()
        self._reactor = reactor
        self._look = look
        self._restore = restore
        self._ask_fences = ask_fences
        self._events: KernelEvents | None = None
        self._restoring = Restoring(deadline=0.0)
        self._alarm: IDelayedCall | None = None
        self._running = False
        self._fences: Fences = frozenset()
        self._fences_at = 0.0
        """When to ask for them again."""
        self._indices: Mapping[str, int] = {}
        self._missing: frozenset[str] = frozenset()
        self._anew = False
        """Whether an interface was made anew, and nothing was put back since."""
        self._told: dict[str, str] = {}
        """What was told last of each thing that can fail, so long as it lasts."""

    def start(self) -> None:
        """Begin; everything is as it should be now. Raises OSError if there is no netlink."""
        self._events = KernelEvents(subscribe(), self._reactor, self._heard)
        self._events.start()
        self._running = True
        now = self._reactor.seconds()
        self._restoring = Restoring(deadline=now)
        self._fences_at = now + PERIOD
        self._set_alarm()

    def stop(self) -> None:
        """Look no more, put nothing back."""
        self._running = False
        if self._events is not None:
            self._events.stop()
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None

    def all_counters(self) -> dict[str, int]:
        """By name, with those of the events."""
        events = {} if self._events is None else as_dict(self._events.counters)
        return {**as_dict(self.counters), **events}

    def _heard(self) -> None:
        self._restoring.heard(self._reactor.seconds())
        self._set_alarm()

    def _set_alarm(self) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
        wait = max(0.0, self._restoring.deadline - self._reactor.seconds())
        self._alarm = self._reactor.callLater(wait, self._ring)

    def _ring(self) -> None:
        self._alarm = None
        now = self._reactor.seconds()
        self._restoring.deadline = now + PERIOD  # also if something fails that we do not know
        try:
            self._compare(now)
            if now >= self._fences_at:
                self._fences_at = now + PERIOD
                self._ask_fences().addCallbacks(self._saw_fences, self._saw_none)
        finally:
            self._set_alarm()

    def _compare(self, now: float) -> None:
        try:
            found = self._look()
        except FAILURES as error:
            self._tell("look", str(error))
            self._restoring.deadline = now + FIRST
            return
        self._tell("look", found.refusal)
        self._follow_interfaces(found)
        anew = frozenset((Kind.INTERFACES,)) if self._anew else frozenset()
        changed = found.changed | self._fences | anew
        if self._restoring.looked(now, differs=bool(changed)):
            self._put_back(changed)

    def _put_back(self, changed: frozenset[Kind]) -> None:
        try:
            self._restore(changed)
        except FAILURES as error:
            self.counters.refused += 1
            self._restoring.acted(self._reactor.seconds(), wholly=False)
            self._tell("restore", str(error))
            return
        if self._restoring.tries < len(_SAID):
            what = ", ".join(sorted(changed))
            self.log.warn(_SAID[self._restoring.tries], what=what, mnemonic="SNAT-4-KERNEL")
        self._restoring.acted(self._reactor.seconds(), wholly=True)
        self._tell("restore", "")
        self.counters.count(changed)
        self._fences = frozenset()
        self._anew = False

    def _follow_interfaces(self, found: Look) -> None:
        """Tell of those that go and come, and see whether one is another than it was, though of its name."""
        for name in sorted(found.missing - self._missing):
            self.counters.interfaces_lost += 1
            self.log.warn(
                "interface {interface} is gone; it is waited for", interface=name, mnemonic="SNAT-4-INTERFACE"
            )
        for name in sorted(self._missing & set(found.indices)):
            self.log.info("interface {interface} is back", interface=name, mnemonic="SNAT-5-INTERFACE")
        self._missing = found.missing
        before = self._indices
        self._indices = {**before, **found.indices}
        self._anew |= any(before.get(name, index) != index for name, index in found.indices.items())

    def _saw_fences(self, broken: Fences) -> None:
        if not self._running:
            return
        self._tell("nft", "")
        self._fences = broken
        if broken:
            self._heard()

    def _saw_none(self, failure: Failure) -> None:
        if self._running:
            self._tell("nft", failure.getErrorMessage())

    def _tell(self, of: str, refusal: str) -> None:
        """Once, as long as it lasts."""
        if refusal and refusal != self._told.get(of):
            self.log.warn("{reason}", reason=refusal, mnemonic="SNAT-4-KERNEL")
        self._told[of] = refusal


_SAID: Final = (
    "another program changed what is ours in the kernel, and it is put back: {what}",
    "another program keeps undoing what is put back in the kernel: {what}; tried ever more rarely",
)
"""What is told of the first and the second time; of all later ones nothing is."""
