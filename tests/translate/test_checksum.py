"""Incremental checksums against the sum over everything (RFC 1071)."""

import struct

from hypothesis import example, given, settings
from hypothesis import strategies as st
from scapy.utils import checksum as whole

from snat.translate.checksum import adjust, delta, header_is_valid, words


def evenly(size: int) -> st.SearchStrategy[bytes]:
    return st.binary(min_size=size, max_size=size)


def test_rfc_1624_section_4() -> None:
    """The example that RFC 1141's formula gets wrong: 0xDD2F, 0x5555 becomes 0x3285, gives 0x0000."""
    assert adjust(0xDD2F, delta(bytes.fromhex("5555"), bytes.fromhex("3285"))) == 0x0000


@given(st.binary(max_size=200).filter(lambda data: len(data) % 2 == 0))
def test_words_is_the_sum_of_the_16_bit_words(data: bytes) -> None:
    assert words(data) == sum(struct.unpack(f"!{len(data) // 2}H", data)) % 0xFFFF


@settings(max_examples=1500)
@given(evenly(20), st.integers(0, 4), evenly(12))
@example(bytes(20), 0, bytes(12))
@example(b"\xff" * 20, 0, bytes(12))
@example(b"\xff" * 20, 4, b"\xff" * 12)
def test_an_adjusted_checksum_is_the_recomputed_one(data: bytes, at: int, new: bytes) -> None:
    """Any 12 bytes at an even offset; only data of zeros alone has two checksums."""
    changed = data[: at * 2] + new + data[at * 2 + 12 :]
    adjusted = adjust(whole(data), delta(data[at * 2 : at * 2 + 12], new))
    assert adjusted == whole(changed) or (not any(data) or not any(changed))
    assert adjusted % 0xFFFF == whole(changed) % 0xFFFF


@given(st.integers(0, 0xFFFF), st.integers(0, 0xFFFE), st.integers(0, 0xFFFE))
def test_two_steps_are_one(checksum: int, first: int, second: int) -> None:
    twice = adjust(adjust(checksum, first), second)
    assert twice % 0xFFFF == adjust(checksum, (first + second) % 0xFFFF) % 0xFFFF
    assert 0 <= twice <= 0xFFFF


@given(evenly(20).filter(any), st.integers(1, 0xFFFE))
def test_a_header_is_valid_with_its_own_checksum_alone(header: bytes, off: int) -> None:
    zeroed = header[:10] + bytes(2) + header[12:]
    right = whole(zeroed)
    if not any(zeroed):
        return
    assert header_is_valid(zeroed[:10] + right.to_bytes(2, "big") + zeroed[12:])
    wrong = (right + off) % 0xFFFF if right + off != 0xFFFF else 1 ^ right
    if wrong % 0xFFFF != right % 0xFFFF:
        assert not header_is_valid(zeroed[:10] + wrong.to_bytes(2, "big") + zeroed[12:])


def test_a_header_of_zeros_is_not_valid() -> None:
    assert not header_is_valid(bytes(20))
