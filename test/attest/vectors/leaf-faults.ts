import { fromHex, toHex } from "../../../attest/bytes.ts";
import { type CborValue, encodeCbor } from "../../../attest/cbor.ts";
import { encodeLeaf } from "../../../attest/leaf-codec.ts";
import { bad, type Case, caseOf, type Draft } from "./draft.ts";
import { device, START_MS, saltOf, someHash } from "./keys.ts";
import { common, opaqueLeaf, plainReading } from "./leaves.ts";

/** Bad leaves: one fault each, in the bytes or in what they say. */
export function leafFaultDrafts(): Draft[] {
  return [...encodingFaults(), ...keyFaults(), ...kindFaults(), ...fieldFaults(), ...sizeFaults()];
}

const readingCase: Case = caseOf("leaf", { leaf: encodeLeaf(plainReading) });

/** The pairs of the plain reading as they stand in it, in hexadecimal. */
const PAIRS: Readonly<Record<string, string>> = {
  seq: "0105",
  time: "021b0000019b8e1501a0",
  quality: "0303",
  channel: "0401",
  import: "061a49967776",
  export: "071a00015ba8",
  power: "081a0001e078",
  salt: `0f50${toHex(saltOf(5))}`,
};

/** The plain reading with some pairs written in another way, between another head and tail. */
function reading(changes: Readonly<Record<string, string>>, head = "a8", tail = ""): { leaf: Uint8Array } {
  return { leaf: fromHex(head + Object.values({ ...PAIRS, ...changes }).join("") + tail, "reading") };
}

type Row = readonly [fault: string, code: string, about: string, input: object];

function rows(from: Case, list: readonly Row[]): Draft[] {
  return list.map(([fault, code, about, input]) => bad(from, fault, { about, code, input }));
}

function encodingFaults(): Draft[] {
  const shortSalt = `0f5810${PAIRS["salt"]?.slice(4)}`;
  const split = `0f5f50${PAIRS["salt"]?.slice(4)}ff`;
  return rows(readingCase, [
    ["tag", "cbor-type", "A tag before a value.", reading({ import: "06c11a49967776" })],
    ["float", "cbor-type", "A register as a half-precision float.", reading({ import: "06f94e20" })],
    ["null", "cbor-type", "Null where a register is absent.", reading({ import: "06f6" })],
    ["indefinite-map", "cbor-type", "A map of indefinite length.", reading({}, "bf", "ff")],
    ["indefinite-bytes", "cbor-type", "A byte string of indefinite length.", reading({ salt: split })],
    ["long-integer", "cbor-not-shortest", "Seq 5 in two bytes.", reading({ seq: "011805" })],
    ["long-key", "cbor-not-shortest", "Key 1 in two bytes.", reading({ seq: "180105" })],
    ["long-length", "cbor-not-shortest", "A length of 16 in two bytes.", reading({ salt: shortSalt })],
    ["integer-2-53", "cbor-integer", "A register of 2^53.", reading({ import: "061b0020000000000000" })],
    ["integer-negative", "cbor-integer", "A power of -2^53.", reading({ power: "083b001fffffffffffff" })],
    [
      "truncated",
      "cbor-truncated",
      "The last byte is missing.",
      {
        leaf: reading({}).leaf.slice(0, -1),
      },
    ],
    ["trailing", "leaf-trailing", "One byte too many.", reading({}, "a8", "00")],
    ["empty", "cbor-truncated", "No byte at all.", { leaf: new Uint8Array(0) }],
  ]);
}

