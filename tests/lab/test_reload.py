"""When the laboratory believes that a router has reloaded: not by its answer, for it answers before, too."""

import io
from collections.abc import Iterator
from itertools import repeat
from pathlib import Path

import pytest

from snat.lab.errors import LabError
from snat.lab.laboratory import Laboratory
from snat.lab.router import Router


class Reloading(Router):
    """Its process runs, and it says what it is told to say."""

    alive = True

    def __init__(self, directory: Path, uptimes: Iterator[float | None]) -> None:
        super().__init__("r1", "", directory=directory)
        self.uptimes = uptimes

    def reload(self) -> None:
        """Nothing happens yet."""

    def uptime(self) -> float | None:
        return next(self.uptimes)


def begun(router: Router) -> None:
    with Laboratory(progress=io.StringIO()) as lab:
        lab.routers.append(router)
        lab.reload(router)
        lab.await_begun(router, seconds=0.1)


def test_a_router_has_reloaded_when_it_runs_for_less_than_that_is_ago(tmp_path: Path) -> None:
    router = Reloading(tmp_path, iter([120.0, None, 0.0, 1.0]))
    begun(router)
    assert list(router.uptimes) == [1.0]


@pytest.mark.parametrize("uptime", [120.0, None])
def test_one_that_answers_as_before_or_not_at_all_has_not(tmp_path: Path, uptime: float | None) -> None:
    with pytest.raises(LabError, match="R1 did not reload"):
        begun(Reloading(tmp_path, repeat(uptime)))
