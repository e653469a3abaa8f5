"""The transition tables as Mermaid diagrams: what doc/protocol.md shows.

``python -m tests.session.diagram`` prints them, to be pasted after a table has changed.
"""

from collections.abc import Mapping
from enum import Enum
from typing import TypeVar

from snat.redundancy import roles
from snat.session import states
from snat.wire.actions import Standing

Node = TypeVar("Node", bound=Enum)
Happening = TypeVar("Happening", bound=Enum)


def mermaid(transitions: Mapping[tuple[Node, Happening], Node], begins: Node) -> str:
    """A state diagram, its lines in the order of the table; inputs that lead the same way share one."""
    labels: dict[tuple[Node, Node], list[str]] = {}
    for (state, happened), then in transitions.items():
        labels.setdefault((state, then), []).append(str(happened.value))
    lines = [
        f"    {_name(state)} --> {_name(then)}: {', '.join(inputs)}"
        for (state, then), inputs in labels.items()
    ]
    return "\n".join(["stateDiagram-v2", f"    [*] --> {_name(begins)}", *lines])


def session() -> str:
    """The states of a link."""
    return mermaid(states.TRANSITIONS, states.State.IDLE)


def standings() -> str:
    """The standings of a member."""
    return mermaid(roles.TRANSITIONS, Standing.START)


def _name(node: Enum) -> str:
    return node.name.capitalize()


if __name__ == "__main__":
    print(session(), standings(), sep="\n\n")
