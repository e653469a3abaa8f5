"""A translator by lines of the running configuration, as a device has it."""

import random

from cli.configuration_file import read_configuration
from snat.config.verify import verify
from snat.device.conditions import Egress
from snat.device.translation import Pools, rules_of
from snat.nat.pool import SLOTS
from snat.nat.rules import Rules
from snat.nat.table import NatTable
from tests.translate.nat import Nat

BASE = """\
interface out0
 ip address 203.0.113.100 255.255.255.0
 ip nat outside
interface in0
 ip nat inside
access-list 1 permit 10.0.0.0 0.255.255.255
"""


def rules_by(
    *lines: str,
    slots: tuple[int, ...] = tuple(range(SLOTS)),
    pools: Pools | None = None,
    learnt: dict[str, bytes] | None = None,
    egress: Egress | None = None,
) -> Rules:
    """The rules of these lines, which can be applied."""
    text = BASE + "".join(f"{line}\n" for line in lines)
    configuration, wrong = read_configuration(text, "test")
    assert not wrong
    assert verify(configuration) == ()
    return rules_of(
        configuration, slots, random.Random(1), {} if pools is None else pools, learnt, None, egress
    )


def nat_by(*lines: str, slots: tuple[int, ...] = tuple(range(SLOTS)), table: NatTable | None = None) -> Nat:
    """A device that goes by these lines; all of its entries are local."""
    return Nat(rules_by(*lines, slots=slots), table=table)
