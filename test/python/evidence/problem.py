"""What a verifier refuses with."""

from __future__ import annotations


class Problem(Exception):
    """A refusal: a stable code of the document, and a sentence for people."""

    def __init__(self, code: str, what: str) -> None:
        super().__init__(f"{code}: {what}")
        self.code = code
        self.what = what


def require(condition: bool, code: str, what: str) -> None:
    """Raise a Problem unless the condition holds."""
    if not condition:
        raise Problem(code, what)
