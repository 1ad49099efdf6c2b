import { describe, expect, it } from "vitest";
import { equalBytes } from "../../../attest/bytes.ts";
import { isFaultFile } from "../../../attest/fault.ts";
import { judgeFault } from "../../../attest/fault-judge.ts";
import { verifyFault } from "../../../attest/fault-verify.ts";
import { verifyProof } from "../../../attest/proof-verify.ts";
import { judge } from "../../../attest/verdict.ts";
import { type Item, itemAt, pathsOf, readItems, replaceAt, writeItems } from "./cbor-tree.ts";
import { namedRefusalOf } from "./codes.ts";
import { evidenceOf } from "./evidence.ts";
import { isLong, PATIENCE_MS } from "./runs.ts";
import { real } from "./suites.ts";
import { Truth } from "./truth.ts";

/** In a long run (KILOWITNESS_FUZZ_RUNS) all exchanges between any two files, otherwise one of seven. */
const STRIDE = isLong ? 1 : 7;
let places = 0;

const evidence = await evidenceOf(real);
const truth = new Truth(evidence);
const { suite } = evidence.world;
const nobody = { deviceKeys: [], nodeKeys: [], witnesses: 1 };

function check(bytes: Uint8Array): string | undefined {
  return namedRefusalOf(() =>
    isFaultFile(bytes)
      ? judgeFault(suite, verifyFault(suite, bytes), nobody)
      : judge(suite, verifyProof(suite, bytes), nobody),
  );
}

/** Files that differ from `into` only in that something stands there which in `from` stands at the same place. */
function* exchanges(into: readonly Item[], from: readonly Item[]): Generator<Uint8Array> {
  const bytes = writeItems(into);
  for (const path of pathsOf(into)) {
    const other = itemAt(from, path);
    if (other === undefined || places++ % STRIDE !== 0) continue;
    const exchanged = writeItems(replaceAt(into, path, [other]));
    if (!equalBytes(exchanged, bytes)) yield exchanged;
  }
}

describe("whatever stands at one place in two files", () => {
  const files = { ...evidence.proofs, ...evidence.faults };
  const trees = Object.values(files).map((bytes) => readItems(bytes) ?? []);

  it("is read and written loosely as it was", () => {
    for (const [at, bytes] of Object.values(files).entries())
      expect(writeItems(trees[at] ?? [])).toEqual(bytes);
  });

  it("makes no third file that says more than was true", { timeout: PATIENCE_MS }, () => {
    let [tried, taken] = [0, 0];
    for (const into of trees) {
      for (const from of trees) {
        for (const bytes of exchanges(into, from)) {
          tried += 1;
          if (check(bytes) !== undefined) continue;
          taken += 1;
          truth.require(bytes);
        }
      }
    }
    expect(tried).toBeGreaterThan(500);
    console.log(`fuzz: ${tried} exchanges between files, ${taken} taken as what was true`);
  });
});
