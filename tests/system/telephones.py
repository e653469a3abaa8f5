"""Telephones of live tests: sipp (Debian's sip-tester) calls and answers, with audio, and ears on the wire.

One end streams as soon as the call is answered, the other echoes: audio comes in only if the address that the
description of the other end named leads to it.
"""

import os
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

import pytest

from snat.lab.process import wait_for
from tests.system.namespaces import Namespace

needs_sipp = pytest.mark.skipif(shutil.which("sipp") is None, reason="sipp is not installed")

SIGNALLING: Final = 5060
AUDIO_IN: Final = 30000
"""Where the caller wants audio; a port that no NAT needs to change unless it is taken."""
PACE: Final = 0.02
"""Seconds between packets of audio."""
_ALL: Final = 0x0003
_UDP: Final = b"\x11"
_RTP: Final = b"\x80\x00"
"""Version 2, PCMU, no marker."""
_AUDIO: Final = 12 + 160
"""Bytes of a packet: its header, 20 ms of sound."""

_NO_BODY: Final = "Content-Length: 0\n"
_AGAIN: Final = ' retrans="500"'
_PROGRESS: Final = '<recv response="100" optional="true"/><recv response="180" optional="true"/>'
_VIA: Final = "Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]"


def _scenario(name: str, *steps: str) -> str:
    head = f'<?xml version="1.0" encoding="us-ascii"?>\n<scenario name="{name}">'
    return "\n".join([head, *steps, "</scenario>", ""])


def _send(*lines: str, options: str = "") -> str:
    return "\n".join([f"<send{options}><![CDATA[\n", *lines, "]]></send>"])


def _described(port: str, formats: int = 0) -> str:
    """Fields and body of a message that describes audio, in so many other formats besides."""
    others = "".join(f"a=rtpmap:{number % 128} telephone-event/8000\n" for number in range(formats))
    return f"""Content-Type: application/sdp
Content-Length: [len]

v=0
o=user 1 1 IN IP4 [local_ip]
s=-
c=IN IP4 [media_ip]
t=0 0
m=audio {port} RTP/AVP 0
a=rtpmap:0 PCMU/8000
{others}"""


def _calls(method: str, number: int, body: str, options: str = "") -> str:
    return _send(
        f"{method} sip:bob@[remote_ip]:[remote_port] SIP/2.0",
        _VIA,
        "From: sipp <sip:sipp@[local_ip]:[local_port]>;tag=[pid]A[call_number]",
        "To: <sip:bob@[remote_ip]:[remote_port]>[peer_tag_param]",
        "Call-ID: [call_id]",
        f"CSeq: {number} {method}",
        "Contact: <sip:sipp@[local_ip]:[local_port];transport=[transport]>",
        "Max-Forwards: 70",
        body,
        options=options,
    )


def _answers(status: str, body: str, *, tag: str = "", options: str = "") -> str:
    return _send(
        f"SIP/2.0 {status}",
        "[last_Via:]",
        "[last_From:]",
        f"[last_To:]{tag}",
        "[last_Call-ID:]",
        "[last_CSeq:]",
        "Contact: <sip:bob@[local_ip]:[local_port];transport=[transport]>",
        body,
        options=options,
    )


_TAG: Final = ";tag=[pid]B[call_number]"


def caller(audio: Path | None, formats: int = 0) -> str:
    """Calls, offers the same audio again after a while (``-d``), and waits until the other end hangs up."""
    offer = _described(_port(audio), formats)
    return _scenario(
        "caller",
        _calls("INVITE", 1, offer, _AGAIN),
        _PROGRESS,
        '<recv response="200"/>',
        _calls("ACK", 1, _NO_BODY),
        _stream(audio),
        "<pause/>",
        _calls("INVITE", 2, offer, _AGAIN),
        _PROGRESS,
        '<recv response="200"/>',
        _calls("ACK", 2, _NO_BODY),
        '<recv request="BYE"/>',
        _answers("200 OK", _NO_BODY),
    )


def callee(audio: Path | None) -> str:
    """Answers, takes the second offer, and hangs up by the caller's Contact."""
    answer = _described(_port(audio))
    return _scenario(
        "callee",
        '<recv request="INVITE" rrs="true"/>',
        _answers("180 Ringing", _NO_BODY, tag=_TAG),
        _answers("200 OK", answer, tag=_TAG, options=_AGAIN),
        '<recv request="ACK"/>',
        _stream(audio),
        '<recv request="INVITE"/>',
        _answers("200 OK", answer, options=_AGAIN),
        '<recv request="ACK"/>',
        '<pause milliseconds="500"/>',
        _send(
            "BYE [next_url] SIP/2.0",
            _VIA,
            f"From: <sip:bob@[local_ip]>{_TAG}",
            "To: <sip:sipp@[remote_ip]>",
            "Call-ID: [call_id]",
            "CSeq: 1 BYE",
            "Max-Forwards: 70",
            _NO_BODY,
            options=_AGAIN,
        ),
        '<recv response="200"/>',
    )


def _port(audio: Path | None) -> str:
    return "[rtpstream_audio_port]" if audio else "[media_port]"


