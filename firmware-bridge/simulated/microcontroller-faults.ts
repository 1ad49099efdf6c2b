import { Problem } from "../../attest/problem.ts";
import type { CoprocessorMisbehaviour } from "./coprocessor.ts";
import type { MicrocontrollerMisbehaviour } from "./microcontroller.ts";

const MICROCONTROLLER = {
  "short-accepts": "takes half of every piece of an image",
  "wrong-offset": "loses every fifth piece of an image, and asks for it again",
  silence: "every seventh request stays without an answer: done and not said, or not heard, in turn",
  "bad-crc": "every seventh answer is corrupted",
  "reset-in-upload": "loses its power once, in the middle of the first upload",
  "power-loss-between-test-and-confirm": "loses its power once, when it is to be confirmed after a test",
  "indefinite-maps": "ends its maps with a break, as some encoders do; nothing is wrong with that",
  "log-noise": "prints log text before, between and behind its answers; nothing is wrong with that",
  "no-resume": "begins every upload anew",
  "failed-check": "a new image answers the check with nonsense, until it is confirmed",
  "no-return": "a new image says nothing at all, until it is confirmed",
  "overwrite-only": "the bootloader overwrites the old image, and says so",
} as const satisfies Readonly<Record<MicrocontrollerMisbehaviour, string>>;

/** Of the front end and the key. */
const COPROCESSOR = {
  resets: "the microcontroller is restarted before every fourth reading",
  "counter-back": "its own counter falls by a minute at every fourth reading, with no restart",
  "changed-snapshot": "other values come under the number of the snapshot before",
  "torn-values": "power is of another instant than current",
  "stands-still": "the front end stands still, and its values are a minute old",
  "front-end-fault": "the front end does not answer the microcontroller",
  "long-answers": "a model name of 3,000 bytes",
  "large-numbers": "a register beyond 2^53 mWh",
  "silent-readings": "every second reading stays without an answer",
  "other-serial": "another serial number from the third reading on",
  "other-channels": "a channel less after a restart",
  "other-firmware": "group 64 is something else",
  "wrong-signature": "one bit of every signature is wrong",
  "other-key": "another key, once the first was told",
  "silent-signer": "a message is signed, and nothing is said",
  "lost-signatures": "the answer with every second signature is lost",
  "forgets-message": "forgets the half of a message, once",
  "short-pieces": "takes a part of every piece of a message",
  "takes-nothing": "takes nothing of a message",
  "used-elsewhere": "somebody else has it sign, too",
  "signs-anything": "signs whatever it is given",
} as const satisfies Readonly<Record<Renamed<CoprocessorMisbehaviour>, string>>;

/** The microcontroller is silent in a way of its own. */
type Renamed<Name extends string> = Name extends "silence" ? "silent-readings" : Name;

/** What a fault makes misbehave, and how. */
export type MicrocontrollerFault =
  | { readonly part: "microcontroller"; readonly misbehaviour: MicrocontrollerMisbehaviour }
  | { readonly part: "coprocessor"; readonly misbehaviour: CoprocessorMisbehaviour };

/** What can go wrong with a simulated microcontroller, a sentence each. */
export const MICROCONTROLLER_FAULTS: Readonly<Record<string, string>> = {
  ...MICROCONTROLLER,
  ...COPROCESSOR,
};

/** The fault of that name. Throws Problem `simulate-fault`, which lists the known names. */
export function microcontrollerFaultNamed(name: string): MicrocontrollerFault {
  if (isOf(MICROCONTROLLER, name)) return { part: "microcontroller", misbehaviour: name };
  if (name === "silent-readings") return { part: "coprocessor", misbehaviour: "silence" };
  if (isOf<Exclude<CoprocessorMisbehaviour, "silence">>(COPROCESSOR, name))
    return { part: "coprocessor", misbehaviour: name };
  throw new Problem("simulate-fault", "there is no such fault of a microcontroller", {
    expected: `one of ${Object.keys(MICROCONTROLLER_FAULTS).join(", ")}`,
    got: JSON.stringify(name),
    hint: "run: kilowitness simulate microcontroller --list-faults",
  });
}

function isOf<Name extends string>(table: Readonly<Record<Name, string>>, name: string): name is Name {
  return Object.hasOwn(table, name);
}
