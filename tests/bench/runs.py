"""Several runs of one measurement: their medians, and how far they lie apart."""

from collections.abc import Iterable, Mapping
from statistics import median

Figures = Mapping[str, float]


def medians(runs: Iterable[Figures]) -> dict[str, float]:
    """The median of each figure; ``runs``; and of each figure its ``spread``, (worst - best) by the median.

    A figure that a run lacks is left out of the median, not counted as nothing.
    """
    taken = list(runs)
    names = dict.fromkeys(name for run in taken for name in run)
    middle = {name: median(run[name] for run in taken if name in run) for name in names}
    spread = {f"{name}_spread": _apart([run[name] for run in taken if name in run]) for name in names}
    return middle | {"runs": float(len(taken))} | spread


def _apart(values: list[float]) -> float:
    middle = median(values)
    return (max(values) - min(values)) / abs(middle) if middle else 0.0
