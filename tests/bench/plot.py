"""``python -m tests.bench.plot LINES SVG``: cost against the size of the table, of the row ``scale``.

LINES is what ``make bench ROWS=scale`` printed. Needs matplotlib: ``pip install '.[bench]'``.
"""

import json
import re
import sys
from pathlib import Path
from typing import Any

PANELS = (
    ("CPU of a packet", "us", ("hit_hot_us", "hit_uniform_us", "new_flow_us")),
    ("Memory", "bytes", ("resident_bytes_per_entry", "resident_bytes_per_path")),
    ("Dump of the table over TLS", "s", ("dump_s",)),
)
"""Title, unit and figures of each panel."""
NAMES = {
    "hit_hot_us": "hit, 10 000 hot flows",
    "hit_uniform_us": "hit, any flow",
    "new_flow_us": "new flow",
    "resident_bytes_per_entry": "an entry in the table",
    "resident_bytes_per_path": "the path of a flow with packets",
    "dump_s": "to a member that has none",
}


def series(figures: dict[str, float], name: str) -> tuple[list[int], list[float]]:
    """Sizes and values of a figure, in order of size."""
    found = sorted(
        (int(match[1]), value)
        for key, value in figures.items()
        if (match := re.fullmatch(rf"(\d+)_{name}", key))
    )
    return [size for size, _ in found], [value for _, value in found]


def last_scale(lines: str) -> dict[str, Any]:
    """The last JSON line of the row; what else was printed is passed over."""
    found = [line for line in lines.splitlines() if line.startswith('{"row": "scale"')]
    if not found:
        raise SystemExit("no line of the row scale: make bench ROWS=scale > LINES")
    return dict(json.loads(found[-1]))


def draw(said: dict[str, Any], target: Path) -> None:
    """Panels side by side, with the machine and the load below."""
    import matplotlib  # not needed to measure

    matplotlib.use("svg")
    matplotlib.rcParams["svg.hashsalt"] = "snat"  # the same file from the same figures
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(1, len(PANELS), figsize=(13, 4), layout="constrained")
    for panel, (title, unit, names) in zip(axes, PANELS, strict=True):
        for name in names:
            panel.plot(*series(said["figures"], name), marker="o", label=NAMES[name])
        panel.set(title=title, xlabel="entries", ylabel=unit, xscale="log", ylim=(0, None))
        panel.grid(alpha=0.3)
        panel.legend()
    figure.supxlabel(f"{said['machine']}, {said['cores']} cores, load {said['load']:.1f}", fontsize=8)
    figure.savefig(target, metadata={"Date": None})


if __name__ == "__main__":
    draw(last_scale(Path(sys.argv[1]).read_text()), Path(sys.argv[2]))
