"""``make bench [ROWS="codec translate"]``: a JSON line per row, then a table.

A row is a function that returns its figures. What each measures is its docstring, and in doc/performance.md.
Each figure is the best of several runs in this process: machines are noisy, and only slower.
"""

import inspect
import json
import platform
import sys

from tests.bench.codec import codec
from tests.bench.failover import failover
from tests.bench.replicate import replicate
from tests.bench.shell import shell
from tests.bench.takeover import takeover
from tests.bench.translate import translate
from tests.bench.tun import tun

ROWS = {
    "codec": codec,
    "replicate": replicate,
    "shell": shell,
    "translate": translate,
    "tun": tun,
    "takeover": takeover,
    "failover": failover,
}


def main(names: list[str]) -> int:
    """Run the named rows, or all."""
    unknown = [name for name in names if name not in ROWS]
    if unknown:
        sys.stderr.write(f"no such row: {' '.join(unknown)}; there are: {' '.join(ROWS)}\n")
        return 2
    machine = f"{platform.machine()}, Linux {platform.release()}, Python {platform.python_version()}"
    table: list[tuple[str, str, str]] = []
    for name in names or ROWS:
        sys.stderr.write(f"{name}: {inspect.getdoc(ROWS[name])}\n")
        figures = ROWS[name]()
        print(json.dumps({"row": name, "figures": figures, "machine": machine}), flush=True)
        table += [(name, figure, f"{value:,.3f}") for figure, value in figures.items()]
    print(f"\n{machine}")
    for row, figure, value in table:
        print(f"  {row:<10} {figure:<42} {value:>12}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
