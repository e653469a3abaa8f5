"""Numbered bytes: whatever is done to a stream, its reader sees it."""

import pytest

from snat.lab.stream import Direction, StreamCheck, numbered


def check(flow: int = 7) -> StreamCheck:
    return StreamCheck(flow=flow, direction=Direction.UP)


@pytest.mark.parametrize("cut", [1, 3, 7, 8, 100, 4096])
def test_an_intact_stream_is_intact_however_it_is_cut(cut: int) -> None:
    whole = numbered(7, Direction.UP, 0, 4096)
    reader = check()
    for start in range(0, len(whole), cut):
        reader.receive(whole[start : start + cut])
    assert (reader.position, reader.fault) == (4096, "")


@pytest.mark.parametrize(("position", "length"), [(0, 16), (3, 10), (8, 8), (15, 2), (5, 0)])
def test_a_part_of_the_stream_is_that_part_of_the_whole(position: int, length: int) -> None:
    whole = numbered(7, Direction.UP, 0, 64)
    assert numbered(7, Direction.UP, position, length) == whole[position : position + length]


@pytest.mark.parametrize("missing", [1, 8, 1000])
def test_lost_bytes_are_seen_and_counted(missing: int) -> None:
    reader = check()
    reader.receive(numbered(7, Direction.UP, 0, 256))
    reader.receive(numbered(7, Direction.UP, 256 + missing, 256))
    assert reader.fault.startswith(f"{missing} bytes lost at byte ")
    assert reader.position == 256


def test_lost_bytes_are_seen_within_one_piece_of_data() -> None:
    reader = check()
    reader.receive(numbered(7, Direction.UP, 0, 100) + numbered(7, Direction.UP, 150, 100))
    assert reader.fault.startswith("50 bytes lost at byte 10")


def test_repeated_bytes_are_seen_and_counted() -> None:
    reader = check()
    reader.receive(numbered(7, Direction.UP, 0, 256))
    reader.receive(numbered(7, Direction.UP, 192, 256))
    assert reader.fault.startswith("64 bytes repeated at byte 2")


@pytest.mark.parametrize("at", range(16))
def test_a_changed_byte_is_seen_wherever_it_is(at: int) -> None:
    data = bytearray(numbered(7, Direction.UP, 0, 16))
    data[at] ^= 0x40
    reader = check()
    reader.receive(bytes(data))
    assert reader.fault


def test_a_changed_byte_behind_good_words_is_not_called_a_loss() -> None:
    data = bytearray(numbered(7, Direction.UP, 0, 64))
    data[60] ^= 1  # in the number of the last word: that word alone looks misplaced
    data[32] ^= 0xFF  # in the flow of another
    reader = check()
    reader.receive(bytes(data[:56]))
    assert reader.fault.startswith("wrong bytes at byte 32")


@pytest.mark.parametrize(("flow", "direction"), [(8, Direction.UP), (7, Direction.DOWN)])
def test_bytes_of_another_stream_are_wrong(flow: int, direction: Direction) -> None:
    reader = check()
    reader.receive(numbered(flow, direction, 0, 64))
    assert reader.fault.startswith("wrong bytes at byte ")


def test_the_first_fault_stays() -> None:
    reader = check()
    reader.receive(b"\xff" * 8)
    first = reader.fault
    reader.receive(numbered(7, Direction.UP, 0, 64))
    assert (reader.fault, reader.position) == (first, 0)
