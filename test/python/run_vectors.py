"""Compare this verifier with every published vector.

    python3 test/python/run_vectors.py [FOLDER]
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

sys.dont_write_bytecode = True

from evidence.problem import Problem  # noqa: E402
from evidence.vectors import OBJECTS  # noqa: E402

FOLDER = Path(__file__).parents[2] / "attest" / "vectors"
# A settlement needs baselines and their calendars, which this verifier does not have.
NOT_IMPLEMENTED = {"settlement"}


def main(folder: Path) -> int:
    """Print each difference and the count; 0 if there is none."""
    vectors = [(file, json.loads(file.read_text("utf-8"))) for file in sorted(folder.glob("*.json"))]
    files = [(file, vector) for file, vector in vectors if vector["object"] not in NOT_IMPLEMENTED]
    print(f"{len(vectors) - len(files)} vectors left out: {', '.join(NOT_IMPLEMENTED)}")
    failed = 0
    for file, vector in files:
        difference = compare(vector["expect"], outcome(vector))
        if difference:
            failed += 1
            print(f"{file.name}: {vector['about']}\n    {difference}")
    print(f"{len(files)} vectors, {len(files) - failed} passed, {failed} failed")
    return 1 if failed or not files else 0


def outcome(vector: dict[str, Any]) -> dict[str, Any]:
    """What this verifier makes of a vector, in the vector's own terms; `what` is for people."""
    check = OBJECTS.get(vector["object"])
    if check is None:
        return {"valid": False, "code": "", "what": f"object {vector['object']} is not implemented"}
    try:
        return {"valid": True, **check(vector["input"], vector.get("policy", {}))}
    except Problem as problem:
        return {"valid": False, "code": problem.code, "what": problem.what}


def compare(expected: dict[str, Any], found: dict[str, Any]) -> str:
    """What differs, or nothing."""
    what = found.pop("what", "")
    names = sorted(name for name in {**expected, **found} if expected.get(name) != found.get(name))
    differences = [f"{name}: expected {expected.get(name)!r}, found {found.get(name)!r}" for name in names]
    return "; ".join([*differences, what])[:600] if differences else ""


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER))
