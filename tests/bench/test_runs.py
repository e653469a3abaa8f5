"""What is made of several runs, and what the plot takes from a row."""

import json

import pytest

from tests.bench.plot import last_scale, series
from tests.bench.runs import medians


def test_medians_and_their_spread() -> None:
    runs = [{"cost": 1.0}, {"cost": 4.0, "rare": 7.0}, {"cost": 2.0}]
    assert medians(runs) == {"cost": 2.0, "rare": 7.0, "runs": 3.0, "cost_spread": 1.5, "rare_spread": 0.0}


def test_of_what_does_not_cost_anything_there_is_no_spread() -> None:
    assert medians([{"lost": 0.0}, {"lost": 0.0}])["lost_spread"] == 0.0


def test_the_plot_takes_the_last_line_of_its_row() -> None:
    figures = {"100_dump_s": 2.0, "20_dump_s": 1.0, "20_dump_s_spread": 9.0, "members_9_dump_s_us": 5.0}
    lines = [
        json.dumps({"row": row, "figures": figures | {"at": at}})
        for at, row in enumerate(("scale", "scale", "tayga"))
    ]
    said = last_scale("scale: what it is\n" + "\n".join(lines) + "\na table")
    assert said["figures"]["at"] == 1
    assert series(said["figures"], "dump_s") == ([20, 100], [1.0, 2.0])


def test_a_file_without_the_row_is_refused_in_words() -> None:
    with pytest.raises(SystemExit, match="no line of the row scale"):
        last_scale("codec: ...\n")
