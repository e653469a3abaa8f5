"""Every target: all of its corpus, and inputs from fixed seeds; minutes of new ones in a soak."""

import random
from collections.abc import Hashable
from pathlib import Path
from typing import Final

import pytest

from tests.fuzz import __main__ as program
from tests.fuzz.gateways import NAMES
from tests.fuzz.mutate import DAMAGE, MOST, mutated
from tests.fuzz.run import Failed, execute, fuzz
from tests.fuzz.targets import TARGETS, Target

EXECUTIONS: Final = {
    "decoder": 1000,
    "session": 1500,
    "device": 100,
    "translator": 1500,
    "texts": 1500,
    **dict.fromkeys(NAMES, 1000),
}
LEAST_OUTCOMES: Final = {
    "decoder": 200,
    "session": 60,
    "device": 15,
    "translator": 60,
    "texts": 200,
    "pptp": 12,
    "dns over udp": 20,
    "dns over tcp": 30,
    "calls": 24,
    "channels": 18,
    "ras": 26,
}
"""Fewer would mean that the inputs have stopped reaching anything."""
SOAK_SECONDS: Final = 120.0


@pytest.mark.parametrize("name", TARGETS)
def test_the_corpus(name: str) -> None:
    corpus = TARGETS[name].corpus()
    assert corpus
    for data in corpus:
        execute(TARGETS[name], data)


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("name", TARGETS)
def test_inputs_of_a_seed(name: str, seed: int) -> None:
    done = fuzz(TARGETS[name], seed, executions=EXECUTIONS[name])
    assert done.outcomes >= LEAST_OUTCOMES[name]


@pytest.mark.soak
@pytest.mark.timeout(0)
@pytest.mark.parametrize("name", TARGETS)
def test_soak_of_a_new_seed(name: str) -> None:
    seed = random.SystemRandom().randrange(1 << 30)
    print(f"{name}: seed {seed}")
    print(fuzz(TARGETS[name], seed, seconds=SOAK_SECONDS))


# What finds faults can find one


def faulty(data: bytes) -> Hashable:
    """Fails for what has both bytes in it."""
    assert not (b"\x07" in data and b"\x08" in data)
    return data[:1]


FAULTY: Final = Target(run=faulty, corpus=lambda: [b"\x07 and"], generate=lambda dice: dice.randbytes(30))


def test_a_failing_input_is_found_and_shortened() -> None:
    with pytest.raises(Failed) as found:
        fuzz(FAULTY, 1, executions=100_000)
    assert sorted(found.value.data) == [7, 8]
    assert isinstance(found.value.error, AssertionError)


def test_one_seed_is_one_order_of_inputs() -> None:
    corpus = [b"one", b"two two"]
    first, again = (
        [mutated(dice, corpus[1], corpus) for _ in range(50)] for dice in map(random.Random, (3, 3))
    )
    assert first == again
    assert len(set(first)) > 40


@pytest.mark.parametrize("damage", DAMAGE)
def test_damage_takes_anything(damage: object) -> None:
    for seed in range(50):
        for data in (b"", b"\0", *TARGETS["decoder"].corpus()[:3]):
            assert isinstance(damage(random.Random(seed), data, [b"", b"ab"]), bytes)  # type: ignore[operator]


def test_inputs_stay_bounded() -> None:
    dice, data = random.Random(1), b"x" * MOST
    for _ in range(50):
        data = mutated(dice, data + data, [data])
        assert len(data) <= MOST


def test_a_failing_input_is_written_and_replayed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(TARGETS, "faulty", FAULTY)
    assert program.main(["faulty", "--seed", "1", "--seconds", "60", "--directory", str(tmp_path)]) == 1
    (written,) = tmp_path.iterdir()
    assert f"--replay {written}" in capsys.readouterr().err
    assert program.main(["faulty", "--replay", str(written)]) == 1
    assert "AssertionError" in capsys.readouterr().err
    written.write_text("07\n")
    assert program.main(["faulty", "--replay", str(written)]) == 0