def _stream(audio: Path | None) -> str:
    """The step that begins to stream; who has nothing to say echoes."""
    return f'<nop><action><exec rtp_stream="{audio},-1,0"/></action></nop>' if audio else ""


class Telephone:
    """One sipp: it makes or takes one call and ends with the status of that."""

    def __init__(self, name: str, directory: Path, scenario: str, *options: str, host: Namespace) -> None:
        self.name = name
        self._host = host
        self.messages = directory / f"{name}.messages"
        self._errors = directory / f"{name}.errors"
        file = directory / f"{name}.xml"
        file.write_text(scenario)
        command = ["sipp", "-sf", str(file), "-m", "1", "-nostdin", "-timeout", "60", *options]
        command += ["-trace_msg", "-message_file", str(self.messages)]
        command += ["-trace_err", "-error_file", str(self._errors)]
        self._process = subprocess.Popen(
            ["ip", "netns", "exec", host.name, *command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "TERM": "xterm"},
            cwd=directory,
        )

    def await_socket(self) -> None:
        """Wait until it listens."""
        tables = ["ss", "-Hlntu", f"sport = :{SIGNALLING}"]
        wait_for(
            lambda: self._host.run(*tables) or None, seconds=5, failure=lambda: f"{self.name} does not listen"
        )

    def ended(self, seconds: float) -> int:
        """Its status: 0, the call went as written."""
        return self._process.wait(seconds)

    def said(self) -> str:
        """Messages and errors so far."""
        files = (self.messages, self._errors)
        return "\n".join(file.read_text(errors="replace") for file in files if file.exists())

    def stop(self) -> None:
        """Whatever it does."""
        self._process.kill()
        self._process.wait()


def phones(
    stack: ExitStack,
    near: tuple[Namespace, str],
    far: tuple[Namespace, str],
    directory: Path,
    transport: str,
    *,
    talk: float = 1.5,
    calls: str = "",
    formats: int = 0,
) -> tuple[Telephone, Telephone]:
    """Alice and Bob, each with a host and its address: she calls him and ``talk`` seconds later offers again.

    Whoever is ``far``, outside, streams; Alice is near, unless she ``calls`` an inside Bob's other address.
    Her offers are of so many more ``formats``; ``transport`` as sipp's ``-t``. Both end with ``stack``.
    """
    audio = recording(directory)
    (alices, bobs), streams = ((far, near), (audio, None)) if calls else ((near, far), (None, audio))
    common = ("-t", transport, "-p", str(SIGNALLING), "-mp", str(AUDIO_IN))
    bob = Telephone(
        "bob", directory, callee(streams[1]), *common, *_echo(streams[1]), *_at(bobs[1]), host=bobs[0]
    )
    stack.callback(bob.stop)
    bob.await_socket()
    pause = ("-d", str(round(talk * 1000)), calls or bobs[1])
    alice = Telephone(
        "alice",
        directory,
        caller(streams[0], formats),
        *common,
        *_echo(streams[0]),
        *_at(alices[1]),
        *pause,
        host=alices[0],
    )
    stack.callback(alice.stop)
    return alice, bob


def _echo(audio: Path | None) -> tuple[str, ...]:
    """Who streams does not echo: two that do never stop, ten thousand packets a second."""
    return () if audio else ("-rtp_echo",)


def _at(address: str) -> tuple[str, ...]:
    return "-i", address, "-mi", address


class Ear:
    """When audio came to the interface eth0 of a host."""

    def __init__(self, host: Namespace) -> None:
        self.heard: list[float] = []
        self.ports: set[int] = set()
        """That it was for."""
        with host.entered():
            self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(_ALL))
            self._socket.bind(("eth0", _ALL))
        self._socket.settimeout(0.1)
        self._open = True
        self._thread = threading.Thread(target=self._listen)
        self._thread.start()

    def _listen(self) -> None:
        while self._open:
            try:
                packet, where = self._socket.recvfrom(65535)
            except TimeoutError:
                continue
            start = (packet[0] & 15) * 4
            if where[2] == socket.PACKET_OUTGOING or packet[9:10] != _UDP:
                continue
            if packet[start + 8 : start + 10] == _RTP and len(packet) == start + 8 + _AUDIO:
                self.heard.append(time.monotonic())
                self.ports.add(int.from_bytes(packet[start + 2 : start + 4]))

    def await_more(self, count: int, seconds: float) -> None:
        """Wait until so many more came."""
        wanted = len(self.heard) + count
        wait_for(
            lambda: len(self.heard) >= wanted or None,
            seconds=seconds,
            failure=lambda: f"{len(self.heard)} of {wanted} packets came",
        )

    def close(self) -> None:
        self._open = False
        self._thread.join()
        self._socket.close()


@contextmanager
def ear(host: Namespace) -> Iterator[Ear]:
    """An ear that is closed afterwards."""
    made = Ear(host)
    try:
        yield made
    finally:
        made.close()


def recording(directory: Path) -> Path:
    """A second of sound, PCMU at 8 kHz."""
    file = directory / "sound.raw"
    file.write_bytes(bytes(range(250)) * 32)
    return file
