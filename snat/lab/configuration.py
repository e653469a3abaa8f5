"""The configurations that a laboratory gives its routers, as the text an operator would write."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from snat import pki
from snat.lab.topology import POOL, ROUTED_POOL, VIRTUAL_ADDRESS

MAPPING_ID: Final = 10
GROUP_NAME: Final = "SNAT"
"""Of the group that follows a module."""
DOMAIN: Final = "snat.example"

AddressPool = tuple[str, str, int]
"""First and last address, and prefix length."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A router of the laboratory, as it and its neighbors know it."""

    host: str
    """``r1``: its namespace, its certificate (with the domain) and, in capitals, its hostname."""
    nat_id: int
    role: str
    """``primary`` or ``backup``; of no meaning where a module says who is active."""
    address: str
    """On the replication network."""
    port: int = 0
    """0: the usual one."""

    @property
    def name(self) -> str:
        """The DNS name in its certificate."""
        return f"{self.host}.{DOMAIN}"


def issue_certificates(directory: Path, members: Sequence[Member]) -> None:
    """One authority, one certificate for each member."""
    pki.init(directory)
    for member in members:
        pki.issue(directory, member.name, member.nat_id, [member.address])


def router_text(
    member: Member, members: Sequence[Member], *, certificates: Path, virtual_address: bool
) -> str:
    """The whole configuration of ``member`` in a group of primary and backup (Fig. 2A)."""
    block = [f"  {member.role} {member.address}{_port(member)}"]
    more = [f"    virtual-address {VIRTUAL_ADDRESS} interface in0"] if virtual_address else []
    return _text(member, members, certificates, block, more)


def following_text(
    member: Member,
    members: Sequence[Member],
    *,
    certificates: Path,
    follows: str,
    before: Sequence[str] = (),
    pool: AddressPool = POOL,
) -> str:
    """That of ``member`` in a group that follows an IP redundancy module (Fig. 2B).

    ``follows`` is the line of the block that says which; ``before``: other lines of the configuration.
    """
    block = [f"  redundancy {GROUP_NAME}", f"    local-address {member.address}{_port(member)}"]
    more = [f"    {follows}"] if follows else []
    return _text(member, members, certificates, block, more, before, pool)


def peers_text(member: Member, members: Sequence[Member], *, certificates: Path) -> str:
    """That of one of several peers (Fig. 2C)."""
    block = ["  peers", f"    local-address {member.address}{_port(member)}"]
    return _text(member, members, certificates, block, [], pool=ROUTED_POOL)


def standby_lines(address: str, priority: int) -> list[str]:
    """The HSRP group that such a block follows; timers as short as they are of use."""
    return [
        "interface in0",
        " standby version 2",
        " standby delay minimum 0 reload 0",
        f" standby 10 ip {address}",
        f" standby 10 name {GROUP_NAME}",
        f" standby 10 priority {priority}",
        " standby 10 preempt",
        " standby 10 timers msec 200 msec 700",
        " standby 10 track out0 40",
    ]


def _text(
    member: Member,
    members: Sequence[Member],
    certificates: Path,
    block: Sequence[str],
    more: Sequence[str],
    before: Sequence[str] = (),
    pool: AddressPool = POOL,
) -> str:
    lines = [
        f"hostname {member.host.upper()}",
        *_trustpoint(member, certificates),
        *before,
        f"ip nat Stateful id {member.nat_id}",
        *block,
        *(f"    peer {peer.address} nat-id {peer.nat_id} name {peer.name}{_port(peer)}"
          for peer in members if peer != member),
        f"    mapping-id {MAPPING_ID}",
        *more,
        "    timers msec 200 msec 600",
        *_translation(pool),
    ]  # fmt: skip
    return "\n".join([*lines, "end", ""])


def _port(member: Member) -> str:
    return f" port {member.port}" if member.port else ""


def _trustpoint(member: Member, certificates: Path) -> list[str]:
    return [
        "crypto pki trustpoint SNAT",
        f" ca-certificate {certificates / 'ca.pem'}",
        f" certificate {certificates / f'{member.name}.pem'}",
        f" private-key {certificates / f'{member.name}.key'}",
    ]


def _translation(pool: AddressPool) -> list[str]:
    first, last, length = pool
    return [
        "interface in0",
        " ip nat inside",
        "interface out0",
        " ip nat outside",
        f"ip nat pool POOL1 {first} {last} prefix-length {length}",
        f"ip nat inside source list 1 pool POOL1 mapping-id {MAPPING_ID} overload",
        "access-list 1 permit 10.0.0.0 0.0.0.255",
    ]
