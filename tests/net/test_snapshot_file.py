"""The snapshot's file: when it is written, what a failure leaves, and what becomes of a damaged one."""

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.task import Clock

from snat.config.model import ConfiguredRole
from snat.device.device import Device
from snat.device.snapshot import MAXIMUM_BYTES, SnapshotEncoder, decode
from snat.net import snapshot_file
from snat.net.log import RepeatingLog
from snat.net.snapshot_file import PAUSE, SLICE, SNAPSHOT_INTERVAL, SnapshotWriter, load
from tests.device.test_snapshot import DATE, GOOD, encoded, flow
from tests.net.memory import Log
from tests.simulation.network import configuration


def full(*_: Any) -> None:
    raise OSError(28, "No space left on device")


class Scene:
    """A device whose table is saved below a directory; threads end when they are told to."""

    def __init__(self, directory: Path) -> None:
        self.path = directory / "table.snapshot"
        self.clock = Clock()
        made = configuration(1, ConfiguredRole.PRIMARY, (2,))
        self.device = Device(
            made, incarnation=1, terms={}, ports=random.Random(1), ttl_step=1, now=self.clock.seconds()
        )
        self.threads: list[Callable[[], object]] = []
        """What waits to be run in one; run at once as long as ``held`` is False."""
        self.held = False
        self.writer = SnapshotWriter(
            self.device,
            self.path,
            self.clock,
            RepeatingLog(self.clock),
            interval=SNAPSHOT_INTERVAL,
            wall=lambda: DATE + self.clock.seconds(),
            in_thread=self.in_thread,
        )

    def in_thread(self, work: Callable[[], None]) -> "Deferred[None]":
        if not self.held:
            return maybeDeferred(work)
        done: Deferred[None] = Deferred()
        self.threads.append(lambda: maybeDeferred(work).chainDeferred(done))
        return done

    def add(self, *numbers: int) -> None:
        self.device.table.add([flow(number) for number in numbers])

    def saved(self) -> set[int] | None:
        """Numbers of the entries that are on the disk."""
        if not self.path.exists():
            return None
        return {int.from_bytes(one[4:12], "big") for one in decode(self.path.read_bytes()).records}


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path)


# Writing


def test_the_table_is_saved_every_minute_with_its_date(scene: Scene) -> None:
    scene.writer.start()
    scene.add(1, 2)
    scene.clock.advance(SNAPSHOT_INTERVAL - 0.1)
    assert scene.saved() is None
    scene.clock.advance(0.2)
    assert scene.saved() == {1, 2}
    assert decode(scene.path.read_bytes()).date == DATE + int(SNAPSHOT_INTERVAL)
    scene.add(3)
    scene.clock.advance(SNAPSHOT_INTERVAL)
    assert scene.saved() == {1, 2, 3}


def test_a_table_without_entries_is_saved_only_if_it_had_some(scene: Scene) -> None:
    scene.writer.start()
    scene.clock.advance(SNAPSHOT_INTERVAL)
    assert scene.saved() is None
    scene.add(1)
    scene.clock.advance(SNAPSHOT_INTERVAL)
    assert scene.saved() == {1}
    scene.device.table.remove([flow(1)])
    scene.clock.advance(SNAPSHOT_INTERVAL)
    assert scene.saved() == set()
    scene.path.unlink()
    scene.clock.advance(SNAPSHOT_INTERVAL)
    assert scene.saved() is None


def test_entries_that_stay_are_saved_again_because_their_time_goes_on(scene: Scene) -> None:
    scene.writer.start()
    scene.add(1)
    scene.clock.advance(SNAPSHOT_INTERVAL)
    scene.clock.advance(SNAPSHOT_INTERVAL)
    assert decode(scene.path.read_bytes()).date == DATE + 2 * int(SNAPSHOT_INTERVAL)


def test_a_large_table_is_walked_in_slices_with_pauses(scene: Scene) -> None:
    scene.writer.start()
    scene.add(*range(3 * SLICE + 1))
    scene.clock.advance(SNAPSHOT_INTERVAL)
    for _ in range(3):
        assert scene.saved() is None
        assert len(scene.clock.getDelayedCalls()) == 1
        scene.clock.advance(PAUSE / 2)
        assert scene.saved() is None
        scene.clock.advance(PAUSE / 2 + 1e-6)
    assert scene.saved() == set(range(3 * SLICE + 1))


