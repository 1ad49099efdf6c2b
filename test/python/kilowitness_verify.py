"""Judge a proof file, or a fault file, against what you trust, offline.

    python3 test/python/kilowitness_verify.py FILE --trust device:HEX --trust node:HEX --witnesses K --json

Written from docs/evidence-format.md alone, as a second opinion on its text.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any, Optional, Sequence

sys.dont_write_bytecode = True

from evidence import cbor, fault_file  # noqa: E402
from evidence.fault_judge import verify_fault  # noqa: E402
from evidence.judge import TOLERANCE_MS, Policy  # noqa: E402
from evidence.problem import Problem  # noqa: E402
from evidence.verdict import sentence, verify  # noqa: E402

FAULT_MARK = cbor.encode(0) + cbor.encode(fault_file.FORMAT)


def main(arguments: Optional[Sequence[str]] = None) -> int:
    """Print the verdict; 0 for a valid file, 1 for another, 2 for unusable arguments."""
    options = _parser().parse_args(arguments)
    try:
        verdict = _verdict(Path(options.file).read_bytes(), _policy(options))
    except Problem as problem:
        verdict = {"valid": False, "code": problem.code, "what": problem.what}
    print(json.dumps(verdict) if options.json else _text(verdict))
    return 0 if verdict["valid"] else 1


def _verdict(raw: bytes, policy: Policy) -> dict[str, Any]:
    return verify_fault(raw, policy) if raw[1:].startswith(FAULT_MARK) else verify(raw, policy)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Judge a proof file against what you trust.")
    parser.add_argument("file")
    parser.add_argument("--trust", action="append", default=[], type=_trusted, metavar="device:HEX|node:HEX|registrar:HEX")
    parser.add_argument("--witnesses", type=int, default=1, metavar="K")
    parser.add_argument("--network")
    parser.add_argument("--tolerance-ms", type=int, default=TOLERANCE_MS)
    parser.add_argument("--revocation", action="append", default=[], type=Path, metavar="FILE")
    parser.add_argument("--json", action="store_true")
    return parser


def _trusted(text: str) -> tuple[str, bytes]:
    role, _, digits = text.partition(":")
    key = bytes.fromhex(digits)
    if role not in ("device", "node", "registrar") or len(key) != 32:
        raise ValueError(text)
    return role, key


def _policy(options: argparse.Namespace) -> Policy:
    def keys(role: str) -> frozenset[bytes]:
        return frozenset(key for of, key in options.trust if of == role)

    return Policy(
        device_keys=keys("device"),
        node_keys=keys("node"),
        registrars=keys("registrar"),
        network=options.network,
        witnesses=options.witnesses,
        revocations=tuple(path.read_bytes() for path in options.revocation),
        tolerance_ms=options.tolerance_ms,
    )


def _text(verdict: dict[str, Any]) -> str:
    """One line for each part of the verdict; JSON escapes make control characters visible."""
    if not verdict["valid"]:
        head = "not valid"
    else:
        head = f"fault: {verdict['rule']}" if "rule" in verdict else sentence(verdict)
    return "\n".join([head, *(f"{name}: {json.dumps(value)}" for name, value in verdict.items())])


if __name__ == "__main__":
    sys.exit(main())