function keyFaults(): Draft[] {
  const { seq, time } = PAIRS;
  return [
    ...rows(readingCase, [
      ["key-order", "cbor-key-order", "Key 2 before key 1.", reading({ seq: `${time}${seq}`, time: "" })],
      ["key-twice", "cbor-key-order", "Key 1 twice.", reading({ seq: `${seq}${seq}` }, "a9")],
      ["key-negative", "cbor-key", "A key of -1 before the others.", reading({ seq: `2005${seq}` }, "a9")],
      ["key-text", "cbor-key", "A key that is text.", reading({ seq: `616105${seq}` }, "a9")],
      ["array", "leaf-type", "An array instead of a map.", { leaf: encodeCbor([0, 1]) }],
      ["unknown-key", "leaf-unknown-key", "A reading has no key 17.", said({ 17: 1 })],
      ["zero-status", "leaf-zero-status", "Status 0 written out.", said({ 5: 0 })],
      ["time-quality", "leaf-time-quality", "There is no time quality 5.", said({ 3: 5 })],
      ["extension-integer", "leaf-extension", "An extension that is an integer.", said({ 64: 1 })],
    ]),
    bad(caseOf("leaf", { leaf: encodeLeaf(opaqueLeaf) }), "deep", {
      ...{ about: "An array at the fifth level of a leaf of an unknown kind.", code: "cbor-depth" },
      input: { leaf: encodeCbor(opaqueMap([[[[1]]]])) },
    }),
  ];
}

/** The plain reading as a map, with some keys set to other values, or left out by `undefined`. */
function said(changes: Readonly<Record<number, CborValue | undefined>>): { leaf: Uint8Array } {
  const map = new Map<number, CborValue>([
    ...([
      [1, 5],
      [2, START_MS + 900_000],
      [3, 3],
      [4, 1],
    ] as const),
    ...([
      [6, 1_234_597_750],
      [7, 89_000],
      [8, 123_000],
      [15, saltOf(5)],
    ] as const),
  ]);
  return { leaf: encodeCbor(changed(map, changes)) };
}

function changed(
  map: ReadonlyMap<number, CborValue>,
  changes: Readonly<Record<number, CborValue | undefined>>,
): Map<number, CborValue> {
  const copy = new Map(map);
  for (const [key, value] of Object.entries(changes)) {
    if (value === undefined) copy.delete(Number(key));
    else copy.set(Number(key), value);
  }
  return copy;
}

function opaqueMap(value: CborValue): Map<number, CborValue> {
  const { seq, timeMs, timeQuality, salt } = common(9);
  return new Map<number, CborValue>([
    ...([
      [0, 40],
      [1, seq],
      [2, timeMs],
      [3, timeQuality],
    ] as const),
    ...([
      [6, value],
      [15, salt],
    ] as const),
  ]);
}

function kindFaults(): Draft[] {
  const text = caseOf("leaf", { leaf: tamper({}) });
  return [
    ...rows(readingCase, [
      ["kind-zero", "leaf-kind", "Kind 0 written out.", said({ 0: 0 })],
      ["kind-text", "leaf-kind", "A kind that is text.", said({ 0: "reading" })],
    ]),
    ...rows(text, [
      ["kind-19", "leaf-kind", "A kind that is not assigned.", { leaf: tamper({ 0: 19 }) }],
      ["kind-31", "leaf-kind", "The last kind that is not assigned.", { leaf: tamper({ 0: 31 }) }],
      ["kind-64", "leaf-kind", "A kind beyond the last one.", { leaf: tamper({ 0: 64 }) }],
      [
        "text-long",
        "field",
        "A text of 129 bytes, though of 65 characters.",
        {
          leaf: tamper({ 6: `${"é".repeat(64)}!` }),
        },
      ],
      [
        "text-not-utf8",
        "cbor-text",
        "A text that ends within a character.",
        {
          leaf: fromHex(toHex(tamper({})).replace("6c6964", "6cc3c3"), "tamper"),
        },
      ],
      [
        "text-surrogate",
        "cbor-text",
        "Half a pair of surrogates in UTF-8.",
        {
          leaf: fromHex(toHex(tamper({})).replace("6c6964", "eda080"), "tamper"),
        },
      ],
    ]),
  ];
}

function tamper(changes: Readonly<Record<number, CborValue | undefined>>): Uint8Array {
  const { seq, timeMs, timeQuality, salt } = common(23);
  const map = new Map<number, CborValue>([
    ...([
      [0, 8],
      [1, seq],
      [2, timeMs],
      [3, timeQuality],
    ] as const),
    ...([
      [6, "lid"],
      [7, 1],
      [15, salt],
    ] as const),
  ]);
  return encodeCbor(changed(map, changes));
}

