"""``show standby`` in its three forms (ios-cli.md 2.3). Parsers refuse any line that they do not know."""

from collections.abc import Iterable, Iterator
from datetime import timedelta

from snat.config.interface import AuthenticationKind, Standby, StandbyGroup
from snat.status import StandbyRouter, StandbyStatus, StandbyTrack

_WEEK = 7 * 86400


def groups(shown: Iterable[StandbyStatus]) -> Iterator[str]:
    """``show standby``: every group with all that is known of it; no blank line between them."""
    for one in shown:
        version = f" (version {one.version})" if one.version != 1 else ""
        yield f"{one.interface} - Group {one.group.number}{version}"
        yield from _group(one)


def _group(one: StandbyStatus) -> Iterator[str]:
    yield f"  State is {one.state}{f' ({one.why})' if one.why else ''}"
    changes = "1 state change" if one.changes == 1 else f"{one.changes} state changes"
    yield f"    {changes}, last state change {duration(one.changed)}"
    yield f"  Virtual IP address is {one.address or 'unknown'}"
    yield from (f"    Secondary virtual IP address {address}" for address in one.group.secondary)
    yield from _mac_addresses(one)
    yield f"  Hello time {_time(one.group.hello)}, hold time {_time(one.group.hold)}"
    if one.next_hello is not None:
        yield f"    Next hello sent in {one.next_hello:.3f} secs"
    yield from _authentication(one.group)
    yield f"  {_preemption(one.group)}"
    yield f"  Active router is {_router(one.active)}"
    if one.active.mac_address:
        yield f"    MAC address is {dotted(one.active.mac_address)}"
    yield f"  Standby router is {_router(one.standby)}"
    yield f"  Priority {one.priority} (configured {one.group.priority})"
    yield from map(_track, one.tracks)
    name, source = (one.group.name, "cfgd") if one.group.name else (default_name(one), "default")
    yield f'  Group name is "{name}" ({source})'


def _mac_addresses(one: StandbyStatus) -> Iterator[str]:
    use = "MAC In Use" if one.state == "Active" else "MAC Not In Use"
    known = one.active.address != ""
    yield f"  Active virtual MAC address is {dotted(one.mac_address) if known else 'unknown'} ({use})"
    source = "cfgd" if one.group.mac_address else f"v{one.version} default"
    yield f"    Local virtual MAC address is {dotted(one.mac_address)} ({source})"


def _authentication(group: StandbyGroup) -> Iterator[str]:
    """A key is not shown; the text of a text authentication is on the wire for all to read."""
    if group.authentication is None:
        return
    if group.authentication.kind is AuthenticationKind.TEXT:
        yield f'  Authentication text, string "{group.authentication.key}"'
    else:
        yield "  Authentication MD5, key-string"


def _preemption(group: StandbyGroup) -> str:
    if not group.preempt:
        return "Preemption disabled"
    delays = (
        ("min", group.preempt_minimum),
        ("reload", group.preempt_reload),
        ("sync", group.preempt_sync),
    )
    told = ", ".join(f"{name} {seconds} secs" for name, seconds in delays if seconds)
    return f"Preemption enabled{f', delay {told}' if told else ''}"


def _router(router: StandbyRouter) -> str:
    if router.address in ("", "local"):
        return router.address or "unknown"
    return f"{router.address}, priority {router.priority} (expires in {router.expires:.3f} sec)"


def _track(track: StandbyTrack) -> str:
    kind = "object" if track.target.isdecimal() else "interface"
    if track.up is None:
        return f"    Track {kind} {track.target} (unknown)"
    effect = "shutdown" if track.shutdown else f"decrement {track.decrement}"
    return f"    Track {kind} {track.target} state {'Up' if track.up else 'Down'} {effect}"


def brief(shown: Iterable[StandbyStatus]) -> Iterator[str]:
    """``show standby brief``: one line a group."""
    yield "                     P indicates configured to preempt."
    yield "                     |"
    yield "Interface   Grp  Pri P State   Active          Standby         Virtual IP"
    for one in shown:
        preempt = "P" if one.group.preempt else " "
        routers = f"{one.active.address or 'unknown':<15} {one.standby.address or 'unknown':<15}"
        yield (
            f"{one.interface:<11} {one.group.number:<4} {one.priority:<3} {preempt} {one.state:<7} "
            f"{routers} {one.address or 'unknown'}"
        )


def delays(interfaces: Iterable[tuple[str, Standby]]) -> Iterator[str]:
    """``show standby delay``."""
    yield "Interface          Minimum Reload"
    for name, standby in interfaces:
        yield f"{name:<18} {standby.delay_minimum:<7} {standby.delay_reload}"


def default_name(one: StandbyStatus) -> str:
    """The name of a group that was given none: ``hsrp-eth0-10``."""
    return f"hsrp-{one.interface}-{one.group.number}"


def dotted(mac_address: bytes) -> str:
    """``0000.0c07.ac0a``."""
    return mac_address.hex(".", 2)


def duration(seconds: float) -> str:
    """``00:10:12`` within a day, then ``1d02h``, from a week on ``10w3d``."""
    whole = int(seconds)
    if whole >= _WEEK:
        return f"{whole // _WEEK}w{whole % _WEEK // 86400}d"
    if whole >= 86400:
        return f"{whole // 86400}d{whole % 86400 // 3600:02}h"
    return f"{timedelta(seconds=whole)!s:0>8}"


def _time(seconds: float) -> str:
    milliseconds = round(seconds * 1000)
    return f"{milliseconds} msec" if milliseconds % 1000 else f"{milliseconds // 1000} sec"