def test_there_is_one_snapshot_at_a_time_however_slow_the_disk(scene: Scene) -> None:
    scene.held = True
    scene.writer.start()
    scene.add(1)
    scene.clock.pump([SNAPSHOT_INTERVAL] * 3)
    assert len(scene.threads) == 1
    scene.add(2)
    scene.threads.pop()()
    assert scene.saved() == {1}
    scene.clock.advance(SNAPSHOT_INTERVAL)
    scene.threads.pop()()
    assert scene.saved() == {1, 2}


def test_a_full_disk_is_told_once_in_a_while_and_the_last_snapshot_stays(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, log: Log
) -> None:
    scene.writer.start()
    scene.add(1)
    scene.clock.advance(SNAPSHOT_INTERVAL)
    scene.add(2)
    with monkeypatch.context() as patch:
        patch.setattr("snat.net.files.os.fsync", full)
        scene.clock.advance(SNAPSHOT_INTERVAL)
        assert scene.saved() == {1}
        assert [each.name for each in scene.path.parent.iterdir()] == ["table.snapshot"]
    (line,) = log.lines()
    assert line.startswith(f"{scene.path}: not written (")
    assert "No space left on device" in line
    scene.clock.advance(SNAPSHOT_INTERVAL)
    assert scene.saved() == {1, 2}


