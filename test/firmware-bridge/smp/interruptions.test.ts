import fc from "fast-check";
import { describe, expect, it, vi } from "vitest";
import { Problem } from "../../../attest/problem.ts";
import { readImage } from "../../../firmware-bridge/simulated/mcuboot-image.ts";
import type {
  MicrocontrollerMisbehaviour,
  SimulatedMicrocontroller,
} from "../../../firmware-bridge/simulated/microcontroller.ts";
import { SmpConnection } from "../../../firmware-bridge/smp/connection.ts";
import { confirmImage, hasHash, listImages, testImage } from "../../../firmware-bridge/smp/image-group.ts";
import { reset } from "../../../firmware-bridge/smp/os-group.ts";
import { uploadImage } from "../../../firmware-bridge/smp/upload.ts";
import { lineTo, microcontroller, NEW, OLD } from "./kit.ts";

/** Many runs, each with losses that are waited for. */
vi.setConfig({ testTimeout: 180_000 });

const HASH = readImage(NEW)?.hash ?? new Uint8Array(0);
const TIMES = { timeoutMs: 6, attempts: 2 };

type Kind = "power" | "line" | "abort" | "request-lost" | "answer-lost" | "request-corrupt";

/** At which message what happens. */
interface Interruption {
  readonly kind: Kind;
  readonly message: number;
}

const interruption = (messages: number): fc.Arbitrary<Interruption> =>
  fc.record({
    kind: fc.constantFrom<Kind>("power", "line", "abort", "request-lost", "answer-lost", "request-corrupt"),
    message: fc.nat(messages),
  });

/** A connection on which one thing goes wrong; the device has its power cut before it answers. */
async function disturbed(
  mcu: SimulatedMicrocontroller,
  { kind, message }: Interruption,
): Promise<{ readonly connection: SmpConnection; readonly signal: AbortSignal }> {
  const abort = new AbortController();
  let messages = 0;
  const answer = (bytes: Uint8Array): Uint8Array => {
    messages += bytes[0] === 0x0a ? 0 : 1;
    if (messages !== message + 1) return mcu.receive(bytes);
    if (kind === "request-lost") return new Uint8Array(0);
    const said = mcu.receive(
      kind === "request-corrupt" ? bytes.map((byte, at) => (at === 9 ? byte ^ 1 : byte)) : bytes,
    );
    if (kind === "power") mcu.restart();
    if (kind === "abort") abort.abort();
    if (kind === "line") void line.close();
    return kind === "power" || kind === "answer-lost" ? new Uint8Array(0) : said;
  };
  const line = lineTo(answer);
  return { connection: await SmpConnection.over(line, TIMES), signal: abort.signal };
}

/** What an interruption may end in; everything else is a fault of the client. */
async function interrupted(work: Promise<unknown>): Promise<void> {
  try {
    await work;
  } catch (error) {
    const known = error instanceof Problem && /^(?:smp-(?:timeout|aborted|image-)|line-)/.test(error.code);
    if (!known) throw error;
  }
}

function holds(mcu: SimulatedMicrocontroller, slot: 0 | 1, image: Uint8Array): boolean {
  return Buffer.from(mcu.slots.flash(slot)).subarray(0, image.length).equals(image);
}

const misbehaviours = fc.subarray<MicrocontrollerMisbehaviour>([
  ...([
    "short-accepts",
    "wrong-offset",
    "reset-in-upload",
    "indefinite-maps",
    "log-noise",
    "no-resume",
  ] as const),
]);

describe("an interrupted upload", () => {
  it("leaves the old image running, and the next one ends with the new image whole: 100 times", async () => {
    let unfinished = 0;
    await fc.assert(
      fc.asyncProperty(interruption(30), misbehaviours, async (what, names) => {
        const mcu = microcontroller({ misbehaviours: names });
        const { connection, signal } = await disturbed(mcu, what);
        await interrupted(uploadImage(connection, NEW, { signal, firstTimeoutMs: 6 }));
        await connection.close();
        unfinished += holds(mcu, 1, NEW) ? 0 : 1;
        expect(holds(mcu, 0, OLD)).toBe(true);
        expect(mcu.slots.swap).toBe("none");

        const again = await SmpConnection.over(
          lineTo((bytes) => mcu.receive(bytes)),
          TIMES,
        );
        await uploadImage(again, NEW, { firstTimeoutMs: 6 });
        expect([holds(mcu, 0, OLD), holds(mcu, 1, NEW)]).toEqual([true, true]);
        await again.close();
      }),
      // An upload that begins anew loses pieces again that it had got past before.
      { numRuns: 100, examples: [[{ kind: "power", message: 22 }, ["wrong-offset"]]] },
    );
    expect(unfinished).toBeGreaterThan(3);
  });
});

/** Upload, test, reset, look, confirm: as far as what the microcontroller says allows. */
async function update(connection: SmpConnection, signal?: AbortSignal): Promise<void> {
  const running = async (): Promise<boolean> =>
    (await listImages(connection)).some((slot) => slot.active && hasHash(slot, HASH));
  if (!(await running())) {
    const options = signal === undefined ? {} : { signal };
    await uploadImage(connection, NEW, { ...options, firstTimeoutMs: 6 });
    await testImage(connection, HASH);
    await reset(connection);
  }
  if (await running()) await confirmImage(connection, HASH);
}

/** Which image is in slot 0, and what the next reset will do. */
function seen(mcu: SimulatedMicrocontroller): string {
  const running = holds(mcu, 0, NEW) ? "new" : holds(mcu, 0, OLD) ? "old" : "neither";
  return `${running} ${mcu.slots.swap}`;
}

/** All that an interrupted update may leave behind, and what a reset makes of it. */
const AFTER_RESET: Readonly<Record<string, string>> = {
  "old none": "old none",
  "old test": "new revert",
  "new revert": "old none",
  "new none": "new none",
};

describe("an interrupted update", () => {
  it("leaves a whole image running and an unconfirmed one with a way back: 100 times", async () => {
    const ends = new Set<string>();
    await fc.assert(
      fc.asyncProperty(interruption(38), async (what) => {
        const mcu = microcontroller();
        const { connection, signal } = await disturbed(mcu, what);
        await interrupted(update(connection, signal));
        await connection.close();
        const before = seen(mcu);
        ends.add(before);
        mcu.restart();
        // Never neither, never for good without its confirmation, and always a way back.
        expect([before, seen(mcu)]).toEqual([before, AFTER_RESET[before]]);
      }),
      { numRuns: 100 },
    );
    expect(ends).toContain("old none");
    expect(ends).toContain("new none");
  });
});
