"""IRC DCC through one real daemon: a client inside offers a file to a user outside, by a server outside."""

import hashlib
import re
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from ipaddress import IPv4Address
from pathlib import Path

import pytest

from tests.system.namespaces import Namespace
from tests.system.probes import SECONDS
from tests.system.site import CONFIGURATION, POOL, SERVER, TRANSIT, Site, site

pytestmark = pytest.mark.root

CLIENT = "10.0.0.5"
IRC = 6667
FILE = bytes(range(256)) * 4000


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Site]:
    with site(tmp_path, CONFIGURATION.replace("end\n", "ip nat service irc\nend\n")) as made:
        yield made


class Server:
    """As much of an IRC server as two users need: it welcomes, and carries PRIVMSG to the other."""

    def __init__(self, host: Namespace) -> None:
        with host.entered():
            self._listener = socket.create_server((SERVER, IRC))
        self._users: dict[str, socket.socket] = {}
        self.lines: list[str] = []
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def _accept(self) -> None:
        for _ in range(2):
            user, _ = self._listener.accept()
            user.settimeout(SECONDS)
            self._threads.append(threading.Thread(target=self._serve, args=(user,)))
            self._threads[-1].start()

    def _serve(self, user: socket.socket) -> None:
        name = ""
        with user, user.makefile("rb") as lines:
            for line in lines:
                text = line.decode().rstrip("\r\n")
                self.lines.append(text)
                command, _, rest = text.partition(" ")
                if command == "NICK":
                    name, self._users[rest] = rest, user
                elif command == "USER":
                    user.sendall(f":irc.example 001 {name} :Welcome\r\n".encode())
                elif command == "PRIVMSG":
                    to = rest.partition(" ")[0]
                    self._users[to].sendall(f":{name}!u@h {text}\r\n".encode())
                elif command == "QUIT":
                    return

    def close(self) -> None:
        """After both have quit."""
        for thread in self._threads:
            thread.join(SECONDS)
        self._listener.close()


class User:
    """A user who has logged in."""

    def __init__(self, host: Namespace, name: str) -> None:
        with host.entered():
            self._socket = socket.create_connection((SERVER, IRC), SECONDS)
        self._lines = self._socket.makefile("rb")
        self.say(f"NICK {name}")
        self.say(f"USER {name} 0 * :{name}")
        assert " 001 " in self.hear()

    def say(self, text: str) -> None:
        self._socket.sendall(f"{text}\r\n".encode())

    def hear(self) -> str:
        return self._lines.readline().decode().rstrip("\r\n")

    def close(self) -> None:
        self.say("QUIT")
        self._lines.close()
        self._socket.close()


def offered(line: str) -> tuple[str, int]:
    """The endpoint of an offer."""
    found = re.fullmatch(r":\S+ PRIVMSG \S+ :\x01DCC SEND \S+ (\d+) (\d+)(?: \d+)?\x01", line)
    assert found, line
    return str(IPv4Address(int(found[1]))), int(found[2])


def accepted(listener: socket.socket) -> socket.socket:
    caller, _ = listener.accept()
    caller.settimeout(SECONDS)
    return caller


def send(to: socket.socket, data: bytes) -> None:
    """All of it, and no more."""
    to.sendall(data)
    to.shutdown(socket.SHUT_WR)


def test_a_file_is_sent_to_whoever_was_asked(here: Site) -> None:
    with ExitStack() as stack:
        server = Server(here.server)
        stack.callback(server.close)
        alice, bob = User(here.client, "alice"), User(here.transit, "bob")
        stack.callback(alice.close)
        stack.callback(bob.close)
        with here.client.entered():
            listener = stack.enter_context(socket.create_server((CLIENT, 0)))
        listener.settimeout(SECONDS)
        port = listener.getsockname()[1]
        offer = f"PRIVMSG bob :\x01DCC SEND file {int(IPv4Address(CLIENT))} {port} {len(FILE)}\x01"
        alice.say(offer)
        address, at = offered(bob.hear())
        assert IPv4Address(address) in POOL
        with here.transit.entered():
            bobs = stack.enter_context(socket.create_connection((address, at), SECONDS))
        alices = stack.enter_context(accepted(listener))
        assert alices.getpeername()[0] == TRANSIT
        sender = threading.Thread(target=send, args=(alices, FILE))
        sender.start()
        with bobs.makefile("rb") as came:
            assert hashlib.sha256(came.read()).digest() == hashlib.sha256(FILE).digest()
        sender.join()
        alice.say("PRIVMSG bob :did it come?")
        assert bob.hear() == ":alice!u@h PRIVMSG bob :did it come?", "the stream goes on behind the edit"
        assert f"{int(IPv4Address(CLIENT))}" not in "\n".join(server.lines)
        with here.server.entered(), pytest.raises(TimeoutError):
            socket.create_connection((address, at), 0.5)
    assert here.daemon.alive


def test_what_another_says_opens_nothing(here: Site) -> None:
    with ExitStack() as stack:
        server = Server(here.server)
        stack.callback(server.close)
        alice, bob = User(here.client, "alice"), User(here.transit, "bob")
        stack.callback(alice.close)
        stack.callback(bob.close)
        line = f"PRIVMSG %s :\x01DCC SEND file {int(IPv4Address(CLIENT))} 40000 1\x01"
        bob.say(line % "alice")
        assert alice.hear() == f":bob!u@h {line % 'alice'}"
        forged = line.replace(str(int(IPv4Address(CLIENT))), str(int(IPv4Address("10.0.0.6"))))
        alice.say(forged % "bob")
        assert bob.hear() == f":alice!u@h {forged % 'bob'}"
