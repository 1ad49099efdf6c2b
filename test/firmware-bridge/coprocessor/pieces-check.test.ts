import { describe, expect, it } from "vitest";
import { SimulatedCoprocessor } from "../../../firmware-bridge/simulated/coprocessor.ts";
import { GRID, SEED, tickingMs } from "./kit.ts";
import { checkedKey, faultsOf, type KeyFaults, plainFirmware } from "./plain-key.ts";

const ELSEWHERE = "sign: nothing is taken of a piece that is not where the last one ended";
const ANEW = "sign: off 0 begins anew in the middle of a message";
const LATE = "sign: len with a later piece does not change the length";
const BETWEEN = "sign: other commands leave the pieces of a message alone";
const AFTER = "sign: nothing is there after a signature";
const REFUSED = "coprocessor-not-signable (group 64, rc 5)";

describe("a message in pieces", () => {
  it.each<[string, KeyFaults, string, string]>([
    [
      "is taken whatever its off",
      { takesAnywhere: true },
      ELSEWHERE,
      "48 bytes were there, a piece with off 56 came: got 96",
    ],
    ["stays after its signature", { remembers: true }, AFTER, "expected off 0, got 176"],
    [
      "cannot be begun anew",
      { keepsFirst: true },
      ANEW,
      "expected off, or a signature, got coprocessor-unknown (group 64, rc 1)",
    ],
    ["changes its length", { lateLength: "taken" }, LATE, `expected off, or a signature, got ${REFUSED}`],
    [
      "is spoilt by other commands",
      { sharesBuffer: true },
      BETWEEN,
      `expected the message as it was before describe, read, key and echo, got ${REFUSED}`,
    ],
  ])("is found where it %s", async (_what, faults, check, words) => {
    expect(faultsOf(await checkedKey(plainFirmware(faults)))).toEqual(new Map([[check, words]]));
  });

  it("is found where it is forgotten for other commands", async () => {
    const group = plainFirmware();
    const results = await checkedKey((request) => {
      // What the next piece is answered with where nothing is there.
      if (request.command < 2) group({ ...request, operation: "write", command: 3, fields: new Map() });
      return group(request);
    });
    expect(faultsOf(results)).toEqual(
      new Map([[BETWEEN, "48 bytes were there, and 0 behind describe, read, key and echo"]]),
    );
  });

  it.each<[string, KeyFaults]>([
    ["ignores a len that comes late", { lateLength: "ignored" }],
    ["refuses a len that comes late", { lateLength: "refused" }],
    ["takes a part of each piece", { takes: (bytes) => Math.min(bytes, 29) }],
    ["takes a byte of each piece", { takes: (bytes) => Math.min(bytes, 5) }],
  ])("has nothing wrong where it %s", async (_what, faults) => {
    expect(faultsOf(await checkedKey(plainFirmware(faults)))).toEqual(new Map());
  });

  it.each(["short-pieces"] as const)(
    "has nothing wrong in the simulated coprocessor that has %s",
    async (one) => {
      const simulated = new SimulatedCoprocessor({
        ...{ shown: () => [GRID], monotonicMs: tickingMs(), seed: SEED, misbehaviours: [one] },
      });
      expect(faultsOf(await checkedKey(simulated.handle))).toEqual(new Map());
    },
  );
});
