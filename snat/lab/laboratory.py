"""One run of a laboratory: its routers, what it says while it works, and who stood how when."""

import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from types import TracebackType
from typing import Final, Protocol, Self, TextIO

from snat.lab.errors import LabError
from snat.lab.process import POLL_INTERVAL, wait_for
from snat.lab.report import Standing
from snat.lab.router import Router, Row, ready, same_rows

READY_TIMEOUT: Final = 15.0
TAKEOVER_TIMEOUT: Final = 10.0
EQUAL_TIMEOUT: Final = 5.0


class Stoppable(Protocol):
    """What ends with the laboratory."""

    def stop(self) -> None:
        """End it, if it runs."""
        ...


class Laboratory(ExitStack):
    """Whatever is entered or started here ends with it, in reverse order."""

    def __init__(self, *, progress: TextIO = sys.stdout) -> None:
        super().__init__()
        self.routers: list[Router] = []
        self.timeline: list[Standing] = []
        self._progress = progress
        self._began = time.monotonic()
        self._reloaded: dict[str, float] = {}
        """When each host's router was told to reload last."""

    def __enter__(self) -> Self:
        self._began = time.monotonic()
        return super().__enter__()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool | None:
        """End everything; a laboratory that could not go on first shows its routers' last words."""
        if isinstance(error, LabError):
            self.show_logs()
        return super().__exit__(kind, error, traceback)

    @property
    def elapsed(self) -> float:
        """Seconds since it began."""
        return time.monotonic() - self._began

    def say(self, text: str) -> None:
        """One line of progress."""
        print(f"[{self.elapsed:5.1f} s] {text}", file=self._progress, flush=True)

    def show_logs(self) -> None:
        """The last log lines of every router."""
        for router in self.routers:
            print(router.tail(), file=self._progress, flush=True)

    def started(self, program: Stoppable) -> None:
        """Remember to stop ``program``."""
        self.callback(program.stop)

    def start(self, *routers: Router) -> None:
        """Start routers that end with the laboratory."""
        for router in routers:
            self.routers.append(router)
            self.started(router)
            router.start()
            self._note(router, "starting")

    def kill(self, router: Router) -> None:
        """Kill -9."""
        router.kill()
        self._note(router, "killed")

    def end(self, router: Router) -> None:
        """End a router in good order (SIGTERM)."""
        router.stop()
        self._note(router, "killed")

    def reload(self, router: Router) -> None:
        """The shell's ``reload``: the router hands over, ends and begins anew."""
        self._reloaded[router.host] = time.monotonic()
        router.reload()
        self._note(router, "starting")

    def await_begun(self, router: Router, *, seconds: float = READY_TIMEOUT) -> None:
        """Wait until a router that was told to reload has: it answers as before for a while."""

        def has_begun() -> bool | None:
            self._refuse_dead([router.host])
            uptime = router.uptime()
            return (uptime is not None and uptime < time.monotonic() - self._reloaded[router.host]) or None

        wait_for(has_begun, seconds=seconds, failure=lambda: f"{router.name} did not reload")

    def restart(self, router: Router) -> None:
        """Start a router that was killed."""
        router.start()
        self._note(router, "starting")

    def observe(self) -> Mapping[str, Row]:
        """Ask every living router how it stands; changes go on the timeline. By host."""
        groups = {}
        for router in self.routers:
            if (group := router.group()) is not None:
                groups[router.host] = group
                self._note(router, group["standing"])
        return groups

    def await_ready(self, standings: Mapping[str, str], *, seconds: float = READY_TIMEOUT) -> None:
        """Wait until each host stands as it should, synchronised, linked and verified."""

        def all_ready() -> bool | None:
            self._refuse_dead(standings)
            groups = self.observe()
            done = all(
                host in groups and ready(groups[host], standing=standing)
                for host, standing in standings.items()
            )
            return done or None

        wait_for(all_ready, seconds=seconds, failure=lambda: f"not ready: {self._standings()}")

    def await_standing(self, router: Router, standing: str, *, seconds: float = TAKEOVER_TIMEOUT) -> None:
        """Wait until ``router`` stands so, whatever else is wrong with it."""

        def stands() -> bool | None:
            self._refuse_dead([router.host])
            group = self.observe().get(router.host)
            return (group is not None and group["standing"] == standing) or None

        wait_for(
            stands,
            seconds=seconds,
            failure=lambda: f"{router.name} never came to {standing}: {self._standings()}",
        )

    def tables_equal(self, routers: Sequence[Router], *, seconds: float = EQUAL_TIMEOUT) -> bool:
        """Whether all tables come to have the same rows, at least one, within ``seconds``."""

        def equal() -> bool:
            first, *others = [router.translations() for router in routers]
            return bool(first) and all(same_rows(first, other) for other in others)

        return within(equal, seconds=seconds)

    def _refuse_dead(self, hosts: Mapping[str, str] | Sequence[str]) -> None:
        for router in self.routers:
            if router.host in hosts and not router.alive:
                raise LabError(f"{router.name} has ended by itself")

    def _standings(self) -> str:
        return "; ".join(f"{router.name} {_describe(router.group())}" for router in self.routers)

    def _note(self, router: Router, standing: str) -> None:
        last = next((each for each in reversed(self.timeline) if each.router == router.name), None)
        if last is None or last.standing != standing:
            self.timeline.append(Standing(moment=self.elapsed, router=router.name, standing=standing))


def within(question: Callable[[], bool], *, seconds: float) -> bool:
    """Whether the answer becomes true within ``seconds``."""
    deadline = time.monotonic() + seconds
    while not (answer := question()) and time.monotonic() < deadline:
        time.sleep(POLL_INTERVAL)
    return answer


def _describe(group: Row | None) -> str:
    if group is None:
        return "does not answer"
    links = ", ".join(
        f"{link['direction']} {link['state']} {link['last_refusal']}".strip() for link in group["links"]
    )
    why = group["why"] or "no reason given"
    return f"{group['standing']} {group['state']} ({why}; links: {links or 'none'})"
