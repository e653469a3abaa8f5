"""What other programs change of ours in the kernel is put back, while the daemon translates (kernel.md 3).

systemd-networkd flushes foreign rules when it restarts, interfaces are created anew, a firewall replaces all
of nftables: what this router needs must be there again at once. The kernel tells that something changed, and
every ten seconds we look unasked. Only what differs is set, so our own changes, which it tells too, cause a
look and no work. Against another program that insists we get slower and slower.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from pyroute2.netlink.exceptions import NetlinkError
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorFDSet, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from snat.counters import as_dict
from snat.net.kernel_change import KernelChange
from snat.net.kernel_events import EventCounters, KernelEvents, subscribe
from snat.net.log import MESSAGES
from snat.net.pace import LOOK, Pace
from snat.net.refused import KernelRefused

_NAMED: Final = 5
"""Changes that a message names; of more it tells the number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Restored:
    """What became of one look."""

    changes: Sequence[KernelChange] = ()
    """What was put back."""
    refusals: Sequence[KernelRefused] = ()
    """What could not be, or stands in the way."""
    gone: frozenset[str] = field(default_factory=frozenset)
    """Inside and outside interfaces that are not there."""


@dataclass(slots=True)
class KernelCounters:
    """What became of the looks."""

    looks: int = 0
    restored_rules: int = 0
    """Each rule, route and so on that was put back counts."""
    restored_routes: int = 0
    restored_interfaces: int = 0
    restored_addresses: int = 0
    restored_proxies: int = 0
    restored_sysctls: int = 0
    restored_tables: int = 0
    refused: int = 0
    """Looks that found something that we cannot help."""
    interfaces_gone: int = 0
    """Times that an inside or outside interface went away."""


class ReactorFDSetTime(IReactorFDSet, IReactorTime):
    """What reads from the kernel, and looks at the time."""


class KernelMonitor:
    """The kernel, watched for as long as the daemon translates."""

    log = Logger(observer=MESSAGES)

    def __init__(
        self,
        reactor: ReactorFDSetTime,
        restore: Callable[[bool], Restored],
        ask_tables: Callable[[], "Deferred[bool]"],
    ) -> None:
        """``restore`` puts back what is not as it should be; those of nftables if it is told True.

        It blocks for some milliseconds. ``ask_tables`` tells whether these are whole: nft is a program of
        its own, so it is asked in a thread.
        """
        self.counters = KernelCounters()
        self.events = EventCounters()
        self._reactor = reactor
        self._restore = restore
        self._ask_tables = ask_tables
        self._socket: KernelEvents | None = None
        self._pace = Pace(reactor.seconds())
        self._call: IDelayedCall | None = None
        self._tables_due = 0.0
        """When to ask for those of nftables; not before an answer came."""
        self._whole = True
        """Whether they were found so."""
        self._gone: frozenset[str] = frozenset()
        self._told: frozenset[str] = frozenset()
        """The refusals of the last look: each is said once, as long as it lasts."""
        self._unasked: frozenset[str] = frozenset()
        """Why nft does not tell of its tables."""

    def start(self) -> None:
        """Begin to watch. Raises OSError if the kernel has no netlink."""
        self._socket = KernelEvents(subscribe(), self._reactor, self._noticed, self.events)
        now = self._reactor.seconds()
        self._pace, self._tables_due = Pace(now), now + LOOK
        self._arm()

    def stop(self) -> None:
        """Watch no more."""
        if self._socket is not None:
            self._socket.stop()
            self._socket = None
        self._disarm()

    def all_counters(self) -> dict[str, int]:
        """By name."""
        return as_dict(self.counters) | as_dict(self.events)

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
        self._pace.due = self._reactor.seconds() + LOOK  # even if something fails that nobody thought of
        try:
            found = self._found()
            changed, refused = bool(found.changes), bool(found.refusals)
            self._pace.looked(self._reactor.seconds(), changed=changed, refused=refused)
            self._tell(found)
            self._ask()
        finally:
            self._arm()

    def _found(self) -> Restored:
        """What a look found; nft is asked again only after it was told that its tables are not whole."""
        self.counters.looks += 1
        try:
            found = self._restore(not self._whole)
        except (NetlinkError, OSError) as error:  # the kernel had no time, or no memory
            refused = KernelRefused(
                "the kernel does not tell what it holds", where="netlink", remedy=str(error)
            )
            return Restored(refusals=(refused,), gone=self._gone)
        self._whole = self._whole or not found.refusals
        return found

    def _ask(self) -> None:
        now = self._reactor.seconds()
        if now >= self._tables_due:
            self._tables_due = float("inf")
            self._ask_tables().addCallbacks(self._told_tables, self._not_told_tables)

    def _told_tables(self, whole: bool) -> None:
        self._whole, self._unasked = whole, frozenset()
        self._tables_due = self._reactor.seconds() + LOOK
        if not whole and self._socket is not None:
            self._noticed()

    def _not_told_tables(self, failure: Failure) -> None:
        """Told with the next look; not asked again there, for nft may take its time to fail."""
        self._unasked = frozenset((failure.getErrorMessage(),))
        self._tables_due = self._reactor.seconds() + LOOK

    def _tell(self, found: Restored) -> None:
        self._tell_gone(found.gone)
        self._tell_refusals(frozenset(map(str, found.refusals)) | self._unasked)
        self._tell_changes(found.changes)

    def _tell_gone(self, gone: frozenset[str]) -> None:
        for name in sorted(gone - self._gone):
            self.counters.interfaces_gone += 1
            text = "interface {interface} is gone; when it is back, all is put back that it needs"
            self.log.error(text, interface=name, mnemonic="SNAT-3-KERNEL")
        for name in sorted(self._gone - gone):
            self.log.info("interface {interface} is back", interface=name, mnemonic="SNAT-5-KERNEL")
        self._gone = gone

    def _tell_refusals(self, told: frozenset[str]) -> None:
        self.counters.refused += bool(told)
        for reason in sorted(told - self._told):
            self.log.error("{reason}", reason=reason, mnemonic="SNAT-3-KERNEL")
        if self._told and not told:
            self.log.info("the kernel is as it should be again", mnemonic="SNAT-5-KERNEL")
        self._told = told

    def _tell_changes(self, changes: Sequence[KernelChange]) -> None:
        """The first time, and once more if it does not last; counted always."""
        for change in changes:
            name = f"restored_{change.kind}"
            setattr(self.counters, name, getattr(self.counters, name) + 1)
        if not changes or self._pace.tries > len(_SAID):
            return
        more = f" and {len(changes) - _NAMED} more" if len(changes) > _NAMED else ""
        what = ", ".join(map(str, changes[:_NAMED])) + more
        self.log.warn(_SAID[self._pace.tries - 1], what=what, mnemonic="SNAT-4-KERNEL")


_SAID: Final = (
    "somebody changed the kernel; put back: {what}",
    "somebody changes the kernel again and again; put back, ever more rarely: {what}",
)
"""The first and the second time, until it lasted."""
