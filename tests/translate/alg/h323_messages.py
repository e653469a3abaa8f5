"""Messages of H.323 as NetMeeting and others send them, encoded by pycrate."""

from ipaddress import IPv4Address
from typing import Any

from pycrate_asn1dir.H225 import H323_MESSAGES
from pycrate_asn1dir.H245 import MULTIMEDIA_SYSTEM_CONTROL

Fields = dict[str, Any]
Choice = tuple[str, Any]

SETUP, CALL_PROCEEDING, ALERTING, CONNECT, RELEASE_COMPLETE, FACILITY = 0x05, 0x02, 0x01, 0x07, 0x5A, 0x62
_PROTOCOL = (0, 0, 8, 2250, 0, 2)
_CALL: Fields = {"guid": bytes(16)}
_TYPE: Fields = {"mc": False, "undefinedNode": False}


def tpkt(message: bytes) -> bytes:
    return b"\x03\0" + (len(message) + 4).to_bytes(2, "big") + message


def q931(kind: int, uuie: bytes, *, from_caller: bool = True, single: bool = True) -> bytes:
    """With a bearer capability, a display and perhaps a single-byte element before the user-user element."""
    reference = b"\x02" + (b"\x12\x34" if from_caller else b"\x92\x34")
    before = b"\x04\x03\x88\x93\xa5" + b"\x28\x06NetMtg" + (b"\xa1" if single else b"")
    body = b"\x05" + uuie
    return b"\x08" + reference + bytes((kind,)) + before + b"\x7e" + len(body).to_bytes(2, "big") + body


def transport(address: str, port: int) -> Choice:
    return "ipAddress", {"ip": IPv4Address(address).packed, "port": port}


def unicast(address: str, port: int) -> Choice:
    network = {"network": IPv4Address(address).packed, "tsapIdentifier": port}
    return "unicastAddress", ("iPAddress", network)


def _encoded(type_: Any, value: Any) -> bytes:
    type_.set_val(value)
    return bytes(type_.to_aper())


def decoded(type_: Any, data: bytes) -> Any:
    type_.from_aper(data)
    return type_.get_val()


def signalling(name: str, fields: Fields, **pdu: Any) -> bytes:
    """An H.225.0 message of a call."""
    value = {"h323-uu-pdu": {"h323-message-body": (name, {"protocolIdentifier": _PROTOCOL, **fields}), **pdu}}
    return _encoded(H323_MESSAGES.H323_UserInformation, value)


def setup(**fields: Any) -> bytes:
    pdu = {key: fields.pop(key) for key in ("h245Tunnelling", "h245Control") if key in fields}
    return signalling(
        "setup",
        {
            "sourceAddress": [("h323-ID", "alice")],
            "sourceInfo": _TYPE,
            "activeMC": False,
            "conferenceID": bytes(16),
            "conferenceGoal": ("create", 0),
            "callType": ("pointToPoint", 0),
            "callIdentifier": _CALL,
            "mediaWaitForConnect": False,
            "canOverlapSend": False,
            **fields,
        },
        **pdu,
    )


def connect(**fields: Any) -> bytes:
    pdu = {key: fields.pop(key) for key in ("h245Tunnelling", "h245Control") if key in fields}
    given = {"destinationInfo": _TYPE, "conferenceID": bytes(16), "callIdentifier": _CALL, **fields}
    return signalling("connect", given, **pdu)


def alerting(**fields: Any) -> bytes:
    return signalling("alerting", {"destinationInfo": _TYPE, "callIdentifier": _CALL, **fields})


def facility(reason: str, **fields: Any) -> bytes:
    return signalling("facility", {"reason": (reason, 0), "callIdentifier": _CALL, **fields})


def release_complete() -> bytes:
    return signalling("releaseComplete", {"callIdentifier": _CALL})


_PCMU: Choice = ("audioData", ("g711Ulaw64k", 20))


