import fc from "fast-check";
import { afterAll, describe, expect, it, vi } from "vitest";
import { Problem } from "../../../attest/problem.ts";
import type { ByteLine } from "../../../drivers/line/line.ts";
import type {
  MicrocontrollerMisbehaviour,
  SimulatedMicrocontroller,
} from "../../../firmware-bridge/simulated/microcontroller.ts";
import { SmpConnection } from "../../../firmware-bridge/smp/connection.ts";
import type { UpdateSettings } from "../../../firmware-bridge/update/settings.ts";
import { lineTo } from "../smp/kit.ts";
import { microcontroller, QUICK_CONNECTION, seen, update } from "./kit.ts";

/** Many runs, each with losses that are waited for. */
vi.setConfig({ testTimeout: 180_000 });

type Kind =
  /** The microcontroller loses its power: before a message is heard, or when it has done what it says. */
  | "power-before"
  | "power-after"
  /** The cable is pulled and stays so. */
  | "unplug"
  /** Ctrl-C. */
  | "stop"
  /** The process is gone: it neither hears nor says anything any more. */
  | "kill"
  | "request-lost"
  | "answer-lost"
  | "request-corrupt";

const KINDS: readonly Kind[] = [
  ...(["power-before", "power-after", "unplug", "stop", "kill"] as const),
  ...(["request-lost", "answer-lost", "request-corrupt"] as const),
];

/** At which message what happens, counted from the begin, from the image's being stored, or from the next boot. */
interface Interruption {
  readonly kind: Kind;
  readonly from: "begin" | "stored" | "boot";
  readonly message: number;
}

const at = (from: Interruption["from"], most: number): fc.Arbitrary<Interruption> =>
  fc.record({ kind: fc.constantFrom(...KINDS), from: fc.constant(from), message: fc.nat(most) });

/** Behind the upload the test, the reset and its look follow, then the echo, two looks and the confirmation. */
const interruption: fc.Arbitrary<Interruption> = fc.oneof(at("begin", 20), at("stored", 3), at("boot", 4));

/** A way to a microcontroller on which one thing goes wrong. */
class Disturbed {
  readonly #mcu: SimulatedMicrocontroller;
  readonly #boots: number;
  readonly #what: Interruption;
  readonly #stop = new AbortController();
  #messages = 0;
  #isGone = false;
  happened = false;
  #lines: ByteLine[] = [];

  constructor(mcu: SimulatedMicrocontroller, what: Interruption) {
    this.#mcu = mcu;
    this.#boots = mcu.boots;
    this.#what = what;
  }

