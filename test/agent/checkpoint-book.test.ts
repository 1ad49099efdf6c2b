import { join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { Problem } from "../../attest/problem.ts";
import type { LocalSigner } from "../../attest/signature.ts";
import { useStations } from "./journal/ledger-kit.ts";
import { deviceSigner, openBench, sealReadings, temporaryFolder } from "./kit.ts";
import { signedCheckpoints } from "./signed-checkpoints.ts";

let folder = "";
let remove = (): void => undefined;
beforeEach(() => {
  ({ folder, remove } = temporaryFolder());
});
afterEach(() => remove());

/** A signer elsewhere: it makes each signature, and the answer is lost where `answers` says so. */
class Elsewhere implements LocalSigner {
  readonly publicKey = deviceSigner.publicKey;
  readonly heard: Uint8Array[] = [];
  answers = true;

  sign(message: Uint8Array): Uint8Array {
    this.heard.push(message.slice());
    if (this.answers) return deviceSigner.sign(message);
    throw new Problem("signer-silent", "the answer was lost");
  }
}

const attempts = fc.array(fc.record({ readings: fc.constantFrom(0, 0, 1, 3, 1100), answers: fc.boolean() }), {
  minLength: 3,
  maxLength: 7,
});

describe("checkpoints of a signer that may be silent", () => {
  it("are never two of one size, whatever answers are lost, and are all there when it is back", async () => {
    let run = 0;
    const property = fc.asyncProperty(attempts, async (steps) => {
      run += 1;
      const signer = new Elsewhere();
      const bench = openBench(join(folder, `${run}.sqlite`), { signer });
      for (const { readings, answers } of [...steps, { readings: 0, answers: true }]) {
        sealReadings(bench, readings);
        // A checkpoint that is made anew says another time.
        bench.time.advance(1000);
        signer.answers = answers;
        if (!bench.sealer.hasNews) continue;
        const outcome = bench.sealer.checkpoint();
        if (answers) expect(await outcome).toBe(bench.sealer.durableSize);
        else await expect(outcome).rejects.toMatchObject({ code: "signer-silent" });
      }
      const said = signedCheckpoints(signer.heard);
      expect(said.length).toBeGreaterThan(0);
      expect(said.filter(({ texts }) => texts > 1)).toEqual([]);
      bench.log.journal.close();
    });
    await fc.assert(property, { numRuns: 10 });
  });

  const station = useStations();

  it("are not kept where the log went on in another epoch while they were signed", async () => {
    const one = station().read(3);
    const { sealer } = one.ledger;
    const asked = sealer.checkpoint();
    one.ledger.nextEpoch({ epoch: 2, reason: "test" });
    await expect(asked).rejects.toMatchObject({ code: "epoch-superseded" });
    await expect(sealer.checkpoint()).rejects.toMatchObject({ code: "epoch-superseded" });
    await one.settle();
    expect(one.ledger.log.journal.lastCheckpoint(1)).toBeUndefined();
    expect(await one.ledger.checkpoint()).toBe(one.ledger.sealer.durableSize);
  });
});
