"""``clear``: what an operator makes the router forget or begin anew (ios-cli.md 2.1, 2.2)."""

from collections.abc import Iterator

from cli.commands.selecting import (
    WITH_PORTS,
    inside_words,
    outside_words,
    place,
    protocol,
    protocol_words,
)
from cli.commands.snat import IP_NAT, IP_SNAT
from cli.grammar import Either, Optional, Pattern, Values
from cli.router import Router
from cli.session import Conversation, Session
from cli.tokens import HostAddress, Keyword, Unsupported
from cli.tree import Acts, Command, Runs
from snat.config.model import Configuration
from snat.device.selection import Selection

CLEAR = Keyword(text="clear", help="Forget, or begin anew")
TRANSLATION = Keyword(text="translation", help="Entries of the NAT table")


def _everything(help_text: str) -> Keyword:
    return Keyword(text="*", help=help_text)


def _peer_addresses(configuration: Configuration) -> Iterator[str]:
    return (str(peer.address) for group in configuration.groups for peer in group.peers)


PEER = HostAddress(key="address", help="Address of a peer", candidates=_peer_addresses)


FORCED = Keyword(text="forced", help="Those in use too; they go without it as well")


def _chosen(*, port: bool) -> Pattern:
    """By inside hosts, outside hosts or both."""
    return (
        Either((*inside_words(port=port), Optional(*outside_words(port=port))), outside_words(port=port)),
        Optional(FORCED),
    )


def _clear_chosen(session: Session, values: Values) -> Conversation:
    """Clear some entries, which are found in slices."""
    selection = Selection(
        protocol=protocol(values),
        inside_global=place(values, "inside_global"),
        inside_local=place(values, "inside_local"),
        outside_local=place(values, "outside_local"),
        outside_global=place(values, "outside_global"),
    )
    for _ in session.router.nat.clear_selected(selection):
        yield ""


def _clear_translations(router: Router, _values: Values) -> None:
    router.nat.clear()


def _clear_statistics(router: Router, _values: Values) -> None:
    router.clear_statistics()


def _clear_sessions(router: Router, values: Values) -> None:
    router.clear_sessions(values.get("address"))


def _clear_distributed(router: Router, _values: Values) -> None:
    router.refresh(None, forget=True)


def _clear_peer(router: Router, values: Values) -> None:
    router.refresh(values["address"], forget="refresh" not in values)


PRIVILEGED: tuple[Command, ...] = (
    Acts(
        pattern=(
            *(CLEAR, *IP_NAT, TRANSLATION),
            Either((_everything("All that this router manages"), Optional(FORCED)), (FORCED,)),
        ),
        act=_clear_translations,
    ),
    Runs(
        pattern=(
            *(CLEAR, *IP_NAT, TRANSLATION),
            Either(
                (Optional(protocol_words("gre", "esp")), *_chosen(port=False)),
                (protocol_words(*WITH_PORTS), *_chosen(port=True)),
                (Unsupported(text="vrf"),),
                (Unsupported(text="redundancy"),),
            ),
        ),
        run=_clear_chosen,
    ),
    Acts(
        pattern=(CLEAR, *IP_NAT, Keyword(text="statistics", help="Counters, and the peak of the table")),
        act=_clear_statistics,
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
