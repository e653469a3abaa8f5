"""DNS through the translator: answers of a server inside, and of one outside, with static mappings."""

from scapy.layers.dns import DNS, DNSQR, DNSRR
from scapy.layers.inet import UDP

from tests.packets import udp
from tests.translate.alg.flow import Connection, carried, services
from tests.translate.configured import nat_by
from tests.translate.nat import A, B, Nat, P, S, T

W = "10.0.0.80"
"""A web server inside,"""
V = "203.0.113.180"
"""and what it is called outside."""


def nat(*more: str) -> Nat:
    made = nat_by(f"ip nat inside source static {A} {P}", f"ip nat inside source static {W} {V}", *more)
    made.translator.reader.use(services("dns"))
    return made


def query(name: str = "www.example.com.", kind: str = "A") -> bytes:
    return bytes(DNS(id=7, qd=[DNSQR(qname=name, qtype=kind)]))


def answer(address: str) -> bytes:
    record = DNSRR(rrname="www.example.com.", type="A", rdata=address)
    return bytes(DNS(id=7, qr=1, qd=[DNSQR(qname="www.example.com.")], an=[record]))


def test_a_server_inside_and_a_client_outside() -> None:
    one = nat()
    assert carried(one, udp(T, 5353, P, 53, query()), from_outside=True)
    (told,) = carried(one, udp(A, 53, T, 5353, answer(W)), from_outside=False)
    assert DNS(bytes(told[UDP].payload)).an[0].rdata == V
    (other,) = carried(one, udp(A, 53, T, 5353, answer(B)), from_outside=False)
    assert DNS(bytes(other[UDP].payload)).an[0].rdata == B  # it has no static mapping


def test_a_client_inside_learns_the_inside_address() -> None:
    one = nat()
    assert carried(one, udp(A, 5353, S, 53, query()), from_outside=False)
    (told,) = carried(one, udp(S, 53, P, 5353, answer(V)), from_outside=True)
    assert DNS(bytes(told[UDP].payload)).an[0].rdata == W


def test_a_name_that_grows_changes_the_length_of_the_packet() -> None:
    one = nat()
    asked = query("180.113.0.203.in-addr.arpa.", "PTR")
    (got,) = carried(one, udp(T, 5353, P, 53, asked), from_outside=True)
    assert DNS(bytes(got[UDP].payload)).qd[0].qname == b"80.0.0.10.in-addr.arpa."
    record = DNSRR(rrname="80.0.0.10.in-addr.arpa.", type="PTR", rdata="www.example.com.")
    reply = DNS(id=7, qr=1, qd=[DNSQR(qname="80.0.0.10.in-addr.arpa.", qtype="PTR")], an=[record]).compress()
    (told,) = carried(one, udp(A, 53, T, 5353, bytes(reply)), from_outside=False)
    message = DNS(bytes(told[UDP].payload))
    assert (message.qd[0].qname, message.an[0].rrname) == (b"180.113.0.203.in-addr.arpa.",) * 2
    assert told[UDP].len == len(bytes(told[UDP].payload)) + 8 == len(bytes(reply)) + 8 + 4


def test_over_tcp() -> None:
    connection = Connection(
        nat(), client=(T, 40000), server=(A, 53), called=(P, 53), server_inside=True
    ).open()
    data = answer(W)
    connection.say(connection.server, len(data).to_bytes(2, "big") + data)
    assert DNS(connection.client.got[2:]).an[0].rdata == V
