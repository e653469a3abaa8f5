"""A router of a pair behind a path: that of the benchmark, with other addresses.

``python -m tests.pitfalls.member NAT_ID ADDRESS OTHER_ADDRESS PKI``; obeys the lines of
:mod:`tests.bench.router` on standard input.
"""

import sys
from pathlib import Path
from typing import Any

from twisted.internet import reactor, stdio

from snat.net.files import StateDirectory
from snat.net.service import RouterService
from tests.bench.router import Commands, NoPackets, configuration

PORT = 15555


def main() -> None:
    """Run until standard input ends."""
    nat_id, own, other, pki = sys.argv[1:5]
    live: Any = reactor
    router = RouterService(
        configuration(int(nat_id), PORT, {3 - int(nat_id): PORT}, Path(pki), own, other),
        live,
        StateDirectory(None),
        ttl_step=1,
        datapath=lambda device, done: NoPackets(),
    )
    live.callWhenRunning(router.startService)
    live.addSystemEventTrigger("before", "shutdown", router.stopService)
    stdio.StandardIO(Commands(router))
    live.run()


if __name__ == "__main__":
    main()