def channel(
    media: Choice | None = None,
    control: Choice | None = None,
    *,
    reverse: bool = False,
    data: Choice | None = None,
) -> Fields:
    """An openLogicalChannel; ``data`` is the address for T.120."""
    parameters: Fields = {"sessionID": 1}
    if media is not None:
        parameters["mediaChannel"] = media
    if control is not None:
        parameters["mediaControlChannel"] = control
    h2250 = ("h2250LogicalChannelParameters", parameters)
    none = ("none", 0)
    olc: Fields = {
        "forwardLogicalChannelNumber": 1,
        "forwardLogicalChannelParameters": {
            "dataType": ("nullData", 0) if reverse else _PCMU,
            "multiplexParameters": none if reverse else h2250,
        },
    }
    if reverse:
        olc["reverseLogicalChannelParameters"] = {"dataType": _PCMU, "multiplexParameters": h2250}
    if data is not None:
        olc["separateStack"] = _stack(data)
    return olc


def _stack(address: Choice) -> Fields:
    return {"networkAddress": ("localAreaAddress", address), "associateConference": False}


def fast(olc: Fields) -> bytes:
    """An element of fastStart."""
    return _encoded(MULTIMEDIA_SYSTEM_CONTROL.OpenLogicalChannel, olc)


def control(kind: str, name: str, fields: Any) -> bytes:
    """An H.245 message."""
    return _encoded(MULTIMEDIA_SYSTEM_CONTROL.MultimediaSystemControlMessage, (kind, (name, fields)))


def open_channel(olc: Fields) -> bytes:
    return control("request", "openLogicalChannel", olc)


def acknowledge(media: Choice, rtcp: Choice, data: Choice | None = None) -> bytes:
    parameters = {"sessionID": 1, "mediaChannel": media, "mediaControlChannel": rtcp}
    fields: Fields = {
        "forwardLogicalChannelNumber": 1,
        "forwardMultiplexAckParameters": ("h2250LogicalChannelAckParameters", parameters),
    }
    if data is not None:
        fields["separateStack"] = _stack(data)
    return control("response", "openLogicalChannelAck", fields)


def round_trip() -> bytes:
    """An H.245 message without addresses."""
    return control("request", "roundTripDelayRequest", {"sequenceNumber": 7})


def ras(name: str, **fields: Any) -> bytes:
    return _encoded(H323_MESSAGES.RasMessage, (name, {"requestSeqNum": 5, **fields}))


def registration(address: str, port: int, ras_port: int, **fields: Any) -> bytes:
    return ras(
        "registrationRequest",
        protocolIdentifier=_PROTOCOL,
        discoveryComplete=True,
        callSignalAddress=[transport(address, port)],
        rasAddress=[transport(address, ras_port)],
        terminalType=_TYPE,
        endpointVendor={"vendor": {"t35CountryCode": 181, "t35Extension": 0, "manufacturerCode": 21324}},
        keepAlive=False,
        willSupplyUUIEs=False,
        maintainConnection=False,
        **fields,
    )


def confirmation(*signal: Choice, **fields: Any) -> bytes:
    return ras(
        "registrationConfirm",
        protocolIdentifier=_PROTOCOL,
        callSignalAddress=list(signal),
        endpointIdentifier="ep1",
        willRespondToIRR=False,
        maintainConnection=False,
        **fields,
    )


def admission_request(address: str, port: int) -> bytes:
    """Without what newer versions added: pycrate does not encode that as it decodes it."""
    return ras(
        "admissionRequest",
        callType=("pointToPoint", 0),
        endpointIdentifier="ep1",
        srcInfo=[("h323-ID", "alice")],
        srcCallSignalAddress=transport(address, port),
        bandWidth=640,
        callReferenceValue=1,
        conferenceID=bytes(16),
        activeMC=False,
        answerCall=False,
    )


def admission_confirm(address: str, port: int) -> bytes:
    return ras(
        "admissionConfirm",
        bandWidth=640,
        callModel=("direct", 0),
        destCallSignalAddress=transport(address, port),
        willRespondToIRR=False,
    )
