"""A coprocessor on a TCP port, written from docs/coprocessor-protocol.md alone: it meters a steady load, and signs.

    python3 test/python/coprocessor.py 127.0.0.1:2002 STATE_FILE

STATE_FILE is its memory that survives: the seed of its key, the number of its start, when its register began. It prints
`ready HOST:PORT`, and serves one connection after the other. No firmware to copy: its arithmetic leaks the key, and its seed is in a file.
"""

from __future__ import annotations

import base64
import json
import os
import socket
import sys
import time
from pathlib import Path
from typing import Any, Callable

sys.dont_write_bytecode = True

import cbor2  # noqa: E402

from evidence import ed25519  # noqa: E402

BUFFER = 512
MAX = 1024
SERIAL = "PY-0001"
POWER_MW, VOLTAGE_MV, CURRENT_MA = 1_500_000, 230_000, 6_522
STEP_MWH = 1000
TYPES = ("checkpoint", "enrolment", "hello", "rotation", "rotation-acceptance")
GROUP, UNREADABLE, NOT_SUPPORTED = 64, 3, 8
# Error of the group: the number that a request of SMP version 1 is answered with.
VERSION_1 = {1: 3, 5: 11, 6: 3, 7: 1}


class Refused(Exception):
    """With the number of an error of group 64."""


def crc16(data: bytes) -> int:
    """CRC-16/XMODEM: polynomial 0x1021, beginning with 0."""
    crc = 0
    for byte in data:
        crc ^= byte << 8
        for _ in range(8):
            crc = (crc << 1 ^ (0x1021 if crc & 0x8000 else 0)) & 0xFFFF
    return crc


def framed(message: bytes) -> bytes:
    """The lines of one message on the console."""
    packet = (len(message) + 2).to_bytes(2, "big") + message + crc16(message).to_bytes(2, "big")
    text = base64.b64encode(packet)
    lines = [text[at : at + 124] for at in range(0, len(text), 124)]
    return b"".join((b"\x06\x09" if at == 0 else b"\x04\x14") + line + b"\n" for at, line in enumerate(lines))


class Console:
    """Messages out of lines; whatever else stands there is left out."""

    def __init__(self) -> None:
        self.line = b""
        self.packet = b""

    def take(self, data: bytes) -> list[bytes]:
        """The whole messages that these bytes end."""
        *lines, self.line = (self.line + data).split(b"\n")
        return [message for message in map(self._message, lines) if message is not None]

    def _message(self, line: bytes) -> bytes | None:
        if line[:2] not in (b"\x06\x09", b"\x04\x14"):
            return None
        try:
            self.packet = (b"" if line[:2] == b"\x06\x09" else self.packet) + base64.b64decode(line[2:], validate=True)
        except ValueError:
            self.packet = b""
            return None
        if len(self.packet) > BUFFER:
            self.packet = b""
        length = int.from_bytes(self.packet[:2], "big")
        if len(self.packet) != length + 2 or crc16(self.packet[2:]) != 0:
            return None
        message = self.packet[2:-2]
        return message if len(message) == 8 + int.from_bytes(message[2:4], "big") else None


def is_signable(message: bytes, key: bytes) -> bool:
    """Whether this is a statement of a device, to its last byte."""
    kid = message[20:52]
    for name in TYPES:
        text = f"kilowitness/1 {name}".encode()
        head = bytes([0x60 + len(text)]) if len(text) < 24 else bytes([0x78, len(text)])
        header = bytes.fromhex("a30132045820") + kid + b"\x10" + head + text
        start = b"\x84\x6aSignature1\x58" + bytes([len(header)]) + header + b"\x40"
        if message.startswith(start):
            return (name == "checkpoint" or kid == key) and is_string(message[len(start) :])
    return False


def is_string(data: bytes) -> bool:
    """One byte string of CBOR in its shortest form, and nothing behind it."""
    try:
        value = cbor2.loads(data)
    except (cbor2.CBORDecodeError, ValueError):
        return False
    return isinstance(value, bytes) and cbor2.dumps(value) == data