function fieldFaults(): Draft[] {
  const day = Array.from({ length: 101 }, () => 1);
  return [
    ...rows(readingCase, [
      ["no-seq", "field", "Seq is missing.", said({ 1: undefined })],
      ["no-time", "field", "The time is missing.", said({ 2: undefined })],
      ["no-channel", "field", "A reading without a channel.", said({ 4: undefined })],
      ["no-salt", "field", "The salt is missing.", said({ 15: undefined })],
      ["salt-short", "field", "A salt of 15 bytes.", said({ 15: saltOf(5).slice(1) })],
      ["register-negative", "field", "A register below zero.", said({ 6: -1 })],
      ["register-text", "field", "A register in digits.", said({ 6: "1000" })],
      ["list-empty", "field", "A list of voltages without any.", said({ 10: [] })],
      ["list-long", "field", "Nine voltages.", said({ 10: day.slice(0, 9) })],
      ["list-mixed", "field", "A list of currents with a text in it.", said({ 11: [1, "2"] })],
    ]),
    bad(caseOf("leaf", { leaf: anchor({}) }), "hash-short", {
      ...{ about: "A hash of 31 bytes.", code: "field" },
      input: { leaf: anchor({ 7: someHash("receipt").slice(1) }) },
    }),
    bad(caseOf("leaf", { leaf: settlement({}) }), "day-long", {
      ...{ about: "A day of 101 intervals.", code: "field", input: { leaf: settlement({ 11: day }) } },
    }),
  ];
}

function anchor(changes: Readonly<Record<number, CborValue>>): Uint8Array {
  const { seq, timeMs, timeQuality, salt } = common(21);
  const map = new Map<number, CborValue>([
    ...([
      [0, 6],
      [1, seq],
      [2, timeMs],
      [3, timeQuality],
      [6, device.publicKey],
    ] as const),
    ...([
      [7, someHash("receipt")],
      [8, START_MS],
      [9, 8],
      [15, salt],
    ] as const),
  ]);
  return encodeCbor(changed(map, changes));
}

function settlement(changes: Readonly<Record<number, CborValue>>): Uint8Array {
  const { seq, timeMs, timeQuality, salt } = common(16);
  const map = new Map<number, CborValue>([
    ...([
      [0, 18],
      [1, seq],
      [2, timeMs],
      [3, timeQuality],
      [4, 3],
    ] as const),
    ...([
      [6, 11],
      [7, "h10/1"],
      [15, salt],
      [17, 1_000_000],
      [18, 1],
    ] as const),
  ]);
  return encodeCbor(changed(map, changes));
}

function sizeFaults(): Draft[] {
  const half = new Uint8Array(2012).fill(0x2a);
  const largest = new Map([
    [64, half],
    [65, half],
  ]);
  const from = caseOf("leaf", { leaf: encodeLeaf({ ...plainReading, extensions: largest }) });
  const over = new Map([...largest, [66, new Uint8Array(7)]]);
  const bytes = encodeCbor(new Map<number, CborValue>([...bodyOf(plainReading.seq), ...over]));
  return [
    bad(from, "large", { about: "A leaf of 4097 bytes.", code: "leaf-size", input: { leaf: bytes } }),
    bad(readingCase, "length", {
      about: "A byte string that announces 2^32-1 bytes: refused before anything is set aside for it.",
      code: "cbor-length",
      input: reading({}, "a9", "18405affffffff"),
    }),
  ];
}

function bodyOf(seq: number): (readonly [number, CborValue])[] {
  return [
    ...([
      [1, seq],
      [2, START_MS + 900_000],
      [3, 3],
      [4, 1],
    ] as const),
    ...([
      [6, 1_234_597_750],
      [7, 89_000],
      [8, 123_000],
      [15, saltOf(seq)],
    ] as const),
  ];
}
