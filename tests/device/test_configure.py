"""A device takes another configuration: what it asks the world for, and in which order."""

from dataclasses import replace

from snat.config.model import Configuration, ConfiguredRole, Group
from snat.device.change import Change
from snat.device.events import LinkClosed, RoleLeft
from snat.wire.actions import Unavailable
from snat.wire.framing import Framing
from snat.wire.header import Feed
from snat.wire.items import controls
from tests.device.groups import FEED, flow, settled, to
from tests.simulation.network import Network, configuration

P, B = ConfiguredRole.PRIMARY, ConfiguredRole.BACKUP


def network() -> Network:
    made = Network(1, {1: P, 2: B})
    made.run_until(lambda: made.routers[1].device.groups[0].manages)
    settled(made)
    return made


def test_addresses_are_withdrawn_before_the_links_end_with_the_last_word() -> None:
    made = network()
    primary = made.routers[1]
    flow(primary, 5)
    link = to(primary, 2)
    alone = replace(primary.configuration, stateful=None, dynamic_rules=())
    primary.device.configure(alone, made.now)
    events = primary.device.events()
    left = [type(event) for event in events if isinstance(event, RoleLeft | LinkClosed)]
    assert left == [RoleLeft, LinkClosed, LinkClosed]
    framing = Framing()
    framing.feed(link.last_words())
    said = [
        one
        for message in framing.messages()
        if not message.sequence
        for one in controls(message.body)
        if isinstance(one, Unavailable)
    ]
    assert [(one.feed, one.count, one.keep) for one in said] == [(FEED, 1, 1)]
    assert primary.device.groups == []
    assert primary.device.neighbors == {}
    assert len(primary.device.table) == 0


def with_groups(*groups: Group) -> Configuration:
    made = configuration(1, P, (2,))
    assert made.stateful is not None
    return replace(made, stateful=replace(made.stateful, groups=groups))


def group(*mapping_ids: int) -> Group:
    made = configuration(1, P, (2,)).stateful
    assert made is not None
    return replace(made.groups[0], mapping_ids=mapping_ids)


def test_a_group_goes_on_if_it_keeps_a_mapping() -> None:
    before = with_groups(group(10, 20), group(30))
    after = with_groups(group(30, 40), group(20), group(10))
    change = Change(before=before, after=after)
    assert change.goes_on() == {group(30): group(30, 40), group(10, 20): group(20)}
    assert change.forgotten() == []
    assert Change(before=after, after=before).forgotten() == [Feed(0, 40)]
    assert change.manages([group(10, 20)]) == (group(20),)
    assert change.concerned() == {2}


def test_what_is_said_again_anyway_concerns_no_session() -> None:
    before = with_groups(group(10))
    (one,) = [group(10)]
    for other in (
        replace(one, role=B),
        replace(one, keepalive=2.0, hold_time=6.0),
        replace(one, maximum_entries=3, update_interval=0.05),
    ):
        assert Change(before=before, after=with_groups(other)).concerned() == set()
    for other in (
        replace(one, port=1),
        replace(one, pull_interval=5.0),
        replace(one, mapping_ids=(10, 20)),
        replace(one, peers=(replace(one.peers[0], name="other.example"),)),
        replace(one, peers=()),
    ):
        assert Change(before=before, after=with_groups(other)).concerned() == {2}


def test_another_nat_id_is_another_device() -> None:
    before = with_groups(group(10))
    assert before.stateful is not None
    after = replace(before, stateful=replace(before.stateful, nat_id=9))
    change = Change(before=before, after=after)
    assert change.goes_on() == {}
    assert change.forgotten() == []
    assert change.concerned() == {2}
