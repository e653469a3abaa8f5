"""What the two ends of a flow tell of it: the JSON lines between a traffic program and its laboratory."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowEnd:
    """One end of one TCP connection, as its traffic program sees it."""

    flow: int
    local: str
    """``address:port`` of this end; empty before it is connected."""
    remote: str
    """``address:port`` of the other: on the server, the outside address and port."""
    received: int
    """Bytes that arrived, each the right one."""
    missing: int
    """Bytes lost where the stream first was wrong; negative: repeated; 0: neither."""
    fault: str
    """The first thing wrong with the stream; empty: intact."""
    closed: str
    """Why the connection ended; empty: it lives."""


def flow_ends(answer: Mapping[str, Any]) -> list[FlowEnd]:
    """The ends in an answer to ``{"ask": "flows"}``."""
    return [FlowEnd(**end) for end in answer["flows"]]
