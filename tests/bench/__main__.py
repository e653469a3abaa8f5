"""``make bench [ROWS="codec translate"]``: a JSON line per row, then a table.

A row is a function that returns its figures. What each measures is its docstring, and in doc/performance.md.
Figures are medians of ``runs`` runs, each with its spread.
"""

import inspect
import json
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import version

from tests.bench.codec import codec
from tests.bench.failover import failover
from tests.bench.replicate import replicate
from tests.bench.scale import scale
from tests.bench.shell import shell
from tests.bench.takeover import takeover
from tests.bench.translate import translate
from tests.bench.vs_conntrackd import vs_conntrackd
from tests.bench.vs_kernel import vs_kernel
from tests.bench.vs_tayga import vs_tayga

ROWS = {
    "codec": codec,
    "replicate": replicate,
    "scale": scale,
    "shell": shell,
    "translate": translate,
    "takeover": takeover,
    "failover": failover,
    "vs-conntrackd": vs_conntrackd,
    "vs-kernel": vs_kernel,
    "vs-tayga": vs_tayga,
}
PACKAGES = ("snat-router", "twisted", "pyOpenSSL", "xxhash")
PROGRAMS = {
    "conntrackd": ("conntrackd", "-v"),
    "tayga": ("dpkg-query", "-W", "-f", "${Version}", "tayga"),
    "nft": ("nft", "-v"),
    "iperf3": ("iperf3", "-v"),
}


def main(names: list[str]) -> int:
    """Run the named rows, or all."""
    unknown = [name for name in names if name not in ROWS]
    if unknown:
        sys.stderr.write(f"no such row: {' '.join(unknown)}; there are: {' '.join(ROWS)}\n")
        return 2
    machine = f"{platform.machine()}, Linux {platform.release()}, Python {platform.python_version()}"
    versions = dict(_versions())
    table: list[tuple[str, str, str]] = []
    for name in names or ROWS:
        sys.stderr.write(f"{name}: {inspect.getdoc(ROWS[name])}\n")
        figures = ROWS[name]()
        said = {"row": name, "figures": figures, "machine": machine, "versions": versions}
        print(json.dumps(said | {"cores": os.cpu_count(), "load": os.getloadavg()[0]}), flush=True)
        table += [(name, figure, f"{value:,.3f}") for figure, value in figures.items()]
    print(f"\n{machine}")
    for row, figure, value in table:
        print(f"  {row:<13} {figure:<44} {value:>12}")
    return 0


def _versions() -> Iterator[tuple[str, str]]:
    """Of what takes part, as far as it is here."""
    for package in PACKAGES:
        yield package, version(package)
    for program, command in PROGRAMS.items():
        if shutil.which(program) is not None:
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            yield program, (done.stdout or done.stderr).partition("\n")[0]


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
