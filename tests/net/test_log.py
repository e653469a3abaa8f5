"""Lines that others can cause again and again."""

from twisted.internet.task import Clock
from twisted.logger import LogLevel

from snat.net import log as log_module
from snat.net.log import INTERVAL, RepeatingLog
from tests.net.memory import Log


def test_a_line_is_said_once_in_a_while_and_counted_in_between(log: Log) -> None:
    clock = Clock()
    said = RepeatingLog(clock)
    for _ in range(5):
        said.say("refused {whom}", whom="x")
        clock.advance(INTERVAL / 5 - 0.01)
    assert (log.lines(), said.suppressed) == (["refused x"], 4)
    clock.advance(0.1)
    said.say("refused {whom}", whom="x")
    assert (log.lines(), said.suppressed) == (["refused x", "refused x"], 4)


def test_other_fields_are_another_line(log: Log) -> None:
    said = RepeatingLog(Clock())
    for whom in ("x", "y", "x"):
        said.say("refused {whom}", whom=whom)
    assert log.lines() == ["refused x", "refused y"]


def test_an_alarm_is_a_warning_and_has_its_fields(log: Log) -> None:
    said = RepeatingLog(Clock())
    said.say("refused {whom}", whom="x")
    said.say("back: {whom}", alarm=False, whom="x")
    assert [event["log_level"] for event in log.events] == [LogLevel.warn, LogLevel.info]
    assert [event["whom"] for event in log.events] == ["x", "x"]


def test_what_is_remembered_is_bounded(log: Log) -> None:
    said = RepeatingLog(Clock())
    for number in range(3 * log_module._MOST):
        said.say("refused {whom}", whom=number)
    assert len(said._last) <= log_module._MOST
    assert len(said._lately) <= log_module._MOST
    assert len(log.events) == 3 * log_module._MOST


def test_a_party_that_chooses_its_words_cannot_fill_the_log(log: Log) -> None:
    clock = Clock()
    said = RepeatingLog(clock)
    for number in range(100):
        said.say("{neighbor} answers: {reason}", neighbor="r2", reason=f"text {number}")
    said.say("{neighbor} answers: {reason}", neighbor="r3", reason="text 0")
    assert len(log.events) == log_module.FEW + 1
    assert said.suppressed == 100 - log_module.FEW
    clock.advance(INTERVAL)
    said.say("{neighbor} answers: {reason}", neighbor="r2", reason="text 0")
    assert len(log.events) == log_module.FEW + 2
