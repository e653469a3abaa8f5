"""Planned changes of the active router of an HSRP group: nobody notices."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system.daemons import poll
from tests.system.redundant import SECONDS, Probes, Site, group_lines, redundant

pytestmark = pytest.mark.root

TEXT = """
interface in0
 ip nat inside
 standby version 2
 standby delay minimum 0 reload 0
 standby 10 ip 10.0.0.1
 standby 10 name LAN
 standby 10 priority {priority}
 standby 10 preempt
 standby 10 timers msec 200 msec 700
interface out0
 ip nat outside
ip nat Stateful id {number}
{group}
ip nat pool P 203.0.113.10 203.0.113.20 prefix-length 24
ip nat inside source list 1 pool P mapping-id 10 overload
access-list 1 permit 10.0.0.0 0.0.0.255
end
"""
PLANNED = 0.3
"""Seconds that a planned change may take (design section 8, issue 6)."""
MANAGES, LISTENS = {10: "MANAGE"}, {10: "LISTEN"}


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    texts = [
        TEXT.format(number=number, priority=160 - 10 * number, group=group_lines(number, 2, "LAN", 10))
        for number in (1, 2)
    ]
    with redundant(tmp_path, texts, ["10.0.0.1"]) as made:
        made.await_all(MANAGES, LISTENS)
        yield made


def test_who_comes_back_preempts_after_the_role_was_handed_over(site: Site) -> None:
    first, _ = site.daemons
    with Probes(site.clients[0], site.server) as probes:
        first.kill()
        site.await_all({}, MANAGES)
        poll(lambda: probes.outage(time.monotonic() - 0.5) < 0.1, seconds=SECONDS, of=site.daemons)
        began = time.monotonic()
        first.start()
        site.await_all(MANAGES, LISTENS)
        poll(lambda: site.states(0) == {"LAN": "Active"}, seconds=SECONDS, of=site.daemons)
        time.sleep(1.2)
        print("RETURN", probes.outage(began), probes.refused(began))
        began = time.monotonic()
        first.terminate()
        site.await_all({}, MANAGES)
        time.sleep(1.2)
        print("END", probes.outage(began), probes.refused(began))
    for d in site.daemons:
        print("\n".join(d._log.read_text().splitlines()[-60:]))
