"""The layouts of what is around the device (ios-cli.md 3, 4.5); those of IOS, as parsers read them."""

from collections.abc import Iterator, Sequence

from cli.when import dated, exact, idle, spelled
from snat.status import (
    Clock,
    Memory,
    PendingReload,
    Processor,
    ProcessorTime,
    Resolver,
    StartupText,
    User,
    Version,
)


def running_configuration(
    lines: Sequence[str], *, exposed: str = "", numbered: bool = False
) -> Iterator[str]:
    """``show running-config``: its size in bytes, then the lines."""
    size = sum(len(line.encode()) + 1 for line in lines)
    yield from ("Building configuration...", "", f"Current configuration{exposed} : {size} bytes")
    body = ["!", *lines]
    yield from (f"{number:>6} : {line}" for number, line in enumerate(body, start=1)) if numbered else body


def startup(stored: StartupText | None) -> Iterator[str]:
    """``show startup-config``: how much there is, then the file as it is."""
    if stored is None:
        yield "startup-config is not present"
        return
    yield f"Using {len(stored.text.encode())} out of {stored.capacity} bytes"
    yield from stored.text.splitlines()


def clock(now: Clock) -> Iterator[str]:
    """``show clock``."""
    yield exact(now)


def version(shown: Version) -> Iterator[str]:
    """``show version``: what tools look for, without saying that this is made by Cisco."""
    yield (
        "Open SNAT, command-compatible with Cisco IOS Software, SNAT Software (SNATD-K9-M), "
        f"Version {shown.version}, RELEASE SOFTWARE (fc1)"
    )
    yield f"Python {shown.python}, Twisted {shown.twisted}, {shown.kernel}"
    yield from ("", "ROM: snatd bootstrap", "")
    yield f"{shown.hostname} uptime is {spelled(shown.uptime)}"
    yield f"System returned to ROM by {'reload' if shown.reload_reason else 'power-on'}"
    yield f'System image file is "flash:{shown.image}"'
    if shown.reload_reason:
        yield f"Last reload reason: {shown.reload_reason}"
    yield ""
    if shown.board:
        yield f"Processor board ID {shown.board}"
    yield f"{shown.interfaces} Ethernet interface{'' if shown.interfaces == 1 else 's'}"
    yield from ("", "Configuration register is 0x2102")


def hosts(resolver: Resolver) -> Iterator[str]:
    """``show hosts``."""
    yield f"Default domain is {resolver.domain or 'not set'}"
    yield "Name/address lookup uses the resolver of this machine"
    if resolver.servers:
        yield f"Name servers are {', '.join(resolver.servers)}"


def reload(pending: PendingReload | None) -> Iterator[str]:
    """``show reload``."""
    if pending is None:
        yield "No reload is scheduled."
        return
    left = (
        spelled(pending.seconds_left) if pending.seconds_left >= 60 else f"{pending.seconds_left:.0f} seconds"
    )
    who = f"{pending.user or 'unknown'} on vty{pending.line}"
    yield f"Reload scheduled for {dated(pending.at)} (in {left}) by {who} (local)"
    yield "Reload reason: Reload Command"


def users(shown: Sequence[User], own: int) -> Iterator[str]:
    """``show users``; the star is at the session that asks."""
    yield "    Line       User       Host(s)              Idle       Location"
    for user in shown:
        star = "*" if user.line == own else " "
        place = f"{user.line + 1} vty {user.line}"
        yield f"{star}{place:>9}     {user.user:<10} {'idle':<20} {idle(user.idle):<10} {user.location}"


def processor(shown: Processor) -> Iterator[str]:
    """``show processes cpu``: one row for each thread of the daemon."""
    use = shown.use
    yield (
        f"CPU utilization for five seconds: {use.five_seconds:.0f}%/{shown.system:.0f}%; "
        f"one minute: {use.one_minute:.0f}%; five minutes: {use.five_minutes:.0f}%"
    )
    yield " PID Runtime(ms)     Invoked      uSecs   5Sec   1Min   5Min TTY Process"
    for thread in shown.threads:
        each = thread.milliseconds * 1000 // max(1, thread.switches)
        yield (
            f"{thread.number:>4} {thread.milliseconds:>11} {thread.switches:>11} {each:>10} "
            f"{_percent(thread.use)}   0 {thread.name}"
        )


def _percent(use: ProcessorTime) -> str:
    return " ".join(f"{share:>5.2f}%" for share in (use.five_seconds, use.one_minute, use.five_minutes))


def memory(shown: Memory) -> Iterator[str]:
    """``show processes memory``. What was freed is the difference between the most there was and what is."""
    used = shown.total - shown.available
    yield f"Processor Pool Total: {shown.total} Used: {used} Free: {shown.available}"
    yield ""
    yield " PID TTY  Allocated      Freed    Holding    Getbufs    Retbufs Process"
    freed = shown.peak - shown.resident
    yield (f"{shown.process:>4}   0 {shown.peak:>10} {freed:>10} {shown.resident:>10} {0:>10} {0:>10} snatd")
    yield f"                                 {shown.resident:>10} Total"
