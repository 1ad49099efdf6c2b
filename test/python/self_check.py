"""Checks of this verifier against what others published, and against the document's own example.

    python3 test/python/self_check.py
"""

from __future__ import annotations

import hashlib
import json
import re
import sys
import unittest
from pathlib import Path
from typing import Optional

sys.dont_write_bytecode = True

from evidence import cbor, ed25519, fault_file, identity, key_life, leaf, leaf_fields  # noqa: E402
from evidence import log_rules, objects, proof_file, tree  # noqa: E402
from evidence.judge import Policy  # noqa: E402
from evidence.problem import Problem  # noqa: E402
from evidence.record import Spec, spec  # noqa: E402
from evidence.vectors import leaf_json  # noqa: E402
from evidence.verdict import verify  # noqa: E402

DOCUMENT = (Path(__file__).parents[2] / "docs" / "evidence-format.md").read_text("utf-8")

# RFC 8032, 7.1: TEST 1, 2, 3 and SHA(abc): secret, public, message, signature.
RFC_8032 = [
    (
        "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595b"
        "be24655141438e7a100b",
    ),
    (
        "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb430"
        "2aeeb00d291612bb0c00",
    ),
    (
        "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "af82",
        "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716e"
        "d28dc027beceea1ec40a",
    ),
    (
        "833fe62409237b9d62ec77587520911e9a759cec1d19755b7da901b96dca3d42",
        "ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf",
        hashlib.sha512(b"abc").hexdigest(),
        "dc2a4459e7369633a52b1bf277839a00201009a3efbf3ecb69bea2186c26b58909351fc9ac90b3ecfdfbc7c66431e0303dca179c138a"
        "c17ad9bef1177331a704",
    ),
]

# The leaves and the roots over the first 1 to 8 of them that the tests of Certificate Transparency use.
CT_LEAVES = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"]
CT_ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]


def block(name: str) -> bytes:
    """The bytes of a block of the document, whose lines may carry notes behind two spaces."""
    body = DOCUMENT.split(f"```{name}\n")[1].split("```")[0]
    return bytes.fromhex("".join(body.split()))


def noted(name: str) -> bytes:
    """The bytes of an annotated block: what stands before the notes of each line."""
    body = DOCUMENT.split(f"```notes {name}\n")[1].split("```")[0]
    found = ""
    for line in body.splitlines():
        match = re.match(r"\s*((?:[0-9a-f]{2} ?)(?:[0-9a-f]+(?: |$))*)(?=\s|$)", line)
        found += "".join(match.group(1).split()) if match else ""
    return bytes.fromhex(found)


def manifests() -> list[bytes]:
    """The log's manifest and the channel's, from the proof of the example."""
    value = cbor.decode(block("hex proof"))
    assert isinstance(value, dict) and isinstance(value[1], list) and isinstance(value[1][0], bytes)
    part = cbor.decode(value[1][0])
    assert isinstance(part, dict) and isinstance(part[2], bytes)
    return [found.raw for found in leaf.decode_leaves(part[2])]


def reading_at(seq: int) -> bytes:
    """A reading of the example's channel every five minutes from noon on."""
    time = 1_767_614_400_000 + (seq - 2) * 300_000
    registers: dict[int, cbor.Value] = {6: 1_234_567_000 + (seq - 2) * 10_250, 7: 89_000, 8: 123_000}
    return cbor.encode({1: seq, 2: time, 3: 3, 4: 1, **registers, 15: bytes(16)})


def code_of(call: "object", *arguments: "object") -> Optional[str]:
    """The code with which a call refuses."""
    try:
        assert callable(call)
        call(*arguments)
    except Problem as problem:
        return problem.code
    return None


