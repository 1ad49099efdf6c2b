import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { MAX_FRAME_BYTES } from "../../drivers/evidence/decode.ts";
import { bundledProfile, bundledProfiles } from "../../drivers/profile/bundled.ts";
import { gatewayCatalogue } from "../../firmware-bridge/catalogue.ts";
import { decodeGatewayEvidence, gatewayDecodesWithoutProfile } from "../../firmware-bridge/evidence.ts";
import { STEADY_FRAME } from "./pulse/pulse-frames.ts";

const ENTRY = new URL("../../firmware-bridge/evidence.ts", import.meta.url).href;

/** A program that loads a module and prints the address of everything that came with it. */
const LOADS = `
import { registerHooks } from "node:module";
const seen = new Set();
registerHooks({ resolve: (name, context, next) => {
  const found = next(name, context);
  seen.add(found.url);
  return found;
} });
await import(process.argv[1]);
console.log(JSON.stringify([...seen]));
`;

function decoded(driver: string, text: string): ReturnType<typeof decodeGatewayEvidence> {
  return decodeGatewayEvidence(driver, { make: "" }, new TextEncoder().encode(text));
}

describe("the evidence of a gateway", () => {
  it("is decoded for every driver that has no profile", () => {
    const profiles = new Set(["profile", ...bundledProfiles()]);
    const own = gatewayCatalogue.names.filter((name) => !profiles.has(name));
    expect(own).toEqual(expect.arrayContaining(["s0-pulse", "coprocessor", "dsmr-p1", "sunspec"]));
    expect(own.filter((name) => !gatewayDecodesWithoutProfile(name))).toEqual([]);
    expect(gatewayDecodesWithoutProfile("eastron-sdm630")).toBe(false);
  });

  it("is decoded without lines, processes, or anything that is installed", () => {
    const printed = execFileSync(process.execPath, ["--input-type=module", "-e", LOADS, "--", ENTRY], {
      encoding: "utf8",
    });
    const urls: string[] = JSON.parse(printed);
    expect(urls).toEqual(expect.arrayContaining([ENTRY, expect.stringMatching(/pulse\/evidence\.ts$/)]));
    const allowed = /^node:(?:crypto|util)$|\/(?:attest|drivers|firmware-bridge)\/[a-z0-9/-]+\.ts$/;
    expect(urls.filter((url) => !allowed.test(url))).toEqual([]);
  });

  it("of pulses says register, power and the step of the constant", () => {
    const evidence = new Uint8Array(createHash("sha256").update(STEADY_FRAME).digest());
    const reading = { channel: "load", importMwh: 1_239_211_000, activePowerMw: 1_000_000, evidence };
    const step = { resolutionMwh: 1000 };
    expect(decoded("s0-pulse", STEADY_FRAME)).toEqual({
      channels: [{ role: "load", reading, ...step, described: step }],
    });
    const thirds = decoded("s0-pulse", STEADY_FRAME.replace("1000/1", "3/1"));
    expect(thirds).toMatchObject({ channels: [{ described: { resolutionMwh: 333_334 } }] });
  });

  it.each([
    ["s0-pulse", STEADY_FRAME.replace("count", "coumt"), "not a frame of counted pulses"],
    ["s0-pulse", STEADY_FRAME.replace("4711", "9007199254740993"), "not a frame of counted pulses"],
    ["s0-pulse", STEADY_FRAME.replace("1234500000", "9007199254740991"), "beyond what a reading can carry"],
    ["coprocessor", STEADY_FRAME, "the answer is not as the protocol has it"],
    ["s0-pulse", "x".repeat(MAX_FRAME_BYTES + 1), "longer than"],
    ["nobody", STEADY_FRAME, "cannot be decoded here"],
  ])("of %s that is none says why: %#", (driver, text, why) => {
    expect(decoded(driver, text)).toEqual({ cannotDecode: expect.stringContaining(why) });
  });

  it("with a profile is the profile's, whatever the driver is called", () => {
    const profile = bundledProfile("eastron-sdm630");
    const bytes = new TextEncoder().encode(STEADY_FRAME);
    expect(decodeGatewayEvidence("s0-pulse", { make: "", profile }, bytes)).toHaveProperty("cannotDecode");
  });

  it("never throws for bytes", () => {
    const bytes = fc.uint8Array({ maxLength: 300 });
    const changed = fc
      .tuple(fc.nat(STEADY_FRAME.length - 1), fc.nat(255))
      .map(([at, byte]) => Buffer.from(STEADY_FRAME, "latin1").fill(byte, at, at + 1));
    fc.assert(
      fc.property(fc.constantFrom("s0-pulse", "coprocessor"), fc.oneof(bytes, changed), (driver, frame) => {
        const found = decodeGatewayEvidence(driver, { make: "" }, new Uint8Array(frame));
        expect(Object.keys(found)).toHaveLength(1);
      }),
      { numRuns: 500 },
    );
  });
});
