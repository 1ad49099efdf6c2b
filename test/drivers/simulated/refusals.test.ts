import { describe, expect, it } from "vitest";
import type { CompiledProfile } from "../../../drivers/profile/compiled.ts";
import { benches, profileOf } from "./kit.ts";

/* Profiles that no device can be simulated for: what is wrong is said before anything listens. */

const bench = benches();
const SIGN = { positive: "import", source: "a test's own" };
const at = (address: number, rest: object): object => ({ snapshot: "all", address, ...rest });
const snapshots = { all: { table: "holding", start: 100, count: 60 } };
const power = at(100, { type: "s32", unit: "W" });

function gridProfile(
  points: Readonly<Record<string, object>>,
  channel: object,
  parts: object = {},
): CompiledProfile {
  return profileOf({ snapshots, points, channels: { grid: { role: "grid", ...channel } }, ...parts });
}

describe("a profile that cannot be simulated", () => {
  const refused: readonly (readonly [string, string, () => CompiledProfile])[] = [
    [
      "a pattern that no text is found for",
      "simulate-identity",
      () =>
        gridProfile(
          { power, code: at(102, { type: "text", registers: 2 }) },
          { power: "power", sign: SIGN },
          {
            identity: { make: "T", model: "T", match: [{ point: "code", pattern: "^(?=A)A$" }] },
          },
        ),
    ],
    [
      "a number that no register can hold",
      "simulate-identity",
      () =>
        gridProfile(
          { power, code: at(102, { type: "u16" }) },
          { power: "power", sign: SIGN },
          {
            identity: { make: "T", model: "T", match: [{ point: "code", equals: [70_000] }] },
          },
        ),
    ],
    [
      "an object that no text is found for",
      "simulate-identity",
      () =>
        gridProfile(
          { power },
          { power: "power", sign: SIGN },
          {
            identity: { make: "T", model: "T", match: [{ deviceIdentification: { vendorName: "(a)\\1" } }] },
          },
        ),
    ],
    [
      "points over each other",
      "simulate-overlap",
      () =>
        gridProfile(
          { power, import: at(101, { type: "u32", unit: "kWh", kind: "counter" }) },
          { power: "power", sign: SIGN, import: "import" },
        ),
    ],
    [
      "a power that none fits",
      "simulate-range",
      () =>
        gridProfile(
          { power: at(100, { type: "s16", unit: "W", valid: { max: 1 } }) },
          { power: "power", sign: SIGN },
        ),
    ],
    [
      "one register for two things",
      "simulate-conflict",
      () =>
        profileOf({
          snapshots,
          points: { power },
          channels: {
            grid: { role: "grid", power: "power", sign: SIGN },
            load: { role: "load", power: "power", sign: SIGN },
          },
        }),
    ],
    [
      "a scale that none fits",
      "simulate-scale",
      () =>
        gridProfile(
          {
            power: at(100, {
              type: "u16",
              unit: "W",
              scaleBy: { point: "scale", as: "table", table: { 300: 1 } },
            }),
            scale: at(101, { type: "u16", bits: [0, 8] }),
          },
          { power: "power", sign: SIGN },
        ),
    ],
    [
      "a direction that nothing says",
      "simulate-state",
      () =>
        gridProfile(
          {
            power: at(100, { type: "u16", unit: "W", negativeWhen: { point: "way", equals: [0, 1] } }),
            way: at(101, { type: "u16", bits: [3, 1] }),
          },
          { power: "power", sign: { ...SIGN, positive: "export" } },
        ),
    ],
  ];
  it.each(refused)("says in one sentence what is wrong with %s", async (_, code, compiled) => {
    await expect(bench(compiled())).rejects.toMatchObject({ code });
  });
});
