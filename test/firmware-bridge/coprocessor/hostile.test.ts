import fc from "fast-check";
import { describe, expect, it, vi } from "vitest";
import { nativeSuite } from "../../../attest/native.ts";
import { Problem } from "../../../attest/problem.ts";
import { coprocessorDriverOver } from "../../../firmware-bridge/coprocessor/driver.ts";
import { CoprocessorLines } from "../../../firmware-bridge/coprocessor/lines.ts";
import { decodeSnapshot } from "../../../firmware-bridge/coprocessor/snapshot.ts";
import { joinLines } from "../../../firmware-bridge/simulated/joined-lines.ts";
import { type SmpMap, type SmpValue, smpMap } from "../../../firmware-bridge/smp/cbor.ts";
import { lineTo } from "../smp/kit.ts";
import { bench, OPTIONS, openSigner, polled, tickingMs } from "./kit.ts";

/** Many runs, each with losses that are waited for. */
vi.setConfig({ testTimeout: 180_000 });

/** Whatever CBOR can be: what the microcontroller does not mean, and what it does not even know. */
const { value } = fc.letrec<{ value: SmpValue }>((tie) => ({
  value: fc.oneof(
    { depthSize: "small", withCrossShrink: true },
    fc.maxSafeInteger(),
    fc.bigInt({ min: -(2n ** 64n), max: 2n ** 64n - 1n }),
    fc.boolean(),
    fc.constant(null),
    fc.string({ maxLength: 12 }),
    fc.uint8Array({ maxLength: 80 }),
    fc.array(tie("value"), { maxLength: 4 }),
    fc.dictionary(fc.string({ maxLength: 4 }), tie("value"), { maxKeys: 4 }).map(smpMap),
  ),
}));
/** Fields that are asked for, with anything in them. */
const KEYS = [
  "kw",
  "sn",
  "ch",
  "s",
  "age",
  "alg",
  "pub",
  "max",
  "off",
  "sig",
  "boot",
  "n",
  "rc",
  "err",
  "make",
];
const odd = fc
  .array(fc.tuple(fc.constantFrom(...KEYS), value), { maxLength: 5 })
  .map((fields) => new Map<string, SmpValue>(fields));

interface Told {
  /** What takes the place of fields of the right answer, or of all of it. */
  readonly fields: SmpMap;
  readonly whole: boolean;
  readonly noise: Uint8Array;
}

const told: fc.Arbitrary<Told | undefined> = fc.option(
  fc.record({ fields: odd, whole: fc.boolean(), noise: fc.uint8Array({ maxLength: 200 }) }),
  { nil: undefined, freq: 4 },
);

describe("a coprocessor that answers anything", () => {
  it("ends every conversation in words, with no reading that it did not give and no signature that is none", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(told, { minLength: 1, maxLength: 12 }), async (script) => {
        const left = [...script];
        const place = bench({
          monotonicMs: tickingMs(),
          exchanged: (_command, answer) => {
            const next = left.shift();
            if (next === undefined || answer === undefined || "rc" in answer) return answer;
            return next.whole ? next.fields : new Map([...answer, ...next.fields]);
          },
          settings: { timeoutMs: 25, attempts: 1 },
        });
        const driver = coprocessorDriverOver(place.lines);
        const meter = polled(driver.open(driver.schema.parse(OPTIONS)));
        for (let turn = 0; turn < 4; turn += 1) {
          const snapshot = await meter
            .identify()
            .then(() => meter.read())
            .catch(problemOf);
          if (snapshot instanceof Problem) continue;
          // A reading is what the bytes of its evidence say, whatever stood around them.
          const [frame] = snapshot.frames ?? [];
          const { channels } = decodeSnapshot(frame?.bytes ?? new Uint8Array(0));
          expect(snapshot.readings).toEqual(
            channels.map(({ reading }) => ({ ...reading, evidence: frame?.digest })),
          );
        }
        const message = new Uint8Array(40).fill(1);
        const signer = await openSigner(place).catch(problemOf);
        if (!(signer instanceof Problem)) {
          const signature = await signer.signer.sign(message).catch(problemOf);
          if (!(signature instanceof Problem))
            expect(nativeSuite.verifySignature(signer.signer.publicKey, message, signature)).toBe(true);
          await signer.signer.close();
        }
        await meter.close();
      }),
      { numRuns: 60 },
    );
  });

  it("of which no byte fits is silent, however much it says", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.uint8Array({ maxLength: 3000 }), { minLength: 1 }), async (said) => {
        let at = 0;
        const lines = new CoprocessorLines(
          () =>
            lineTo(() => {
              at += 1;
              return said[at % said.length] ?? new Uint8Array(0);
            }),
          { timeoutMs: 5, attempts: 1 },
        );
        const driver = coprocessorDriverOver(lines);
        const meter = polled(driver.open(driver.schema.parse(OPTIONS)));
        expect(await meter.identify().catch(problemOf)).toBeInstanceOf(Problem);
        await meter.close();
      }),
      { numRuns: 20 },
    );
  });
});

describe("log text without an end", () => {
  const LOG = new Uint8Array(4096).fill(0x2e);

  it("keeps no answer from being found, and no memory", async () => {
    const [near, far] = joinLines("test");
    const { mcu } = bench();
    let isTalking = true;
    const pour = async (): Promise<void> => {
      while (isTalking) {
        await far.write(LOG).catch(() => undefined);
        await new Promise((resolve) => setImmediate(resolve));
      }
    };
    const onBytes = (bytes: Uint8Array): void => {
      const answer = mcu.receive(bytes);
      if (answer.length > 0) far.write(answer).catch(() => undefined);
    };
    await far.open({ onBytes, onClosed: () => undefined });
    const pouring = pour();
    const lines = new CoprocessorLines(() => near, { timeoutMs: 2000, attempts: 1 });
    const driver = coprocessorDriverOver(lines);
    const meter = polled(driver.open(driver.schema.parse({ ...OPTIONS, timeoutMs: 2000 })));
    await meter.identify();
    expect((await meter.read()).readings).toHaveLength(1);
    // Nobody asks for a while: what is said then is kept nowhere.
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect((await meter.read()).readings).toHaveLength(1);
    isTalking = false;
    await pouring;
  });
});

function problemOf(error: unknown): Problem {
  if (error instanceof Problem) return error;
  throw error;
}