class Ed25519(unittest.TestCase):
    """RFC 8032, the group, and OpenSSL as a second opinion."""

    def test_rfc_8032(self) -> None:
        for secret, public, message, signature in RFC_8032:
            seed, text, key = bytes.fromhex(secret), bytes.fromhex(message), bytes.fromhex(public)
            self.assertEqual(ed25519.public_key(seed), key)
            self.assertEqual(ed25519.sign(seed, text).hex(), signature)
            self.assertTrue(ed25519.is_key(key) and ed25519.verify(key, text, bytes.fromhex(signature)))
            self.assertFalse(ed25519.verify(key, text + b"x", bytes.fromhex(signature)))

    def test_scalar_is_reduced(self) -> None:
        _, public, message, signature = (bytes.fromhex(part) for part in RFC_8032[1])
        s = int.from_bytes(signature[32:], "little") + ed25519.L
        self.assertFalse(ed25519.verify(public, message, signature[:32] + s.to_bytes(32, "little")))

    def test_small_order(self) -> None:
        """Eight points; the five y, two of them with a second encoding, each with either sign."""
        self.assertEqual(len(ed25519.SMALL_ORDER_Y), 5)
        for y in [*ed25519.SMALL_ORDER_Y, ed25519.P, ed25519.P + 1]:
            for sign in (0, 1 << 255):
                raw = (y | sign).to_bytes(32, "little")
                self.assertTrue(ed25519.has_small_order(raw) and not ed25519.is_key(raw))

    def test_mixed_order(self) -> None:
        key = ed25519.decode(bytes.fromhex(RFC_8032[0][1]))
        torsion = next(ed25519.decode(y.to_bytes(32, "little")) for y in ed25519.SMALL_ORDER_Y if y > 1)
        assert key is not None and torsion is not None
        self.assertFalse(ed25519.is_key(ed25519.encode(ed25519.add(key, torsion))))

    def test_openssl_agrees(self) -> None:
        try:
            from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
            from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
        except ImportError:
            self.skipTest("the package cryptography is not installed")
        for number in range(20):
            seed = hashlib.sha256(bytes([number])).digest()
            peer = Ed25519PrivateKey.from_private_bytes(seed)
            key = peer.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
            self.assertEqual(key, ed25519.public_key(seed))
            self.assertTrue(ed25519.is_key(key) and ed25519.verify(key, seed, peer.sign(seed)))
            self.assertFalse(ed25519.verify(key, seed + b"x", peer.sign(seed)))


class Trees(unittest.TestCase):
    """Certificate Transparency's roots, and multiproofs of every pair of leaves with a cut."""

    def setUp(self) -> None:
        self.hashes = [tree.leaf_hash(bytes.fromhex(text)) for text in CT_LEAVES]

    def test_roots(self) -> None:
        for size, root in enumerate(CT_ROOTS, 1):
            self.assertEqual(tree.root_of(self.hashes[:size]).hex(), root)

    def test_multiproofs(self) -> None:
        for size in range(1, 9):
            for first in range(size):
                for cut in range(1, size):
                    self.check_multiproof(size, sorted({first, size - 1}), [cut])

    def check_multiproof(self, size: int, indices: list[int], cuts: list[int]) -> None:
        hashes = tree.build_multiproof(self.hashes[:size], indices, cuts)
        leaves = [(index, self.hashes[index]) for index in indices]
        folded = tree.fold_multiproof(size, leaves, cuts, hashes)
        self.assertEqual(folded.root.hex(), CT_ROOTS[size - 1])
        self.assertEqual({cut: root.hex() for cut, root in folded.cuts.items()}, {c: CT_ROOTS[c - 1] for c in cuts})
        wrong = code_of(tree.fold_multiproof, size, leaves, cuts, hashes + bytes(32))
        self.assertEqual(wrong, "proof-shape")


