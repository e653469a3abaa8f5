"""What ``show standby`` shows of HSRP (ios-cli.md 2.3)."""

from collections.abc import Iterator
from dataclasses import replace

from snat.redundancy.hsrp_group import Group
from snat.redundancy.hsrp_message import State
from snat.redundancy.hsrp_router import HsrpRouter
from snat.redundancy.hsrp_virtual_router import Heard, VirtualRouter
from snat.status import StandbyRouter, StandbyStatus, StandbyTrack

LOCAL = StandbyRouter(address="local")


def status(router: HsrpRouter, now: float) -> tuple[StandbyStatus, ...]:
    """Every group. The times are those in use, which may have been learnt."""
    return tuple(_status(group, now) for group in router.groups())


def _status(group: VirtualRouter, now: float) -> StandbyStatus:
    tracks: tuple[StandbyTrack, ...] = ()
    next_hello = None
    configuration = group.configuration
    if isinstance(group, Group):
        tracks = tuple(_tracks(group))
        configuration = replace(configuration, hello=group.hello, hold=group.hold)
    if group.next_hello is not None:
        next_hello = max(group.next_hello - now, 0.0)
    return StandbyStatus(
        interface=group.attachment.interface,
        version=group.attachment.version,
        group=configuration,
        state=group.state.value if group.configuration.enabled else "Disabled",
        why=_why(group),
        changes=group.changes,
        changed=now - group.changed_at,
        address=str(group.address or ""),
        mac_address=group.mac_address,
        next_hello=next_hello,
        active=_router(group, State.ACTIVE, group.active, now),
        standby=_router(group, State.STANDBY, group.standby, now),
        priority=group.priority,
        tracks=tracks,
    )


def _why(group: VirtualRouter) -> str:
    """Why it is in Init, keeps to Listen, or does not preempt though it may."""
    if not group.configuration.enabled:
        return ""
    if group.state is State.INITIAL:
        return group.why_initial
    if not isinstance(group, Group):
        return ""
    if not group.synchronised:
        return "not synchronised"
    waits = group.preemption.claims and group.state is not State.ACTIVE
    return "claims the role, to preempt" if waits else ""


def _router(group: VirtualRouter, place: State, heard: Heard | None, now: float) -> StandbyRouter:
    if group.state is place:
        return LOCAL
    if heard is None or heard.expires <= now or group.state is State.INITIAL:
        return StandbyRouter()
    message = heard.message
    return StandbyRouter(
        address=str(heard.address),
        priority=message.priority,
        mac_address=message.identifier if message.version == 2 else b"",
        expires=heard.expires - now,
    )


def _tracks(group: Group) -> Iterator[StandbyTrack]:
    for one in group.configuration.tracks:
        yield StandbyTrack(
            target=one.target,
            up=group.tracks_up(one.target),
            decrement=one.decrement,
            shutdown=one.shutdown,
        )
