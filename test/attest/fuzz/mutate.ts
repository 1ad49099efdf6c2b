import { concatBytes } from "../../../attest/bytes.ts";
import { type Donors, type Draw, mutatedTree } from "./mutate-tree.ts";
import type { Choices } from "./runs.ts";

type Edit = (bytes: Uint8Array, draw: Draw, donors: Donors) => Uint8Array;

/** What can be done to bytes whatever they mean; the simplest first, towards which a failure shrinks. */
const EDITS: readonly Edit[] = [
  (bytes, { where }) => bytes.slice(0, place(bytes, where)),
  (bytes, { where, what }) => set(bytes, place(bytes, where), (byte) => byte ^ (1 << (what & 7))),
  (bytes, { where, what }) => set(bytes, place(bytes, where), () => what & 255),
  (bytes, { where, what }) => splice(bytes, [place(bytes, where), 1 + (what % 9)]),
  (bytes, { where, what }) => splice(bytes, [place(bytes, where), 0], Uint8Array.of(what & 255)),
  (bytes, { what }) => concatBytes(bytes, new Uint8Array(1 + (what % 70)).fill(what & 255)),
  (bytes, { where, what }) => splice(bytes, [place(bytes, where), 0], window(bytes, what)),
  (bytes, { where, what }, donors) => {
    const donor = donors[what % donors.length] ?? bytes;
    return splice(bytes, [place(bytes, where), donor.length], donor.subarray(place(donor, where)));
  },
  (bytes, { where, what }, donors) => {
    const donor = donors[what % donors.length] ?? bytes;
    return concatBytes(bytes.subarray(0, place(bytes, where)), window(donor, what >> 3));
  },
];

function place(bytes: Uint8Array, where: number): number {
  return where % (bytes.length + 1);
}

function window(bytes: Uint8Array, what: number): Uint8Array {
  const from = place(bytes, what >> 5);
  return bytes.subarray(from, from + 1 + (what % 40));
}

function set(bytes: Uint8Array, at: number, change: (byte: number) => number): Uint8Array {
  const copy = bytes.slice();
  if (at < copy.length) copy[at] = change(copy[at] ?? 0);
  return copy;
}

function splice(
  bytes: Uint8Array,
  [from, count]: readonly [number, number],
  by: Uint8Array = new Uint8Array(0),
): Uint8Array {
  return concatBytes(bytes.subarray(0, from), by, bytes.subarray(from + count));
}

/** A copy of a valid object, changed as the choices say: three of four times one of its items, else its bytes. */
export function mutated(sample: Uint8Array, choices: Choices, donors: Donors): Uint8Array {
  let bytes = sample;
  for (const [how, where, what] of choices) {
    const draw = { how: how >> 2, where, what };
    const edit = EDITS[draw.how % EDITS.length];
    bytes = how % 4 === 0 && edit ? edit(bytes, draw, donors) : mutatedTree(bytes, draw, donors);
  }
  return bytes;
}