class Document(unittest.TestCase):
    """The document's example, byte for byte, and its CDDL against the tables here."""

    def test_keys_and_log_id(self) -> None:
        self.assertEqual(block("hex device-key"), ed25519.public_key(b"\x01" * 32))
        self.assertEqual(block("hex node-key"), ed25519.public_key(b"\x02" * 32))
        self.assertEqual(block("hex log-id"), identity.log_id("example-grid", block("hex device-key"), 1))

    def test_reading(self) -> None:
        reading = leaf.decode_leaf(noted("reading"))
        self.assertEqual(len(reading.raw), 71)
        self.assertEqual(reading.hash, block("hex reading-hash"))
        self.assertEqual(reading.fields["importMwh"], 1_234_597_750)

    def test_json_of_the_reading(self) -> None:
        shown = json.loads(DOCUMENT.split("```json reading\n")[1].split("```")[0])
        self.assertEqual(leaf_json(leaf.decode_leaf(noted("reading"))), shown)

    def test_close(self) -> None:
        close = leaf.decode_leaf(block("hex close"))
        self.assertEqual((close.kind, close.get("openingSeq"), close.get("closingSeq")), (leaf.CLOSE, 2, 5))
        self.assertEqual((close.get("count"), close.get("shape")), (3, 2))

    def test_rules_take_the_close(self) -> None:
        """Behind the manifests of the proof, and readings that fit what the close says."""
        log = log_rules.Log("example-grid", block("hex device-key"), 1)
        leaves = [*manifests(), *(reading_at(seq) for seq in (2, 3, 4)), noted("reading"), block("hex close")]
        for raw in leaves:
            log_rules.extend(log, leaf.decode_leaf(raw))
        self.assertEqual(log.tree.size, 7)

    def test_rules_want_the_close(self) -> None:
        log = log_rules.Log("example-grid", block("hex device-key"), 1)
        for raw in [*manifests(), *(reading_at(seq) for seq in (2, 3, 4, 5))]:
            log_rules.extend(log, leaf.decode_leaf(raw))
        self.assertEqual(code_of(log_rules.extend, log, leaf.decode_leaf(reading_at(6))), "close-missing")

    def test_signed_objects(self) -> None:
        raw = noted("checkpoint")
        self.assertEqual(len(raw), 235)
        checkpoint = objects.open_checkpoint(raw, block("hex device-key"), block("hex log-id"))
        receipt = objects.open_receipt(block("hex receipt"), block("hex device-key"))
        self.assertEqual((checkpoint.size, checkpoint.root), (receipt.size, receipt.root))
        changed = raw[:-1] + bytes([raw[-1] ^ 1])
        wrong = code_of(objects.open_checkpoint, changed, block("hex device-key"), block("hex log-id"))
        self.assertEqual(wrong, "cose-signature")

    def test_proof(self) -> None:
        trusted = Policy(frozenset([block("hex device-key")]), frozenset([block("hex node-key")]), "example-grid")
        verdict = verify(block("hex proof"), trusted)
        self.assertEqual((verdict["import"]["wh"], verdict["standing"]), (30, "witnessed"))
        self.assertEqual(verify(block("hex proof"), Policy())["trust"], "none")

    def test_a_changed_bit_of_the_proof_counts(self) -> None:
        proof = block("hex proof")
        trusted = Policy(frozenset([block("hex device-key")]), frozenset([block("hex node-key")]))
        for at in range(0, len(proof), 3):
            changed = proof[:at] + bytes([proof[at] ^ 1 << at % 8]) + proof[at + 1 :]
            self.assertIsNotNone(code_of(verify, changed, trusted), f"byte {at}")

    def test_cddl(self) -> None:
        text = "".join(part.split("```")[0] for part in DOCUMENT.split("```cddl\n")[1:])
        for name, fields in cddl_tables().items():
            body = re.search(rf"^{name} = \{{$(.*?)^\}}$", text, re.S | re.M)
            assert body is not None, name
            self.assertEqual(rows_of(body.group(1)), shape_of(fields), name)


def cddl_tables() -> dict[str, Spec]:
    """The tables of this verifier by the names of the CDDL; a leaf's without the common keys."""
    common, head = spec(leaf_fields.COMMON), spec(fault_file.HEAD)
    return {
        **{name: without(fields, common) for name, fields in leaf_fields.KINDS.values()},
        **{name: without(fields, head) for name, fields in fault_file.KINDS.items() if name not in ("fork", "key")},
        "checkpoint": objects.CHECKPOINT,
        "receipt": objects.RECEIPT,
        "hello": objects.HELLO,
        "enrolment": key_life.ENROLMENT,
        "countersignature": key_life.COUNTERSIGNATURE,
        "rotation": key_life.ROTATION,
        "acceptance": key_life.ACCEPTANCE,
        "revocation": key_life.REVOCATION,
        "part": proof_file.PART,
        "key-use": without(fault_file.KINDS["key"], head),
    }


def without(fields: Spec, head: Spec) -> Spec:
    """The fields that are not of the common head."""
    return {key: field for key, field in fields.items() if key not in head}


def rows_of(body: str) -> dict[int, tuple[str, bool]]:
    """Key to type and optional, of the fields of a CDDL map; the kind of a leaf is left out."""
    rows = re.findall(r"^\s+(\?)? ?(\d+) => (.+?),\s*;", body, re.M)
    return {int(key): (kind, optional == "?") for optional, key, kind in rows}


def shape_of(fields: Spec) -> dict[int, tuple[str, bool]]:
    """The same of a table here."""
    return {key: (kind, optional) for key, (_, kind, optional) in fields.items()}


if __name__ == "__main__":
    unittest.main()
