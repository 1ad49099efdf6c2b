"""What the library cbor2 makes of bytes, and which bytes it makes of values. One question, one answer, both JSON.

    {"read": [hex, ...], "write": [described, ...]}
    {"read": [{"value": described, "canonical": hex}, ...], "write": [{"canonical": hex, "plain": hex}, ...],
     "outside": [[name, hex], ...]}

A value of the subset is described as {"int": decimal}, {"bytes": hex}, {"text": ...}, {"list": [...]} or {"map":
[[key, value], ...]}, keys ascending in what is answered. There is no "value" for anything else, and nothing at all
for what the library refuses.
"""

import datetime
import decimal
import fractions
import io
import json
import resource
import sys
import uuid

import cbor2

# Changed bytes can announce a length of 2^63: that has to be an error at once.
resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))


MAX_INTEGER = 2**53 - 1
MAX_LENGTH = 4096
MAX_DEPTH = 4


class Outside(Exception):
    """Not a value of the subset, or above a limit."""


def require(holds):
    if not holds:
        raise Outside()


def describe(value, depth=MAX_DEPTH):
    # By type and not by isinstance: True is an int to Python.
    if type(value) is int:
        require(-MAX_INTEGER <= value <= MAX_INTEGER)
        return {"int": str(value)}
    if type(value) is bytes:
        require(len(value) <= MAX_LENGTH)
        return {"bytes": value.hex()}
    if type(value) is str:
        require(len(value.encode()) <= MAX_LENGTH)
        return {"text": value}
    require(type(value) in (list, dict) and len(value) <= MAX_LENGTH and depth > 0)
    if type(value) is list:
        return {"list": [describe(item, depth - 1) for item in value]}
    require(all(type(key) is int and key >= 0 for key in value))
    return {"map": [[describe(key), describe(value[key], depth - 1)] for key in sorted(value)]}


def build(described):
    ((kind, content),) = described.items()
    if kind == "int":
        return int(content)
    if kind == "bytes":
        return bytes.fromhex(content)
    if kind == "list":
        return [build(item) for item in content]
    if kind == "map":
        return {build(key): build(item) for key, item in content}
    return content


def read(text):
    answer = {}
    try:
        # It has no strict mode: long heads, indefinite lengths, any order, doubled keys and a tail are all fine with
        # it. That writing the value again gives the same bytes is the whole of strictness.
        value = cbor2.CBORDecoder(io.BytesIO(bytes.fromhex(text))).decode()
        answer["canonical"] = cbor2.dumps(value, canonical=True).hex()
        answer["value"] = describe(value)
    except Exception:  # whatever the library and its tags throw at changed bytes, or Outside
        pass
    return answer


def write(described):
    value = build(described)
    return {"canonical": cbor2.dumps(value, canonical=True).hex(), "plain": cbor2.dumps(value).hex()}


def shared():
    part = [1, 2]
    return cbor2.dumps([part, part], value_sharing=True)


def outside():
    instant = datetime.datetime(2026, 1, 5, 12, tzinfo=datetime.timezone.utc)
    values = [
        ("false", False),
        ("true", {1: True}),
        ("null", [None]),
        ("undefined", cbor2.undefined),
        ("a simple value", cbor2.CBORSimpleValue(99)),
        ("a float", 1.5),
        ("a whole float", {1: 1.0}),
        ("not a number", float("nan")),
        ("an integer of 54 bits", 2**53),
        ("an integer of 64 bits", [2**64 - 1]),
        ("a negative integer of 54 bits", -(2**53)),
        ("a negative integer of 64 bits", -(2**64)),
        ("a big number", 2**64),
        ("a negative big number", -(2**64) - 1),
        ("a tag", cbor2.CBORTag(18, [])),
        ("an instant", instant),
        ("a decimal", decimal.Decimal("1.5")),
        ("a fraction", fractions.Fraction(1, 3)),
        ("a UUID", uuid.UUID(int=1)),
        ("a set", {1, 2}),
        ("a text as key", {"a": 1}),
        ("bytes as key", {b"a": 1}),
        ("a negative key", {-1: 1}),
        ("a list as key", {(1, 2): 1}),
        ("a key of 54 bits", {2**53: 1}),
        ("a boolean as key", {False: 1}),
        ("five levels", [[[[[]]]]]),
        ("a list that is too long", [0] * 4097),
        ("bytes that are too long", bytes(4097)),
    ]
    written = [(name, cbor2.dumps(value, canonical=True)) for name, value in values]
    return [(name, encoded.hex()) for name, encoded in [*written, ("a list shared by two", shared())]]


question = json.load(sys.stdin)
answer = {
    "read": [read(text) for text in question["read"]],
    "write": [write(described) for described in question["write"]],
    "outside": outside(),
}
sys.stdout.write(json.dumps(answer))
