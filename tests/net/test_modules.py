"""Which modules are listened to, and what they are told."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from snat.config.model import Configuration, ConfiguredRole, Group, Stateful
from snat.config.stateful import Keepalived
from snat.net.keepalived import FAULT, LAST, READY
from snat.net.modules import Followed, Modules
from snat.net.refused import KernelRefused
from tests.net.memory import RecordedPath
from tests.net.test_keepalived import Reactor


class Seconds(Reactor):
    """A reactor with a clock that stands still."""

    def seconds(self) -> float:
        return 0.0


class Scene:
    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.reactor = Seconds()
        self.told: list[tuple[str, bool]] = []
        self.preempting: list[Followed] = []
        self.modules = Modules(
            self.reactor,  # type: ignore[arg-type]
            RecordedPath,  # type: ignore[arg-type]
            self._told,
            self.preempting.append,
        )

    def _told(self, module: Followed, active: bool) -> None:
        assert isinstance(module, Keepalived)
        self.told.append((module.instance, active))

    def keepalived(self, name: str) -> Keepalived:
        return Keepalived(
            instance=name, fifo=str(self.directory / f"{name}.fifo"), track_file=str(self.track(name))
        )

    def track(self, name: str) -> Path:
        return self.directory / f"{name}.track"

    def group(self, name: str) -> Group:
        keepalived = self.keepalived(name) if name else None
        return Group(role=ConfiguredRole.REDUNDANCY, name=name, keepalived=keepalived)

    def following(self, *names: str) -> Configuration:
        groups = tuple(map(self.group, names))
        return Configuration(stateful=Stateful(nat_id=1, groups=groups))

    def say(self, name: str, state: str) -> None:
        with (self.directory / f"{name}.fifo").open("wb", buffering=0) as pipe:
            pipe.write(f'INSTANCE "{name}" {state} 100\n'.encode())
        for reader in list(self.reactor.readers):
            reader.doRead()  # type: ignore[attr-defined]

    def tell(self, name: str, ready: bool, *, proved: bool = True) -> None:
        group: Any = SimpleNamespace(configuration=self.group(name), ready=ready, synchronised=proved)
        self.modules.tell([group])


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    made = Scene(tmp_path)
    yield made
    made.modules.stop()


def test_each_module_speaks_for_itself(scene: Scene) -> None:
    scene.modules.open(scene.following("A", "B"))
    scene.say("B", "MASTER")
    scene.say("A", "BACKUP")
    assert scene.told == [("B", True), ("A", False)]


def test_who_is_synchronised_may_be_active(scene: Scene) -> None:
    scene.modules.open(scene.following("A", "B"))
    scene.tell("A", True)
    assert (scene.track("A").read_bytes(), scene.track("B").read_bytes()) == (READY, FAULT)
    scene.tell("A", False)
    assert scene.track("A").read_bytes() == FAULT
    scene.tell("A", True, proved=False)
    assert scene.track("A").read_bytes() == LAST, "for want of another"


def test_a_group_without_a_module_is_told_nothing(scene: Scene) -> None:
    scene.modules.open(scene.following(""))
    scene.tell("", True)
    scene.tell("C", True)
    assert scene.reactor.readers == set()


def test_who_ends_is_not_active_any_more(scene: Scene) -> None:
    scene.modules.open(scene.following("A", "B"))
    for name in ("A", "B"):
        scene.tell(name, True)
    scene.modules.forgo(scene.following("B"))
    assert (scene.track("A").read_bytes(), scene.track("B").read_bytes()) == (FAULT, READY)
    assert len(scene.reactor.readers) == 1
    scene.modules.stop()
    assert scene.track("B").read_bytes() == FAULT


def test_what_goes_on_is_not_disturbed(scene: Scene) -> None:
    scene.modules.open(scene.following("A"))
    scene.tell("A", True)
    scene.modules.open(scene.following("A", "B"))
    assert scene.track("A").read_bytes() == READY
    assert len(scene.reactor.readers) == 2


def test_a_module_that_cannot_be_had_leaves_the_others_as_they_were(scene: Scene) -> None:
    scene.modules.open(scene.following("A"))
    wrong = scene.following("A", "B", "C")
    assert wrong.stateful is not None
    lost = replace(scene.keepalived("C"), fifo=str(scene.directory / "nowhere" / "fifo"))
    groups = (*wrong.stateful.groups[:2], replace(wrong.stateful.groups[2], keepalived=lost))
    with pytest.raises(KernelRefused, match="nowhere"):
        scene.modules.open(replace(wrong, stateful=replace(wrong.stateful, groups=groups)))
    assert len(scene.reactor.readers) == 1


class Elections:
    """HSRP, as far as handovers go."""

    def __init__(self) -> None:
        self.done: list[str] = []

    def synchronise(self, name: str, ready: bool) -> None:
        """Not of interest here."""

    def stop(self) -> None:
        """Nor here."""

    def released(self, name: str) -> None:
        self.done.append(name)


@pytest.mark.parametrize(
    ("followers", "done", "waits"),
    [
        ((("manages",), ("manages",)), ["LAN"], False),
        ((("manages",), ("preempts",)), [], True),
        ((("preempts",), ("preempts",)), [], True),
        ((("manages",), ()), [], False),
        (((), ()), [], False),
    ],
)
def test_a_group_preempts_when_all_that_follow_it_manage(
    scene: Scene, followers: tuple[tuple[str, ...], ...], done: list[str], waits: bool
) -> None:
    elections: Any = Elections()
    scene.modules._hsrp = elections
    made: list[Any] = [
        SimpleNamespace(
            configuration=Group(role=ConfiguredRole.REDUNDANCY, name="LAN"),
            manages="manages" in what,
            preempts="preempts" in what,
        )
        for what in followers
    ]
    scene.modules.hand_over(made)
    assert elections.done == [], "nobody asked for it"
    scene.modules._preempt("LAN")
    assert scene.preempting == ["LAN"]
    scene.modules.hand_over(made)
    assert elections.done == done
    for one in made:
        one.manages = True
    scene.modules.hand_over(made)
    assert elections.done == (["LAN"] if waits or done else [])
