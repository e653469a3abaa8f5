"""Small edits of tuples, for configuration commands."""

from collections.abc import Callable
from typing import TypeVar

from snat.config.model import DynamicRule, RuleKind, StaticRule

T = TypeVar("T")


def put(items: tuple[T, ...], item: T, key: Callable[[T], object]) -> tuple[T, ...]:
    """The items with ``item`` in the place of the one that has its key, else at the end."""
    wanted = key(item)
    if any(key(old) == wanted for old in items):
        return tuple(item if key(old) == wanted else old for old in items)
    return (*items, item)


def drop(items: tuple[T, ...], unwanted: Callable[[T], bool]) -> tuple[T, ...]:
    """The items that are wanted."""
    return tuple(item for item in items if not unwanted(item))


Rule = TypeVar("Rule", DynamicRule, StaticRule)


def in_order(rules: tuple[Rule, ...]) -> tuple[Rule, ...]:
    """Rules as the running configuration prints them: kind by kind, those of a kind as they were entered."""
    return tuple(sorted(rules, key=lambda rule: tuple(RuleKind).index(rule.kind)))
