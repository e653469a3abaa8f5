"""Looks at the kernel after each change there, and puts back what others took away (kernel.md 3).

systemd-networkd flushes foreign rules when it restarts, interfaces are created anew, a firewall replaces all
of nftables: what this router needs must be there again at once. Against another program that insists we get
slower and slower, and say so.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from twisted.internet.interfaces import IDelayedCall, IReactorFDSet, IReactorTime
from twisted.logger import Logger

from snat.net.kernel_events import KernelEvents
from snat.net.log import MESSAGES
from snat.net.refused import KernelRefused

GATHER: Final = 0.05
"""Seconds after the first change that its like are waited for."""
LOOK: Final = 30.0
"""Seconds between looks that nothing asks for: nftables and sysctls tell nobody."""
FIRST_WAIT: Final = 1.0
"""Seconds after a change of ours until the next; doubled as long as it does not last."""
LONGEST_WAIT: Final = 60.0
_NAMED: Final = 5
"""Changes that a message names; of more it tells the number."""


class Pace:
    """When to look at the kernel. Sans I/O: told what happens and when."""

    def __init__(self, now: float) -> None:
        self.due = now + LOOK
        """When to look."""
        self._wait = 0.0
        self._not_before = now

    def noticed(self, now: float) -> None:
        """Something changed that may concern us."""
        self.due = min(self.due, max(now + GATHER, self._not_before))

    def looked(self, changed: bool, now: float) -> None:
        """A look is over; ``changed``: something had to be put back."""
        if changed:
            lasted = now > self._not_before + LONGEST_WAIT
            self._wait = FIRST_WAIT if lasted or not self._wait else min(2 * self._wait, LONGEST_WAIT)
            self._not_before = now + self._wait
        self.due = max(now + LOOK, self._not_before)

    def refused(self, now: float) -> None:
        """A look found what we cannot help, such as an interface that is gone: until it is back."""
        self._not_before = now + FIRST_WAIT
        self.due = now + LOOK


@dataclass(slots=True)
class KernelCounters:
    """What became of the looks."""

    looks: int = 0
    restored: int = 0
    """Rules, routes, addresses and the like that were put back."""
    refused: int = 0
    """Looks that ended at something that we cannot help."""


class ReactorFDSetTime(IReactorFDSet, IReactorTime):
    """What reads from the kernel, and looks at the time."""


class KernelMonitor:
    """The kernel, watched for as long as the daemon translates."""

    log = Logger(observer=MESSAGES)

    def __init__(self, reactor: ReactorFDSetTime, restore: Callable[[], Sequence[str]]) -> None:
        """``restore`` puts back what is not as it should be, and names it; it may raise KernelRefused."""
        self.counters = KernelCounters()
        self._reactor = reactor
        self._restore = restore
        self._events: KernelEvents | None = None
        self._pace = Pace(reactor.seconds())
        self._call: IDelayedCall | None = None
        self._told = ""
        """The last refusal, until a look went well: it is said once."""

    def start(self) -> None:
        """Begin to watch."""
        self._events = KernelEvents(self._reactor, self._noticed)
        self._arm()

    def stop(self) -> None:
        """Watch no more."""
        if self._events is not None:
            self._events.stop()
            self._events = None
        self._disarm()

    def _noticed(self) -> None:
        self._pace.noticed(self._reactor.seconds())
        self._arm()

    def _disarm(self) -> None:
        if self._call is not None and self._call.active():
            self._call.cancel()
        self._call = None

    def _arm(self) -> None:
        self._disarm()
        self._call = self._reactor.callLater(max(0.0, self._pace.due - self._reactor.seconds()), self._look)

    def _look(self) -> None:
        self._call = None
        self.counters.looks += 1
        try:
            changed = self._restore()
        except KernelRefused as refused:
            self._tell(str(refused))
            self._pace.refused(self._reactor.seconds())
        else:
            self._put_back(changed)
            self._pace.looked(bool(changed), self._reactor.seconds())
        self._arm()

    def _put_back(self, changed: Sequence[str]) -> None:
        if self._told:
            self._told = ""
            self.log.info("the kernel is as it should be again", mnemonic="SNAT-5-KERNEL")
        if changed:
            self.counters.restored += len(changed)
            more = f" and {len(changed) - _NAMED} more" if len(changed) > _NAMED else ""
            self.log.warn(
                "somebody changed the kernel; put back: {what}",
                what=", ".join(changed[:_NAMED]) + more,
                mnemonic="SNAT-4-KERNEL",
            )

    def _tell(self, reason: str) -> None:
        self.counters.refused += 1
        if reason != self._told:
            self._told = reason
            self.log.error("{reason}", reason=reason, mnemonic="SNAT-3-KERNEL")
