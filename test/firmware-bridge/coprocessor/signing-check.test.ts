import { Point } from "@noble/ed25519";
import { describe, expect, it } from "vitest";
import { OBJECT_TYPES } from "../../../attest/cose.ts";
import { nativeSuite } from "../../../attest/native.ts";
import { Checklist } from "../../../drivers/kit/checklist.ts";
import { checkPace } from "../../../firmware-bridge/coprocessor/conformance/signing.ts";
import {
  forbiddenMessages,
  neighbours,
  PAYLOAD_BYTES,
  spoiltMessages,
  statement,
} from "../../../firmware-bridge/coprocessor/conformance/statement.ts";
import { SimulatedCoprocessor } from "../../../firmware-bridge/simulated/coprocessor.ts";
import { number, ORDER, sha512, signedWith } from "./broken-ed25519.ts";
import { GRID, SEED, tickingMs } from "./kit.ts";
import { checkedKey, faultsOf, isStatement, KEY, type KeyFaults, plainFirmware } from "./plain-key.ts";

const SWEEP = "sign: refuses a hello with any one of its fixed bytes wrong";
const NONCES = "sign: no two messages with one nonce";

async function found(faults: KeyFaults): Promise<ReadonlyMap<string, string>> {
  return faultsOf(await checkedKey(plainFirmware(faults)));
}

describe("what is asked of a key", () => {
  it("may all be signed, or may not", () => {
    for (const message of neighbours(KEY)) expect(isStatement(message)).toBe(true);
    for (const bytes of PAYLOAD_BYTES)
      expect(isStatement(statement(OBJECT_TYPES.hello, KEY, bytes))).toBe(true);
    for (const { what, message } of forbiddenMessages(KEY)) expect(isStatement(message), what).toBe(false);
    for (const { at, message } of spoiltMessages(KEY)) expect(isStatement(message), `byte ${at}`).toBe(false);
  });

  it("is not asked twice, and every fixed byte of a hello is asked for", () => {
    const hex = (message: Uint8Array): string => Buffer.from(message).toString("hex");
    for (const all of [forbiddenMessages(KEY), spoiltMessages(KEY)])
      expect(new Set(all.map(({ message }) => hex(message))).size).toBe(all.length);
    // Up to the head of the payload, the kid by its two ends.
    const places = spoiltMessages(KEY).map(({ at }) => at);
    expect(places).toEqual([...Array(76).keys()].filter((at) => at <= 20 || at >= 51));
    const names = forbiddenMessages(KEY).map(({ what }) => what);
    expect(new Set(names).size).toBe(names.length);
  });
});

describe("a key that is right", () => {
  it.each([128, 256, 384, 1_024])("has nothing wrong, with buffers of %i bytes", async (bufferBytes) => {
    const results = await checkedKey(plainFirmware(), { bufferBytes });
    expect(faultsOf(results)).toEqual(new Map());
    expect(results.filter(({ outcome }) => outcome === "skipped")).toEqual([]);
  });

  it("has nothing wrong where it signs as RFC 8032 has it, by whatever code", async () => {
    expect(await found({ sign: signedWith((message) => message) })).toEqual(new Map());
  });

  it.each([1, 2] as const)("has nothing wrong in the simulated coprocessor, version %d", async (version) => {
    const simulated = new SimulatedCoprocessor({
      ...{ shown: () => [GRID], monotonicMs: tickingMs(), seed: SEED },
    });
    expect(faultsOf(await checkedKey(simulated.handle, { version }))).toEqual(new Map());
  });

  it("needs no front end", async () => {
    const group = plainFirmware();
    const results = await checkedKey((request) =>
      request.command === 1 ? { rc: 2, commonRc: 6 } : group(request),
    );
    expect(faultsOf(results)).toEqual(new Map());
  });
});

