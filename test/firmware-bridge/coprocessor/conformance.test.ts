import { describe, expect, it } from "vitest";
import { OBJECT_TYPES } from "../../../attest/cose.ts";
import { nativeSigner } from "../../../attest/native.ts";
import type { CheckResult } from "../../../drivers/kit/checklist.ts";
import {
  DEVICE_TYPES,
  forbiddenMessages,
  statement,
} from "../../../firmware-bridge/coprocessor/conformance/statement.ts";
import type { CoprocessorMisbehaviour } from "../../../firmware-bridge/simulated/coprocessor.ts";
import { signableType } from "../../../firmware-bridge/simulated/coprocessor-context.ts";
import { type Bench, bench, SEED } from "./kit.ts";
import { failed, held, TestTime } from "./metering-kit.ts";
import { messageOf } from "./objects.ts";

function checked(made: Bench, restart = false): Promise<readonly CheckResult[]> {
  return held(made, { snapshots: 5, pauseMs: 0, settleMs: 0, restart, time: new TestTime() });
}

/** Misbehaviours that show at the line, and a check that finds each. */
const FOUND: readonly (readonly [CoprocessorMisbehaviour, string])[] = [
  ["resets", "read: start, counter and number never go back"],
  ["counter-back", "read: start, counter and number never go back"],
  ["changed-snapshot", "read: one number, one content"],
  ["changed-snapshot", "read: a new snapshot comes"],
  ["torn-values", "read: power is not more than voltage times current"],
  ["stands-still", "read: 5 snapshots"],
  ["front-end-fault", "read: 5 snapshots"],
  ["large-numbers", "read: 5 snapshots"],
  ["long-answers", "describe: who it is, and its channels"],
  ["other-firmware", "describe: who it is, and its channels"],
  ["other-serial", "read: the serial number is the described one"],
  ["wrong-signature", "sign: a kilowitness/1 checkpoint"],
  ["other-key", "sign: a kilowitness/1 checkpoint"],
  ["silent-signer", "sign: a kilowitness/1 checkpoint"],
  ["takes-nothing", "sign: a kilowitness/1 checkpoint"],
  ["used-elsewhere", "key: counts every signature, and no refusal"],
];

describe("statements of a device", () => {
  const { publicKey } = nativeSigner(SEED);

  it("are what the evidence format has signed, byte for byte around the payload", async () => {
    for (const type of DEVICE_TYPES) {
      const made = await messageOf(type, publicKey, new Map([[1, new Uint8Array(61)]]));
      const own = statement(OBJECT_TYPES[type], publicKey, 65);
      const payloadAt = made.length - 65;
      expect(own.length).toBe(made.length);
      expect(own.subarray(0, payloadAt)).toEqual(made.subarray(0, payloadAt));
    }
  });

  it("are told apart from everything that must not be signed", () => {
    for (const type of DEVICE_TYPES)
      expect(signableType(statement(OBJECT_TYPES[type], publicKey), publicKey)).toBe(OBJECT_TYPES[type]);
    for (const { what, message } of forbiddenMessages(publicKey))
      expect(signableType(message, publicKey), what).toBeUndefined();
  });
});

describe("firmware held against the protocol", () => {
  it("finds nothing wrong with the simulated coprocessor, restart included", async () => {
    const results = await checked(bench(), true);
    expect(results.filter(({ outcome }) => outcome === "failed")).toEqual([]);
    expect(results.length).toBeGreaterThan(40);
  });

  it.each(FOUND)("finds %s", async (misbehaviour, check) => {
    expect(failed(await checked(bench({ misbehaviours: [misbehaviour] }), true))).toContain(check);
  });

  it("says that nothing else was tried where it does not know who answers", async () => {
    const results = await checked(bench({ misbehaviours: ["other-firmware"] }));
    expect(results.at(-1)).toEqual({
      name: "everything else of read, key and sign",
      outcome: "skipped",
      detail: "not tried: describe comes first",
    });
  });

  it("skips the signing of firmware without a key command, and the metering of one without channels", async () => {
    const meterOnly = await checked(
      bench({ exchanged: (command, answer) => (command > 1 ? new Map([["rc", 8]]) : answer) }),
    );
    expect(failed(meterOnly)).toEqual([]);
    expect(meterOnly.some(({ name }) => name.startsWith("sign:"))).toBe(false);
    const signerOnly = await checked(bench({ shown: () => [] }));
    expect(failed(signerOnly)).toEqual([]);
    expect(signerOnly).toContainEqual(
      expect.objectContaining({ name: "read: 5 snapshots", outcome: "skipped" }),
    );
  });

  it("finds firmware that signs anything", async () => {
    const results = await checked(bench({ misbehaviours: ["signs-anything"] }));
    const refused = forbiddenMessages(nativeSigner(SEED).publicKey).map(
      ({ what }) => `sign: refuses ${what}`,
    );
    expect(failed(results)).toEqual(refused);
  });
});
