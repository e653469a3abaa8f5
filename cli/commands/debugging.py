"""``debug``, ``no debug``, ``undebug`` and ``show debugging`` (ios-cli.md 2.1, 2.2)."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from cli import render_log
from cli.commands.names import ACCESS_LIST
from cli.commands.show import SHOW
from cli.commands.snat import IP_NAT, IP_SNAT
from cli.grammar import Either, Optional, Pattern, Values
from cli.pipes import PIPE
from cli.session import Conversation, Session
from cli.tokens import Keyword, Unsupported
from cli.tree import Command, Rejected, Runs, Shows
from snat.status import DebugStatus

_DEBUG: Final = Keyword(text="debug", help="Show what the router does, line by line")
_OFF: Final = (
    Either(
        (Keyword(text="undebug", help="Show it no more"),),
        (Keyword(text="no", help="Turn something off"), _DEBUG),
    ),
)
_DETAILED: Final = Keyword(text="detailed", key="detailed", help="With all there is to say")
_OTHERS: Final = (
    *("bpa", "cce", "dns", "fragment", "generic", "h323", "ha", "ipsec", "multicast", "nvi", "piggyback"),
    *("port", "portlist", "pptp", "redundancy", "route", "rtsp", "sbc", "sip", "skinny", "tcp-alg", "udp"),
    *("vrf", "wlan-nas"),
)
_NAT: Final[Pattern] = (
    *IP_NAT,
    Optional(Either((_DETAILED,), (ACCESS_LIST,), *((Unsupported(text=word),) for word in _OTHERS))),
)
_SNAT: Final[Pattern] = (*IP_SNAT, Optional(_DETAILED))


def _debug_nat(session: Session, values: Values) -> Conversation:
    name = values.get("list", "")
    lists = session.router.running_configuration().access_lists
    if name and not any(listed.name == name for listed in lists):
        raise Rejected(f"% There is no access list {name}")
    if "detailed" in values:
        status = _set(session, nat_detailed=True)
        yield _last(render_log.nat(status))
    else:
        status = _set(session, nat=True, nat_list=name)
        yield next(render_log.nat(status)) + "\n"


def _undebug_nat(session: Session, values: Values) -> Conversation:
    if "detailed" in values:
        _set(session, nat_detailed=False)
        yield "IP NAT detailed debugging is off\n"
    else:
        _set(session, nat=False, nat_list="")
        yield "IP NAT debugging is off\n"


def _debug_snat(session: Session, values: Values) -> Conversation:
    if "detailed" in values:
        yield _last(render_log.snat(_set(session, snat_detailed=True)))
    else:
        yield next(render_log.snat(_set(session, snat=True))) + "\n"


def _undebug_snat(session: Session, values: Values) -> Conversation:
    if "detailed" in values:
        _set(session, snat_detailed=False)
        yield "IP SNAT detailed debugging is off\n"
    else:
        _set(session, snat=False)
        yield "IP SNAT debugging is off\n"


def _undebug_all(session: Session, _values: Values) -> Conversation:
    session.router.debugging.set(DebugStatus())
    yield "All possible debugging has been turned off\n"


def _set(session: Session, **changes: bool | str) -> DebugStatus:
    debugging = session.router.debugging
    debugging.set(replace(debugging.status(), **changes))  # type: ignore[arg-type]  # by name
    return debugging.status()


def _last(lines: Iterator[str]) -> str:
    *_, line = lines
    return f"{line}\n"


PRIVILEGED: Final[tuple[Command, ...]] = (
    Runs(pattern=(_DEBUG, *_NAT), run=_debug_nat),
    Runs(pattern=(_DEBUG, *_SNAT), run=_debug_snat),
    Runs(pattern=(*_OFF, *_NAT), run=_undebug_nat),
    Runs(pattern=(*_OFF, *_SNAT), run=_undebug_snat),
    Runs(pattern=(*_OFF, Keyword(text="all", help="Whatever is debugged")), run=_undebug_all),
    Shows(
        pattern=(SHOW, Keyword(text="debugging", help="What is debugged"), PIPE),
        read=lambda router, _values: router.debugging.status(),
        render=lambda status, _values: render_log.debugging(status),
    ),
)
