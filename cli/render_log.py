"""The layouts of the log and of debugging (ios-cli.md 3, 4.5)."""

from collections.abc import Iterator

from snat.config.model import Level
from snat.status import DebugStatus, LogStatus


def log(status: LogStatus) -> Iterator[str]:
    """``show logging``: where messages go and how many went there, then the buffer."""
    settings = status.settings
    yield (
        f"Syslog logging: {'enabled' if settings.on else 'disabled'} ({status.dropped} messages dropped, "
        f"{status.rate_limited} messages rate-limited, 0 flushes, 0 overruns, xml disabled, "
        "filtering disabled)"
    )
    yield ""
    on = settings.on
    yield f"    Console logging: {_place(settings.console, status.console)}"
    yield f"    Monitor logging: {_place(settings.monitor if on else None, status.monitor)}"
    yield f"    Buffer logging:  {_place(settings.buffered if on else None, status.buffered)}"
    if on and settings.trap is not None:
        yield f"    Trap logging: level {settings.trap.name.lower()}, {status.trap} message lines logged"
    else:
        yield "    Trap logging: disabled"
    for host in status.hosts:
        yield f"        Logging to {host.address}  (udp port {host.port}),"
        yield f"              {host.sent} message lines logged, {host.dropped} message lines dropped"
    yield from ("", f"Log Buffer ({settings.buffer_size} bytes):", "")
    yield from status.lines


def debugging(status: DebugStatus) -> Iterator[str]:
    """``show debugging``, which is what ``debug`` answers too; nothing where nothing is debugged."""
    lines = [*nat(status), *snat(status)]
    if lines:
        yield "Generic IP:"
        yield from (f"  {line}" for line in lines)


def nat(status: DebugStatus) -> Iterator[str]:
    """What of ``debug ip nat`` is on."""
    which = f" for access list {status.nat_list}" if status.nat_list else ""
    if status.nat:
        yield f"IP NAT debugging is on{which}"
    if status.nat_detailed:
        yield f"IP NAT detailed debugging is on{which}"


def snat(status: DebugStatus) -> Iterator[str]:
    """What of ``debug ip snat`` is on."""
    if status.snat:
        yield "IP SNAT debugging is on"
    if status.snat_detailed:
        yield "IP SNAT detailed debugging is on"


def _place(level: Level | None, logged: int) -> str:
    if level is None:
        return "disabled"
    return f"level {level.name.lower()}, {logged} messages logged, xml disabled, filtering disabled"
