"""FTP through the translator, packet by packet: active and passive, client inside and server inside."""

from scapy.layers.inet import TCP

from tests.packets import tcp
from tests.translate.alg.flow import Connection, carried, ftp_nat
from tests.translate.nat import A, B, P, S, T


def named(line: bytes) -> tuple[str, int]:
    """The end that a PORT command or a reply 227 names."""
    numbers = line[line.index(b"(") + 1 :] if b"(" in line else line.split()[1]
    values = [int(one) for one in numbers.strip(b").\r\n").split(b",")]
    return ".".join(map(str, values[:4])), values[4] << 8 | values[5]


def test_b7_port_is_rewritten_and_the_server_gets_in_once() -> None:
    nat = ftp_nat()
    control = Connection(nat).open().log_in()
    control.say(control.client, b"PORT 10,0,0,2,156,65\r\n")  # 40001
    address, port = named(control.server.got.splitlines()[-1])
    assert address == P
    (data,) = carried(nat, tcp(S, 20, P, port), from_outside=True)
    assert (data.dst, data.dport) == (A, 40001)
    assert not carried(nat, tcp(T, 20, P, port), from_outside=True), "nobody else"
    control.say(control.server, b"200 PORT\r\n")
    control.say(control.client, b"RETR x\r\n")
    control.say(control.server, b"150 here\r\n226 done\r\n")
    assert control.server.got.endswith(b"RETR x\r\n")
    assert control.client.acknowledged == len(control.client.sent)
    assert nat.translator.reader.counters["ftp"]["edit"] == 1


def test_the_numbers_shift_by_what_was_added() -> None:
    nat = ftp_nat()
    control = Connection(nat).open().log_in()
    sent = len(control.client.sent)
    control.say(control.client, b"PORT 10,0,0,2,156,65\r\n", acknowledge=False)
    grown = len(control.server.got) - len(control.client.sent)
    assert grown == 3  # 203,0,113,1
    (passed,) = control.carry(control.client, control.client.segment("A", len(control.client.sent)))
    assert passed[TCP].seq == 1001 + len(control.client.sent) + grown
    control.repeat(control.client, sent, len(control.client.sent))
    control.acknowledge(control.server)
    assert control.client.acknowledged == len(control.client.sent)


def test_a_third_party_is_not_opened() -> None:
    nat = ftp_nat()
    control = Connection(nat).open().log_in()
    line = b"PORT " + B.replace(".", ",").encode() + b",156,65\r\n"
    control.say(control.client, line)
    assert control.server.got.endswith(line)
    assert nat.translator.reader.counters["ftp"]["address of another host"] == 1
    assert nat.counters.expected == 0