class Coprocessor:
    """What is behind the console."""

    def __init__(self, state: Path) -> None:
        self.state = state
        first = {"seed": os.urandom(32).hex(), "boot": 0, "began": time.time()}
        self.kept = json.loads(state.read_text()) if state.exists() else first
        self.seed = bytes.fromhex(self.kept["seed"])
        self.key = ed25519.public_key(self.seed)
        self.start()

    def start(self) -> None:
        """Power comes: another number of the start, and everything that does not survive is gone."""
        self.kept["boot"] += 1
        self.state.write_text(json.dumps(self.kept))
        self.began = time.monotonic()
        self.seq = self.signatures = self.length = 0
        self.piece: bytes | None = None

    def describe(self, _: Any) -> dict[str, Any]:
        """Who it is, and its channel."""
        channel = {"n": "load", "r": 4, "q": 1 + 4, "res": STEP_MWH}
        return {"kw": 1, "make": "Python", "model": "Page", "sn": SERIAL, "fw": "1", "ch": [channel]}

    def read(self, _: Any) -> dict[str, Any]:
        """A snapshot of this instant."""
        self.seq += 1
        energy = int((time.time() - self.kept["began"]) * POWER_MW / 3600)
        channel = {"n": "load", "r": 4, "i": energy // STEP_MWH * STEP_MWH, "p": POWER_MW}
        channel |= {"u": [VOLTAGE_MV], "a": [CURRENT_MA]}
        ms = int((time.monotonic() - self.began) * 1000)
        snapshot = {"kw": 1, "sn": SERIAL, "boot": self.kept["boot"], "ms": ms, "seq": self.seq, "ch": [channel]}
        return {"s": cbor2.dumps(snapshot), "age": 0}

    def public(self, _: Any) -> dict[str, Any]:
        """The command `key`."""
        return {"alg": -19, "pub": self.key, "max": MAX} | self._used()

    def sign(self, request: Any) -> dict[str, Any]:
        """One piece of a message, or the signature of all of it."""
        try:
            return self._piece(request)
        except Refused:
            self.piece = None
            raise

    def _piece(self, request: Any) -> dict[str, Any]:
        offset, data, length = request.get("off"), request.get("data"), request.get("len")
        if type(offset) is not int or offset < 0 or not isinstance(data, bytes) or (offset == 0) != (type(length) is int):
            raise Refused(1)
        if offset == 0:
            if length > MAX:
                raise Refused(6)
            self.piece, self.length = b"", length
        if self.piece is None or offset != len(self.piece):
            return {"off": len(self.piece or b"")}
        self.piece += data
        if len(self.piece) > self.length:
            raise Refused(1)
        if len(self.piece) < self.length:
            return {"off": len(self.piece)}
        message, self.piece = self.piece, None
        if not is_signable(message, self.key):
            raise Refused(5)
        signature = ed25519.sign(self.seed, message)
        if not ed25519.verify(self.key, message, signature):
            raise Refused(7)
        self.signatures += 1
        return {"off": len(message), "sig": signature} | self._used()

    def _used(self) -> dict[str, Any]:
        return {"boot": self.kept["boot"], "n": self.signatures}

    def answer(self, message: bytes) -> bytes:
        """The answer to one request, behind its header."""
        operation, version = message[0] & 7, message[0] >> 3 & 3
        group, sequence, command = int.from_bytes(message[4:6], "big"), message[6], message[7]
        commands: dict[tuple[int, int, int], Callable[[Any], dict[str, Any]]] = {
            (0, 0, 2): lambda request: {"r": request["d"]},
            (0, 5, 2): lambda _: {},
            (0, 6, 0): lambda _: {"buf_size": BUFFER, "buf_count": 1},
            (GROUP, 0, 0): self.describe,
            (GROUP, 1, 0): self.read,
            (GROUP, 2, 0): self.public,
            (GROUP, 3, 2): self.sign,
        }
        act = commands.get((group, command, operation), lambda _: {"rc": NOT_SUPPORTED})
        try:
            request = cbor2.loads(message[8:])
            said = act(request) if isinstance(request, dict) else {"rc": UNREADABLE}
        except (cbor2.CBORDecodeError, ValueError):
            said = {"rc": UNREADABLE}
        except Refused as refused:
            number = refused.args[0]
            said = {"err": {"group": GROUP, "rc": number}} if version == 1 else {"rc": VERSION_1[number]}
        body = cbor2.dumps(said)
        head = bytes([version << 3 | operation + 1, 0]) + len(body).to_bytes(2, "big") + message[4:6]
        return head + bytes([sequence, command]) + body


def serve(connection: socket.socket, coprocessor: Coprocessor) -> None:
    """Until the other side has enough."""
    console = Console()
    while data := connection.recv(4096):
        for message in console.take(data):
            connection.sendall(framed(coprocessor.answer(message)))
            if message[4:6] == b"\0\0" and message[7] == 5:
                coprocessor.start()


def main(place: str, state: str) -> None:
    """Listens until it is killed."""
    host, port = place.rsplit(":", 1)
    coprocessor = Coprocessor(Path(state))
    with socket.create_server((host, int(port))) as server:
        print(f"ready {host}:{server.getsockname()[1]}", flush=True)
        while True:
            connection, _ = server.accept()
            with connection:
                try:
                    serve(connection, coprocessor)
                except ConnectionError:
                    pass


if __name__ == "__main__":
    main(*sys.argv[1:])