def test_what_could_not_be_saved_is_tried_again_though_nothing_else_changes(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene.writer.start()
    scene.add(1)
    scene.clock.advance(SNAPSHOT_INTERVAL)
    scene.device.table.remove([flow(1)])
    with monkeypatch.context() as patch:
        patch.setattr("snat.net.files.os.fsync", full)
        scene.clock.advance(SNAPSHOT_INTERVAL)
    assert scene.saved() == {1}
    scene.clock.advance(SNAPSHOT_INTERVAL)
    assert scene.saved() == set()


def test_a_table_too_large_to_be_read_again_is_not_written(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, log: Log
) -> None:
    monkeypatch.setattr(snapshot_file, "MAXIMUM_BYTES", 200)
    scene.writer.start()
    scene.add(1, 2, 3, 4)
    scene.clock.advance(SNAPSHOT_INTERVAL)
    assert scene.saved() is None
    assert log.lines("more than 200 bytes")
    scene.device.table.remove([flow(4), flow(3)])
    scene.clock.advance(SNAPSHOT_INTERVAL)
    assert scene.saved() == {1, 2}


# The end


def stop(scene: Scene) -> list[None]:
    """Stop it; holds something once that is done."""
    over: list[None] = []
    scene.writer.stop().addCallback(over.append)
    return over


def stopped(scene: Scene) -> bool:
    """Stop it, and let the turn of the reactor pass in which goodbyes leave; whether that was all."""
    over = stop(scene)
    scene.clock.advance(0)
    return over == [None] and scene.clock.getDelayedCalls() == []


def test_the_end_saves_what_is_there_after_goodbyes_have_left(scene: Scene) -> None:
    scene.writer.start()
    scene.add(*range(2 * SLICE))
    over = stop(scene)
    assert not over
    assert scene.saved() is None
    scene.clock.advance(0)
    assert over
    assert scene.saved() == set(range(2 * SLICE))
    assert scene.clock.getDelayedCalls() == []


def test_the_end_of_nothing_is_at_once(scene: Scene) -> None:
    scene.writer.start()
    assert stop(scene)
    assert scene.clock.getDelayedCalls() == []
    assert scene.saved() is None


def test_the_end_within_a_walk_begins_it_anew(scene: Scene) -> None:
    scene.writer.start()
    scene.add(*range(3 * SLICE))
    scene.clock.advance(SNAPSHOT_INTERVAL)
    scene.add(5000)
    assert stopped(scene)
    assert scene.saved() == {*range(3 * SLICE), 5000}


def test_the_end_waits_for_a_write_that_is_under_way(scene: Scene) -> None:
    """They would write into one temporary file."""
    scene.held = True
    scene.writer.start()
    scene.add(1)
    scene.clock.advance(SNAPSHOT_INTERVAL)
    scene.add(2)
    over = stop(scene)
    scene.clock.advance(0)
    assert scene.saved() is None
    scene.threads.pop()()
    assert scene.saved() == {1}
    assert not over
    scene.clock.advance(0)
    assert over
    assert scene.saved() == {1, 2}
    assert scene.clock.getDelayedCalls() == []


def test_the_end_has_a_bound(scene: Scene, monkeypatch: pytest.MonkeyPatch, log: Log) -> None:
    scene.writer.start()
    scene.add(1)
    scene.clock.advance(SNAPSHOT_INTERVAL)
    scene.add(*range(10 * SLICE))
    step = SnapshotEncoder.step

    def slow(encoder: SnapshotEncoder, most: int) -> bool:
        scene.clock.rightNow += 3.0
        return step(encoder, most)

    monkeypatch.setattr(SnapshotEncoder, "step", slow)
    assert stopped(scene)
    assert scene.saved() == {1}
    assert log.lines("no time is left")


def test_a_full_disk_does_not_keep_it_from_ending(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, log: Log
) -> None:
    scene.writer.start()
    scene.add(1)
    monkeypatch.setattr("snat.net.files.os.fsync", full)
    assert stopped(scene)
    assert scene.saved() is None
    assert log.lines("No space left on device")


# Reading


def test_no_file_is_no_snapshot_and_no_alarm(tmp_path: Path, log: Log) -> None:
    assert load(tmp_path / "table.snapshot", DATE) is None
    assert log.lines() == []


def test_a_file_is_read_as_of_now(tmp_path: Path, log: Log) -> None:
    path = tmp_path / "table.snapshot"
    path.write_bytes(encoded([flow(1, remaining=100), flow(2, remaining=10)]))
    got = load(path, DATE + 50)
    assert got is not None
    assert [one[-4:] for one in got.records] == [(50).to_bytes(4, "big")]
    assert (got.age, got.expired) == (50, 1)
    assert path.exists()
    assert log.lines() == []


def test_a_date_in_the_future_is_told_and_no_time_has_passed(tmp_path: Path, log: Log) -> None:
    path = tmp_path / "table.snapshot"
    path.write_bytes(encoded([flow(1, remaining=100)]))
    got = load(path, DATE - 3600)
    assert got is not None
    assert got.records == [flow(1, remaining=100)]
    (line,) = log.lines()
    assert line == f"{path} is 3600 s from the future, if the clock is right: taken as of now"


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "0 bytes are no snapshot"),
        (b"garbage" * 100, "it does not begin as a snapshot does"),
        (GOOD[:-1], "its checksum is wrong: it was cut short or changed"),
    ],
)
def test_a_damaged_file_is_reported_and_set_aside(tmp_path: Path, log: Log, data: bytes, why: str) -> None:
    path, aside = tmp_path / "table.snapshot", tmp_path / "table.snapshot.damaged"
    aside.write_bytes(b"an older one")
    path.write_bytes(data)
    assert load(path, DATE) is None
    assert not path.exists()
    assert aside.read_bytes() == data
    (line,) = log.lines()
    assert line == f"{path} is damaged ({why}); set aside as {aside}, the table begins empty"


def test_a_file_longer_than_any_is_not_read(tmp_path: Path, log: Log) -> None:
    path = tmp_path / "table.snapshot"
    with path.open("wb") as file:
        file.truncate(MAXIMUM_BYTES + 1)  # sparse
    assert load(path, DATE) is None
    assert not path.exists()
    assert log.lines(f"{MAXIMUM_BYTES + 1} bytes; at most {MAXIMUM_BYTES}")


def test_what_is_no_file_is_set_aside_too(tmp_path: Path, log: Log) -> None:
    (tmp_path / "table.snapshot").mkdir()
    assert load(tmp_path / "table.snapshot", DATE) is None
    assert (tmp_path / "table.snapshot.damaged").is_dir()
    assert log.lines("Is a directory")


def test_what_cannot_be_set_aside_is_no_crash_either(tmp_path: Path, log: Log) -> None:
    (tmp_path / "table.snapshot").mkdir()
    (tmp_path / "table.snapshot.damaged").write_bytes(b"a file")
    assert load(tmp_path / "table.snapshot", DATE) is None
    assert log.lines("it cannot be set aside: Not a directory")
