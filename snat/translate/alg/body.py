"""A message's body that describes media, and the Content-Length that must say how long it leaves.

Content-Length changes with the body. If it leaves before the end of its body, it says ROOM bytes more, and an
attribute that says nothing fills the description up to that. If it left before the head was complete, so that
nobody knew that the body would be a description, the body passes as it is.
"""

from collections.abc import Callable

from snat.translate.alg.gateway import Edit
from snat.translate.alg.messages import LENGTH, Message, Portion
from snat.translate.alg.sdp import ROOM, Description, filling

_SDP = b"application/sdp"


def describes(message: Message) -> bool:
    """Whether the body of a message is a session description that can be read."""
    return message.content_type == _SDP and message.said.get(b"content-encoding", b"identity") == b"identity"


def rewritten(
    data: bytes, portion: Portion, description: Description | None, count: Callable[[str], None]
) -> list[Edit]:
    """The edits of what of a body is here, and of Content-Length; in no order."""
    message, (start, end) = portion.message, portion.body
    length = next((one for one in portion.fields if one.name == LENGTH and one.fresh), None)
    edits: list[Edit] = []
    if description and length and portion.head_ends and not portion.ends:
        message.room = ROOM
    if description and end > start:
        if message.length is None or length or message.room:
            edits = description.read(data, start, end, ends=portion.ends)
        elif not message.unread:
            message.unread = True
            count("content length begun before")
    longer = growth = sum(len(edit.text) - (edit.end - edit.start) for edit in edits)
    if message.room:
        longer = message.room
        message.room -= growth
        if portion.ends:
            edits = _filled(data, end, edits, message.room)
    if length and longer:
        digits = length.value.strip()
        at = length.start + length.value.index(digits)
        edits.append(Edit(at, at + len(digits), b"%d" % (int(digits) + longer)))
    return edits


def _filled(data: bytes, end: int, edits: list[Edit], size: int) -> list[Edit]:
    """The edits with ``size`` bytes more behind ``data[:end]``, which is the end of a description."""
    if size <= 0:
        return edits
    last = data[end - 1 : end]
    fill = filling(size, after_line=last == b"\n")
    if edits and edits[-1].end == end:
        return [*edits[:-1], edits[-1]._replace(text=edits[-1].text + fill)]
    return [*edits, Edit(end - 1, end, last + fill)]
