"""When a group takes over from an active router of lower priority (``standby G preempt``).

All delays must be over: ``minimum`` since such a router was first heard, ``reload`` since this one started,
``sync`` since the table was proved. (In IOS, ``sync`` is how long preemption waits for that at most; here no
role is ever taken before.) A role that is free waits for none of them.
"""

from math import inf

from snat.config.interface import StandbyGroup


class Preemption:
    """The waits of one group. Times are seconds."""

    def __init__(self, started: float, now: float) -> None:
        self.claims_first = False
        """Whether what the role manages is handed over before."""
        self._started = started
        self._synchronised_since = now
        self._since: float | None = None
        self._claimed_at = -inf

    @property
    def claims(self) -> bool:
        """Whether the role was asked for, and nothing came of it yet."""
        return self._claimed_at > -inf

    def synchronised(self, now: float) -> None:
        """The table is proved from now on."""
        self._synchronised_since = now

    def forget(self) -> None:
        """There is nobody to take over from."""
        self._since = None
        self._claimed_at = -inf

    def ready(self, configuration: StandbyGroup, now: float) -> bool:
        """Whether all delays are over, there being somebody to take over from."""
        if self._since is None:
            self._since = now
        return now >= max(
            self._since + configuration.preempt_minimum,
            self._started + configuration.preempt_reload,
            self._synchronised_since + configuration.preempt_sync,
        )

    def claim(self, again: float, now: float) -> bool:
        """Whether to claim now: it was not done for ``again`` seconds."""
        if now - self._claimed_at < again:
            return False
        self._claimed_at = now
        return True
