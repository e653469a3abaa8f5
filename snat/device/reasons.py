"""Why a group does not manage, or waits, or was refused: a sentence for ``show ip snat distributed``."""

from snat.device.group import Group
from snat.device.links import Neighbor
from snat.redundancy.roles import CLAIM_TIME, leads
from snat.wire.actions import Role, Standing


def why(group: Group, now: float) -> str:
    """Empty: it manages, and is to."""
    match group.standing:
        case Standing.START:
            return _starting(group, now)
        case Standing.LISTEN:
            return _following(group, now) if group.follows_module else _listening(group)
        case Standing.CLAIM:
            left = max(group.since + CLAIM_TIME - now, 0.0)
            asked = _name(group.claimed_of) or "who manages"
            return f"waits for {asked} to release the role, {left:.1f} s at most"
        case Standing.MANAGE:
            return _managing(group)


def _starting(group: Group, now: float) -> str:
    if manager := _manager(group):
        return f"not synchronised: waits for the table of {manager}"
    left = max(group.alone_at - now, 0.0)
    return f"not synchronised: waits for another member to appear, {left:.1f} s at most"


def _listening(group: Group) -> str:
    manager = _manager(group)
    return f"{manager} manages" if manager else "nobody manages: waits for a member that goes first"


def _following(group: Group, now: float) -> str:
    manager = _manager(group)
    if group.yields_to is not None and not manager:
        return f"released the role to {group.yields_to.name}, which preempts"
    if leads(group.role) and manager:
        left = max(group.claims_from - now, 0.0)
        return f"its claim was refused: {manager} is active too; claims again in {left:.1f} s"
    if manager:
        return f"{manager} manages"
    if group.synchronised:
        return "nobody manages: waits until its module makes it active"
    return "nobody to learn from was found: takes the role where it is free, and from nobody"


def _managing(group: Group) -> str:
    if not group.follows_module or group.role is Role.ACTIVE:
        return ""
    if group.role is Role.PREEMPTING:
        return "the role was handed over: its module makes it active now"
    return "its module has another active: manages until that one claims"


def _manager(group: Group) -> str:
    """The name of another that manages; empty: none is known."""
    found = group.manager
    return next((one.name for one in group.neighbors if one.nat_id == found), "")


def _name(neighbor: Neighbor | None) -> str:
    return neighbor.name if neighbor is not None else ""
