"""Network names, log ids, fingerprints; section "Networks, keys, log ids"."""

from __future__ import annotations

import hashlib

from .problem import require

MAX_EPOCH = 2**32 - 1


def check_network(network: str) -> None:
    """1 to 64 printable ASCII characters without space."""
    good = 1 <= len(network) <= 64 and all("!" <= character <= "~" for character in network)
    require(good, "network-name", f"{network!r} is no name of a network")


def log_id(network: str, key: bytes, epoch: int) -> bytes:
    """The id of the log of a key in a network and an epoch."""
    check_network(network)
    require(1 <= epoch <= MAX_EPOCH, "bytes-integer", f"epoch {epoch}")
    prefix = b"kilowitness/1 log\x00" + network.encode("ascii") + b"\x00"
    return hashlib.sha256(prefix + key + epoch.to_bytes(4, "big")).digest()


def fingerprint(key: bytes) -> str:
    """The first 8 bytes of SHA-256 of the key, as four groups of four hexadecimal digits."""
    digits = hashlib.sha256(key).hexdigest()[:16]
    return " ".join(digits[at : at + 4] for at in range(0, 16, 4))
