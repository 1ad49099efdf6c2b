"""Ed25519, profile S: key checks and the cofactorless equation, by the group law of RFC 8032, 5.1."""

from __future__ import annotations

import hashlib
from typing import Optional

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
SQRT_M1 = pow(2, (P - 1) // 4, P)

Point = tuple[int, int, int, int]  # extended coordinates X, Y, Z, T with x = X/Z, y = Y/Z, T = XY/Z

IDENTITY: Point = (0, 1, 1, 0)


def add(a: Point, b: Point) -> Point:
    """RFC 8032, 5.1.4: complete for every pair of points of the curve."""
    x1, y1, z1, t1 = a
    x2, y2, z2, t2 = b
    aa = (y1 - x1) * (y2 - x2) % P
    bb = (y1 + x1) * (y2 + x2) % P
    cc = 2 * t1 * t2 * D % P
    dd = 2 * z1 * z2 % P
    e, f, g, h = bb - aa, dd - cc, dd + cc, bb + aa
    return (e * f % P, g * h % P, f * g % P, e * h % P)


def double(a: Point) -> Point:
    """RFC 8032, 5.1.4."""
    x1, y1, z1, _ = a
    aa = x1 * x1 % P
    bb = y1 * y1 % P
    h = aa + bb
    e = h - (x1 + y1) * (x1 + y1)
    g = aa - bb
    f = 2 * z1 * z1 + g
    return (e * f % P, g * h % P, f * g % P, e * h % P)


def negate(a: Point) -> Point:
    """The point with the other x."""
    return (-a[0] % P, a[1], a[2], -a[3] % P)


def multiply(scalar: int, point: Point) -> Point:
    """[scalar]point, four bits at a time; a verifier has no secrets."""
    table = [IDENTITY, point]
    while len(table) < 16:
        table.append(add(table[-1], point))
    result = IDENTITY
    for shift in range((max(scalar.bit_length(), 1) + 3) // 4 * 4 - 4, -1, -4):
        result = double(double(double(double(result))))
        digit = scalar >> shift & 15
        if digit:
            result = add(result, table[digit])
    return result


def multiply_two(first: tuple[int, Point], second: tuple[int, Point]) -> Point:
    """[s]A + [t]B with one run of doublings."""
    (s, a), (t, b) = first, second
    both = add(a, b)
    result = IDENTITY
    for shift in range(max(s.bit_length(), t.bit_length()) - 1, -1, -1):
        result = double(result)
        pair = (s >> shift & 1, t >> shift & 1)
        if pair == (1, 1):
            result = add(result, both)
        elif pair == (1, 0):
            result = add(result, a)
        elif pair == (0, 1):
            result = add(result, b)
    return result


def encode(point: Point) -> bytes:
    """RFC 8032, 5.1.2."""
    inverse = pow(point[2], P - 2, P)
    x, y = point[0] * inverse % P, point[1] * inverse % P
    return (y | (x & 1) << 255).to_bytes(32, "little")


def decode(raw: bytes) -> Optional[Point]:
    """RFC 8032, 5.1.3: nothing for what is no canonical encoding of a point of the curve."""
    if len(raw) != 32:
        return None
    number = int.from_bytes(raw, "little")
    y, sign = number & (1 << 255) - 1, number >> 255
    if y >= P:
        return None
    x = _recover_x(y, sign)
    return None if x is None else (x, y, 1, x * y % P)


def _recover_x(y: int, sign: int) -> Optional[int]:
    u, v = (y * y - 1) % P, (D * y * y + 1) % P
    x = u * pow(v, 3, P) * pow(u * pow(v, 7, P), (P - 5) // 8, P) % P
    if v * x * x % P == -u % P:
        x = x * SQRT_M1 % P
    if v * x * x % P != u or (x == 0 and sign == 1):
        return None
    return P - x if x & 1 != sign else x


_found = decode((4 * pow(5, P - 2, P) % P).to_bytes(32, "little"))
assert _found is not None
BASE: Point = _found


def _small_order_y() -> frozenset[int]:
    """The y of the eight points whose order divides 8: [L]Q of any Q, and its multiples."""
    for y in range(2, 100):
        point = decode(y.to_bytes(32, "little"))
        torsion = IDENTITY if point is None else multiply(L, point)
        if not is_identity(double(double(torsion))):
            break
    multiples = [multiply(factor, torsion) for factor in range(8)]
    return frozenset(int.from_bytes(encode(m), "little") & (1 << 255) - 1 for m in multiples)


def is_identity(point: Point) -> bool:
    """Whether the point is the neutral element."""
    return point[0] == 0 and point[1] == point[2]


SMALL_ORDER_Y = _small_order_y()


def has_small_order(raw: bytes) -> bool:
    """By the bytes alone: order 1, 2, 4 or 8, in canonical or other encoding, of either sign."""
    y = int.from_bytes(raw, "little") & (1 << 255) - 1
    return y % P in SMALL_ORDER_Y


_checked: dict[bytes, bool] = {}


def is_key(raw: bytes) -> bool:
    """The check of a key, once for each: 32 bytes, canonical, not the identity, of prime order."""
    if raw not in _checked:
        _checked[raw] = _check_key(raw)
    return _checked[raw]


def _check_key(raw: bytes) -> bool:
    if len(raw) != 32 or has_small_order(raw):
        return False
    point = decode(raw)
    return point is not None and is_identity(multiply(L, point))


def verify(key: bytes, message: bytes, signature: bytes) -> bool:
    """Profile S, the check of the key left to `is_key`: S < L, no small order, [S]B = R + [k]A by encodings."""
    if len(key) != 32 or len(signature) != 64:
        return False
    r, s = signature[:32], int.from_bytes(signature[32:], "little")
    if s >= L or has_small_order(key) or has_small_order(r):
        return False
    point = decode(key)
    if point is None:
        return False
    k = int.from_bytes(hashlib.sha512(r + key + message).digest(), "little") % L
    return encode(multiply_two((s, BASE), (k, negate(point)))) == r


def public_key(seed: bytes) -> bytes:
    """RFC 8032, 5.1.5; for checks with published seeds only."""
    return encode(multiply(_secret(seed)[0], BASE))


def sign(seed: bytes, message: bytes) -> bytes:
    """RFC 8032, 5.1.6; for checks with published seeds only, not constant in time."""
    scalar, prefix = _secret(seed)
    key = encode(multiply(scalar, BASE))
    nonce = int.from_bytes(hashlib.sha512(prefix + message).digest(), "little") % L
    r = encode(multiply(nonce, BASE))
    k = int.from_bytes(hashlib.sha512(r + key + message).digest(), "little") % L
    return r + ((nonce + k * scalar) % L).to_bytes(32, "little")


def _secret(seed: bytes) -> tuple[int, bytes]:
    digest = hashlib.sha512(seed).digest()
    scalar = int.from_bytes(digest[:32], "little")
    scalar = scalar & ((1 << 254) - 8) | 1 << 254
    return scalar, digest[32:]