  get settings(): Partial<UpdateSettings> {
    return { connect: () => this.#connect(), signal: this.#stop.signal, times: { returnMs: 80 } };
  }

  #connect(): Promise<SmpConnection> {
    if (this.#isGone) throw new Problem("line-not-found", "there is no such port", { where: "test" });
    const line = lineTo((bytes) => this.#answer(bytes));
    this.#lines.push(line);
    return SmpConnection.over(line, QUICK_CONNECTION);
  }

  #answer(bytes: Uint8Array): Uint8Array {
    if (this.#isGone) return new Uint8Array(0);
    this.#messages += bytes[0] === 0x0a || !this.#counts ? 0 : 1;
    if (this.#messages !== this.#what.message + 1 || this.happened) return this.#mcu.receive(bytes);
    this.happened = true;
    return this.#disturb(bytes);
  }

  get #counts(): boolean {
    if (this.#what.from === "boot") return this.#mcu.boots > this.#boots;
    return this.#what.from === "begin" || this.#mcu.slots.image(1)?.whole === true;
  }

  #disturb(bytes: Uint8Array): Uint8Array {
    const { kind } = this.#what;
    const nothing = new Uint8Array(0);
    if (kind === "request-lost") return nothing;
    if (kind === "request-corrupt")
      return this.#mcu.receive(bytes.map((byte, at) => byte ^ (at === 9 ? 1 : 0)));
    if (kind === "power-before") this.#mcu.restart();
    const said = kind === "power-before" ? nothing : this.#mcu.receive(bytes);
    if (kind === "power-after") this.#mcu.restart();
    if (kind === "stop") this.#stop.abort();
    if (kind === "unplug" || kind === "kill") this.#isGone = true;
    if (kind === "unplug") for (const line of this.#lines) void line.close();
    return kind === "stop" ? said : nothing;
  }
}

/** What an interruption may end in; everything else is a fault of the update. */
const KNOWN =
  /^(?:line-(?:closed|not-found|not-open)|smp-(?:timeout|image-not-running)|update-(?:stopped|not-started|no-return|stuck|check|hash))$/;

async function interrupted(work: Promise<unknown>): Promise<string> {
  try {
    await work;
    return "done";
  } catch (error) {
    if (error instanceof Problem && KNOWN.test(error.code)) return error.code;
    throw error;
  }
}

/** All that may be left behind, and what a reset makes of it. */
const AFTER_RESET: ReadonlyMap<string, string> = new Map([
  ["old none", "old none"],
  ["old test", "new revert"],
  ["new revert", "old none"],
  ["new none", "new none"],
]);

const misbehaviours = fc.subarray<MicrocontrollerMisbehaviour>([
  ...(["short-accepts", "indefinite-maps", "log-noise", "no-resume"] as const),
]);

const tally = new Map<string, number>();
afterAll(() => {
  const rows = [...tally].sort().map(([what, count]) => `${what}: ${count}`);
  process.stdout.write(`interrupted updates, by what they left behind: ${rows.join(", ")}\n`);
});

describe("an update that is interrupted at a random message", () => {
  it("and begun again ends with the new image confirmed, and never with neither: 200 times", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(interruption, { minLength: 1, maxLength: 2 }),
        misbehaviours,
        fc.boolean(),
        async (interruptions, names, losesPower) => {
          const mcu = microcontroller({ misbehaviours: names });
          for (const what of interruptions) {
            const disturbed = new Disturbed(mcu, what);
            await interrupted(update(mcu, disturbed.settings));
            const left = seen(mcu);
            expect([...AFTER_RESET.keys()]).toContain(left);
            if (disturbed.happened) tally.set(left, (tally.get(left) ?? 0) + 1);
            if (!losesPower) continue;
            mcu.restart();
            expect([left, seen(mcu)]).toEqual([left, AFTER_RESET.get(left)]);
          }
          const { outcome } = await update(mcu);
          expect(["confirmed", "already-confirmed"]).toContain(outcome);
          mcu.restart();
          expect(seen(mcu)).toBe("new none");
        },
      ),
      {
        numRuns: 200,
        examples: [
          [[{ kind: "stop", from: "stored", message: 1 }], [], false],
          [[{ kind: "kill", from: "boot", message: 1 }], [], true],
        ],
      },
    );
    for (const left of AFTER_RESET.keys()) expect(tally.get(left), left).toBeGreaterThan(0);
  });
});

describe("an update whose confirmation is interrupted", () => {
  /** Of an update without any disturbance: the last two messages are the list before and the confirmation itself. */
  async function messagesOfAll(): Promise<number> {
    const mcu = microcontroller();
    let messages = 0;
    const receive = (bytes: Uint8Array): Uint8Array => {
      messages += bytes[0] === 0x0a ? 0 : 1;
      return mcu.receive(bytes);
    };
    await update({ receive });
    return messages;
  }

  it.each(KINDS)("by %s at each of the last eight messages leaves a way on", async (kind) => {
    const all = await messagesOfAll();
    for (let message = all - 8; message < all; message += 1) {
      const mcu = microcontroller();
      const disturbed = new Disturbed(mcu, { kind, from: "begin", message });
      const ended = await interrupted(update(mcu, disturbed.settings));
      const left = seen(mcu);
      expect(disturbed.happened).toBe(true);
      expect([...AFTER_RESET.keys()], `message ${message}: ${ended}`).toContain(left);
      // Said to be done is done.
      if (ended === "done") expect(left).toBe("new none");
      await update(mcu);
      mcu.restart();
      expect(seen(mcu)).toBe("new none");
    }
  });
});
