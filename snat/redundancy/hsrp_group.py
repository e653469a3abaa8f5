"""A group that elects: the timers and messages that lead through the table of :mod:`snat.redundancy.hsrp`."""

import random
from collections.abc import Callable, Mapping
from ipaddress import IPv4Address
from math import inf
from typing import Final

from snat.config.interface import StandbyGroup
from snat.redundancy.hsrp import SPEAKING, Action, Input, heeds, step
from snat.redundancy.hsrp_events import Event, HsrpCounters, PreemptionDue
from snat.redundancy.hsrp_message import HsrpMessage, Opcode, State, whole_seconds
from snat.redundancy.hsrp_preemption import Preemption
from snat.redundancy.hsrp_virtual_router import Attachment, Heard, VirtualRouter

_DEFAULT: Final = StandbyGroup(number=0)
_SHORTEST_JITTER: Final = 0.9
"""Of a hello interval: routers that began together shall not go on together."""


class Group(VirtualRouter):
    """One router's part in the election of a group."""

    def __init__(
        self,
        configuration: StandbyGroup,
        attachment: Attachment,
        counters: HsrpCounters,
        events: list[Event],
        now: float,
        *,
        started: float,
        tracked: Mapping[str, bool],
        dice: random.Random,
    ) -> None:
        super().__init__(configuration, attachment, counters, events, now)
        self.synchronised = True
        self.preemption = Preemption(started, now)
        self._tracked = tracked
        self._dice = dice
        self._times: tuple[float, float] | None = None
        """Hello and hold time that the active router taught."""
        self._active_expires = inf
        self._standby_expires = inf
        self._last_hello = -inf

    # What it is

    @property
    def priority(self) -> int:
        """What tracked objects leave of the configured one; 0 while not synchronised."""
        if not self.synchronised:
            return 0
        tracks = self.configuration.tracks
        lost = sum(one.decrement for one in tracks if not one.shutdown and self._down(one.target))
        return max(self.configuration.priority - lost, 0)

    @property
    def hello(self) -> float:
        """Configured, or learnt where only the default is."""
        return self._times[0] if self._times else self.configuration.hello

    @property
    def hold(self) -> float:
        """Configured, or learnt where only the default is."""
        return self._times[1] if self._times else self.configuration.hold

    @property
    def why_initial(self) -> str:
        """As of any virtual router; or because of a tracked object."""
        if any(one.shutdown and self._down(one.target) for one in self.configuration.tracks):
            return "tracking shutdown"
        return super().why_initial

    def tracks_up(self, target: str) -> bool | None:
        """Whether what is tracked is up; None: nobody has said so yet."""
        return self._tracked.get(target)

    def _down(self, target: str) -> bool:
        return self._tracked.get(target) is False

    @property
    def _runs(self) -> bool:
        return self.configuration.enabled and not self.why_initial

    # What happens

    def adopt(self, configuration: StandbyGroup, now: float) -> None:
        """Take another configuration; the state stays where it can."""
        before = self.configuration
        super().adopt(configuration, now)
        if (configuration.hello, configuration.hold) != (before.hello, before.hold):
            self._times = None
            self._next_hello = min(self._next_hello, now + configuration.hello)
        if before.address is not None and configuration.address is None:
            self._happen(Input.DISABLED, now)  # to learn, it begins anew
        elif before.address is None and configuration.address is not None:
            self._happen(Input.CONFIGURED, now)
        self._settle_addresses(now)
        self.tick(now)

    def attach(self, attachment: Attachment, now: float) -> None:
        """The interface is up, down, or has another address."""
        self.attachment = attachment
        self.tick(now)

    def synchronise(self, synchronised: bool, now: float) -> None:
        """Whether the role may be taken."""
        if synchronised and not self.synchronised:
            self.preemption.synchronised(now)
        self._notice_pause(now)
        self.synchronised = synchronised
        if synchronised:
            self._wait_no_longer(now)
        else:
            self.preemption.forget()
            self._happen(Input.UNSYNCHRONISED, now)
        self.tick(now)

    def released(self, now: float) -> None:
        """What the role manages was handed over to us: preempt, if that is still to be done."""
        self._notice_pause(now)
        if self.active is not None and self._may_preempt(self.active.message.priority, now):
            self._happen(Input.PREEMPT, now)
        self.tick(now)

    def stop(self, now: float) -> None:
        """Leave the group in good order: the standby router takes over at once."""
        self._happen(Input.DISABLED, now)

    def receive(self, message: HsrpMessage, source: IPv4Address, now: float) -> None:
        """An authentic message of another router."""
        self._notice_pause(now)
        if message.opcode is Opcode.HELLO:
            self.counters.hellos_in += 1
            self._hear(message, source, now)
        elif message.opcode is Opcode.COUP:
            self.counters.coups_in += 1
            if self._outranked(message, source):
                self._happen(Input.COUP, now)
            else:
                self.counters.lower_coups += 1
        else:
            self.counters.resigns_in += 1
            self._resigned(source, now)
        self.tick(now)

    def tick(self, now: float) -> None:
        """Do what is due."""
        self._notice_pause(now)
        if not self._runs:
            self._happen(Input.DISABLED, now)
        while (happened := self._due(now)) is not None:
            self._happen(happened, now)
        self._announce_due(now)

    def next_deadline(self) -> float | None:
        """When :meth:`tick` is due; None: not before something happens."""
        if self.state is State.INITIAL:
            return self.attachment.ready_at if self._runs else None
        first = min((when for when, happened in self._timers() if self._heeds(happened)), default=inf)
        first = min([first, *self._arp_due])
        return first if first < inf else None

    def _timers(self) -> tuple[tuple[float, Input], ...]:
        """In the order in which they are served when several are due."""
        return (
            (self._active_expires, Input.ACTIVE_LOST),
            (self._standby_expires, Input.STANDBY_LOST),
            (self._next_hello, Input.HELLO_DUE),
        )

    def _due(self, now: float) -> Input | None:
        if self.state is State.INITIAL:
            if not self._runs or now < self.attachment.ready_at:
                return None
            return Input.LEARNING if self.address is None else Input.CONFIGURED
        return next((one for when, one in self._timers() if when <= now and self._heeds(one)), None)

    def _heeds(self, happened: Input) -> bool:
        return heeds(self.state, happened, synchronised=self.synchronised)

    def _notice_pause(self, now: float) -> None:
        """Who was paused for half a hold time judges nobody's silence by it (design.md section 7)."""
        due = self.next_deadline()
        if due is None or now - due <= self.hold / 2 or self.state in (State.INITIAL, State.LEARN):
            return
        self.counters.pauses += 1
        if self.state is not State.ACTIVE or now - self._last_hello >= self.hold:
            self._happen(Input.STALLED, now)

    # Messages

    def _outranked(self, message: HsrpMessage, source: IPv4Address) -> bool:
        """Whether the sender has precedence: the priority, then the address."""
        own = self.attachment.address
        return own is not None and (message.priority, source) > (self.priority, own)

    def _hear(self, message: HsrpMessage, source: IPv4Address, now: float) -> None:
        outranked = self._outranked(message, source)
        if message.state is State.ACTIVE:
            self._hear_active(message, source, now)
        elif message.state is State.STANDBY:
            happened = Input.STANDBY_BETTER if outranked else Input.STANDBY_WORSE
            if self.state is State.ACTIVE and not self.synchronised:
                happened = Input.YIELD
            self._happen(happened, now, self._heard(message, source, now))
        elif message.state is State.SPEAK and outranked:
            self._happen(Input.SPEAKER_BETTER, now)

    def _hear_active(self, message: HsrpMessage, source: IPv4Address, now: float) -> None:
        if message.address is not None and self.address not in (None, message.address):
            self.counters.different_address += 1
        if self.state is State.LEARN and not self._learnable(message.address):
            return
        happened = Input.ACTIVE_BETTER if self._outranked(message, source) else Input.ACTIVE_WORSE
        if self._may_preempt(message.priority, now):
            if not self.preemption.claims_first:
                happened = Input.PREEMPT
            elif self.preemption.claim(self.hold, now):
                self._events.append(PreemptionDue(group=self.id, active=source))
        self._happen(happened, now, self._heard(message, source, now))

    def _heard(self, message: HsrpMessage, source: IPv4Address, now: float) -> Heard:
        return Heard(address=source, message=message, expires=now + self._hold_of(message))

    def _hold_of(self, message: HsrpMessage) -> float:
        """How long a hello is good: as it says, but exactly as we have it where version 1 rounded that."""
        if not message.believable:
            self.counters.bad_times += 1
            return self.hold
        ours = whole_seconds(self.hello, self.hold)
        rounded = message.version == 1 and (message.hello, message.hold) == ours
        return self.hold if rounded else message.hold

    def _may_preempt(self, priority: int, now: float) -> bool:
        """Whether to take over from an active router of that priority, now. An equal one is left in peace."""
        waiting = self.state in (State.LISTEN, State.SPEAK, State.STANDBY)
        wanted = self.configuration.preempt and self.synchronised and self.priority > priority
        if not (waiting and wanted):
            self.preemption.forget()
            return False
        return self.preemption.ready(self.configuration, now)

    def _resigned(self, source: IPv4Address, now: float) -> None:
        if self.active is None or self.active.address != source:
            self.counters.strange_resigns += 1
            return
        self.active = None
        self._active_expires = now

    # Steps

    def _happen(self, happened: Input, now: float, heard: Heard | None = None) -> None:
        """Do what the table says; ``heard`` is the hello that made it happen."""
        before = self.state
        follows = step(before, happened, synchronised=self.synchronised)
        if follows is None:
            return
        for action in follows.actions:
            if action in _TIMERS:
                _TIMERS[action](self, now, heard)
        self._enter(follows.state, now)
        if Action.COUP in follows.actions:  # the addresses are had before anybody leaves them
            self._say(Opcode.COUP, before)
        if Action.RESIGN in follows.actions:
            self._say(Opcode.RESIGN, before)
        if Action.FAREWELL in follows.actions:
            self._say(Opcode.HELLO, before)
        if Action.HELLO in follows.actions and self.state in SPEAKING:
            self._say_hello(now)
        if Action.ARP in follows.actions:
            self._announce(now)
        self._wait_no_longer(now)
        if self.state is State.INITIAL:
            self._forget()

    def _wait_no_longer(self, now: float) -> None:
        """A timer that expired where nothing waited for it is due now, not then: no pause of ours."""
        self._active_expires = max(self._active_expires, now)
        self._standby_expires = max(self._standby_expires, now)

    def _say_hello(self, now: float) -> None:
        self._say(Opcode.HELLO, self.state)
        self._last_hello = now
        self._next_hello = now + self.hello * self._dice.uniform(_SHORTEST_JITTER, 1)

    def _forget(self) -> None:
        self.active = self.standby = self.learned = self._times = None
        self.preemption.forget()

    def _start_active(self, now: float, heard: Heard | None) -> None:
        self.active = heard if heard and heard.message.state is State.ACTIVE else None
        self._active_expires = self.active.expires if self.active else now + self.hold
        if self.active and self.standby and self.standby.address == self.active.address:
            self.standby = None

    def _start_standby(self, now: float, heard: Heard | None) -> None:
        self.standby = heard if heard and heard.message.state is State.STANDBY else None
        self._standby_expires = self.standby.expires if self.standby else now + self.hold
        if self.standby and self.active and self.active.address == self.standby.address:
            self.active = None

    def _stop_active(self, _now: float, _heard: Heard | None) -> None:
        self.active = None
        self._active_expires = inf

    def _stop_standby(self, _now: float, _heard: Heard | None) -> None:
        self.standby = None
        self._standby_expires = inf

    def _learn(self, _now: float, heard: Heard | None) -> None:
        """What is not configured: address and times, both times or none (RFC 2281 section 5.1)."""
        assert heard is not None  # the table learns from hellos only
        configuration, message = self.configuration, heard.message
        if configuration.address is None and self._learnable(message.address):
            self.learned = message.address
        times = (configuration.hello, configuration.hold)
        if times == (_DEFAULT.hello, _DEFAULT.hold) and message.believable:
            self._times = (message.hello, message.hold)

    def _learnable(self, address: IPv4Address | None) -> bool:
        """Whether it can be the address of a virtual router."""
        if address is None or address == self.attachment.address:
            return False
        return not (address.is_multicast or address.is_loopback or address.is_reserved)


_TIMERS: Final[Mapping[Action, Callable[[Group, float, Heard | None], None]]] = {
    Action.START_ACTIVE: Group._start_active,
    Action.START_STANDBY: Group._start_standby,
    Action.STOP_ACTIVE: Group._stop_active,
    Action.STOP_STANDBY: Group._stop_standby,
    Action.LEARN: Group._learn,
}
