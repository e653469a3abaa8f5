"""``clear``: what an operator makes the router forget or begin anew (ios-cli.md 2.1, 2.2)."""

from collections.abc import Iterator

from cli.commands.snat import IP_NAT, IP_SNAT, groups_of
from cli.grammar import Either, Optional, Values
from cli.router import Router
from cli.tokens import HostAddress, Keyword
from cli.tree import Acts, Command
from snat.config.model import Configuration

CLEAR = Keyword(text="clear", help="Forget, or begin anew")
TRANSLATION = Keyword(text="translation", help="Entries of the NAT table")


def _everything(help_text: str) -> Keyword:
    return Keyword(text="*", help=help_text)


def _peer_addresses(configuration: Configuration) -> Iterator[str]:
    return (str(peer.address) for group in groups_of(configuration) for peer in group.peers)


PEER = HostAddress(key="address", help="Address of a peer", candidates=_peer_addresses)


def _clear_translations(router: Router, _values: Values) -> None:
    router.clear_translations()


def _clear_sessions(router: Router, values: Values) -> None:
    router.clear_sessions(values.get("address"))


def _clear_distributed(router: Router, _values: Values) -> None:
    router.refresh(None, forget=True)


def _clear_peer(router: Router, values: Values) -> None:
    router.refresh(values["address"], forget="refresh" not in values)


PRIVILEGED: tuple[Command, ...] = (
    Acts(
        pattern=(CLEAR, *IP_NAT, TRANSLATION, _everything("All that this router manages")),
        act=_clear_translations,
    ),
    Acts(
        pattern=(
            *(CLEAR, *IP_SNAT),
            Keyword(text="sessions", help="Links to peers; they are dialled anew"),
            Either((_everything("To all peers"),), (PEER,)),
        ),
        act=_clear_sessions,
    ),
    Acts(
        pattern=(
            *(CLEAR, *IP_SNAT, TRANSLATION),
            Keyword(text="distributed", help="Forget what others manage, and ask for it anew"),
            _everything("Of all peers"),
        ),
        act=_clear_distributed,
    ),
    Acts(
        pattern=(
            *(CLEAR, *IP_SNAT, TRANSLATION),
            Keyword(text="peer", help="Forget what one peer manages, and ask for it anew"),
            PEER,
            Optional(Keyword(text="refresh", key="refresh", help="Ask, and keep what is here meanwhile")),
        ),
        act=_clear_peer,
    ),
)