describe("a nonce that is not of the whole message", () => {
  it.each<[string, (message: Uint8Array) => Uint8Array]>([
    ["always the same", () => new Uint8Array(0)],
    ["of the length", ({ length }) => Uint8Array.of(length >> 8, length)],
    ["of the beginning", (message) => message.subarray(0, 100)],
    ["of all but the end", (message) => message.subarray(0, -1)],
    ["of the end", (message) => message.subarray(-128)],
    ["of the beginning and the end", (message) => sha512(message.subarray(0, 128), message.subarray(-128))],
    ["of the payload", (message) => message.subarray(78)],
  ])("is found: %s", async (_what, nonceOf) => {
    const faults = await found({ sign: signedWith(nonceOf) });
    expect([...faults.keys()]).toEqual([NONCES]);
    expect(faults.get(NONCES)).toContain("anybody computes the key");
  });

  it("is one from which the key is computed", () => {
    const sign = signedWith(() => new Uint8Array(0));
    const [one = SEED, other = SEED] = neighbours(KEY);
    const k = (message: Uint8Array, signature: Uint8Array): bigint =>
      number(sha512(signature.subarray(0, 32), KEY, message)) % ORDER;
    const [a, b] = [sign(one), sign(other)];
    expect(nativeSuite.verifySignature(KEY, one, a)).toBe(true);
    const mod = (value: bigint): bigint => ((value % ORDER) + ORDER) % ORDER;
    const scalar =
      mod(number(a.subarray(32)) - number(b.subarray(32))) * power(mod(k(one, a) - k(other, b)), ORDER - 2n);
    expect(Point.BASE.multiply(mod(scalar)).toBytes()).toEqual(KEY);
  });
});

function power(base: bigint, exponent: bigint): bigint {
  let [result, square] = [1n, base];
  for (let left = exponent; left > 0n; left >>= 1n) {
    if ((left & 1n) === 1n) result = (result * square) % ORDER;
    square = (square * square) % ORDER;
  }
  return result;
}

describe("a form that is not looked at to its last byte", () => {
  // Every third one, so that no line says what another one found.
  it.each([0, 1, 2])("is found by each message that may not be signed: %i", async (third) => {
    const signed = forbiddenMessages(KEY).filter((_one, at) => at % 3 === third);
    const signable = (one: Uint8Array): boolean =>
      isStatement(one) || signed.some(({ message }) => Buffer.from(one).equals(message));
    const faults = [...(await found({ signable }))].filter(([name]) => name !== SWEEP);
    expect(faults).toEqual(
      signed.map(({ what }) => [
        `sign: refuses ${what}`,
        "expected coprocessor-not-signable, and it was done",
      ]),
    );
  });

  it.each([0, 11, 20, 51, 60, 73])("is found: byte %i may be any", async (at) => {
    const right = statement(OBJECT_TYPES.hello, KEY)[at] ?? 0;
    const mended = (message: Uint8Array): Uint8Array =>
      at < message.length ? message.with(at, right) : message;
    const faults = await found({
      signable: (message) => isStatement(message) || isStatement(mended(message)),
    });
    expect(faults.get(SWEEP)).toContain(`byte ${at} is`);
  });

  it("is one line where nothing at all is refused", async () => {
    const results = await checkedKey(plainFirmware({ signable: () => true }));
    expect(results).toContainEqual({ name: SWEEP, outcome: "skipped", detail: "it refuses nothing" });
  });
});

describe("a form that is taken too narrowly", () => {
  it("is found: a checkpoint of another log", async () => {
    const faults = await found({
      signable: (message) => isStatement(message) && Buffer.from(message.subarray(20, 52)).equals(KEY),
    });
    expect(faults.get("sign: a checkpoint of any log")).toBe(
      "expected a signature, got coprocessor-not-signable (group 64, rc 5)",
    );
  });

  it.each(PAYLOAD_BYTES)("is found: a payload of %i bytes", async (bytes) => {
    const refused = statement(OBJECT_TYPES.hello, KEY, bytes);
    const faults = await found({
      signable: (message) => isStatement(message) && !Buffer.from(message).equals(refused),
    });
    expect([...faults.values()]).toEqual([
      `${bytes} bytes: expected a signature, got coprocessor-not-signable (group 64, rc 5)`,
    ]);
  });
});

describe("the number of the start", () => {
  const CHECK = "key: its boot is that of sign and of snapshots";

  it.each<[string, KeyFaults["boots"], string]>([
    ["key", { key: 2 }, "boot is 2 with key, and 1 with sign"],
    ["sign", { sign: 3 }, "boot is 1 with key, and 3 with sign"],
    ["snapshots", { key: 4, sign: 4 }, "boot is 4 with key, and 1 in a snapshot"],
  ])("is found where that of %s is another one", async (_what, boots, words) => {
    expect(await found(boots === undefined ? {} : { boots })).toEqual(new Map([[CHECK, words]]));
  });
});

describe("the time of a signature", () => {
  it.each([
    [[40, 43, 2_900], "sign: within a second (median 43 ms of 3)", "passed"],
    [[3_004, 10, 2_998.6], "sign: within a second (median 2999 ms of 3)", "skipped"],
  ])("of %j ms is told by its median", async (tookMs, name, outcome) => {
    const list = new Checklist();
    await checkPace(tookMs, list);
    expect(list.results).toMatchObject([{ name, outcome }]);
  });
});
