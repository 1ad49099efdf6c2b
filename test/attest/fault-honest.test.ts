import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { encodeFault, type Fault, joinObjects } from "../../attest/fault.ts";
import { type FaultPolicy, judgeFault } from "../../attest/fault-judge.ts";
import { ShownLeaves } from "../../attest/fault-leaves.ts";
import { contradictionOf } from "../../attest/fault-rules.ts";
import { verifyFault } from "../../attest/fault-verify.ts";
import type { Leaf } from "../../attest/leaf.ts";
import type { LogBuilder } from "../kit/log-builder.ts";
import { attackOn } from "./fault-attack.ts";
import { beginnings, device, histories, openedLog, otherDevice, play, suite } from "./fault-kit.ts";
import { Dice, subsetOf } from "./fault-subsets.ts";
import { type World, worldEvents, worldOf } from "./fault-world.ts";
import {
  countersigned,
  node as keyNode,
  registrar,
  revocation,
  rotation,
  statement,
} from "./key-life-kit.ts";
import { refusalOf } from "./refusal.ts";

const SUBSETS_OF_A_LOG = 50;
const ATTACKS_ON_A_WORLD = 40;

/** Parts of an honest log, each under one of its checkpoints. */
function* partsOf(log: LogBuilder, seed: number): Generator<ShownLeaves> {
  const dice = new Dice(seed);
  for (let i = 0; i < SUBSETS_OF_A_LOG; i++) {
    const { checkpoint } = dice.pick(log.checkpoints);
    const leaves = log.leaves.slice(0, checkpoint.size).map(({ leaf }) => leaf);
    const all = subsetOf(leaves, dice).flatMap(({ seq }) => log.leaves[seq] ?? []);
    yield new ShownLeaves({ identity: log.rules.identity, checkpoint }, all);
  }
}

describe("an honest device", () => {
  it("is accused by no rule, whatever part of its log is shown", async () => {
    const kinds = new Map<Leaf["kind"], number>();
    await fc.assert(
      fc.asyncProperty(histories, beginnings, fc.nat(), async (events, beginning, seed) => {
        const log = await play(openedLog(beginning), events);
        for (const shown of partsOf(log, seed)) expect(contradictionOf(shown)).toBeUndefined();
        for (const { leaf } of log.leaves) kinds.set(leaf.kind, (kinds.get(leaf.kind) ?? 0) + 1);
      }),
      { numRuns: Number(process.env["HONEST_RUNS"] ?? 150) },
    );
    for (const kind of ["intervalClose", "discontinuity", "clockStep", "channelManifest", "opaque"] as const)
      expect([kind, (kinds.get(kind) ?? 0) > 50]).toEqual([kind, true]);
  });

  it("is accused by no file, whatever is made of all that it ever signed", async () => {
    const refusals = new Map<string, number>();
    await fc.assert(
      fc.asyncProperty(worldEvents, fc.nat(), async (events, seed) => {
        const world = await worldOf(events);
        const dice = new Dice(seed);
        for (let i = 0; i < ATTACKS_ON_A_WORLD; i++) {
          const fault = attackOn(world, dice);
          const code = refusalOf(() => verifyFault(suite, encodeFault(fault)));
          expect(code).toBeDefined();
          const name = `${fault.fault} ${code}`;
          refusals.set(name, (refusals.get(name) ?? 0) + 1);
        }
      }),
      { numRuns: Number(process.env["HONEST_RUNS"] ?? 80) },
    );
    // Most of what is tried is sound to the last signature and fails only because it shows nothing.
    for (const name of ["fork", "two-epochs", "false-leaf"])
      expect([name, (refusals.get(`${name} fault-nothing`) ?? 0) > 100]).toEqual([name, true]);
  });
});

/** What a device that has left its key, its nodes and its owner ever signed about keys. */
async function keyObjects({ logs }: World): Promise<KeyObjects> {
  const [first, , last] = logs;
  if (first === undefined || last === undefined) throw new Error("no first or no last epoch");
  const { logId: lastLogId, identity } = last.rules;
  const lastSize = last.checkpoints.at(-1)?.checkpoint.size ?? 0;
  const cut = { logId: first.rules.logId, epoch: 1, cutSize: 3 };
  const ofLast = { lastLogId, lastEpoch: identity.epoch, lastSize };
  return {
    statements: [await statement(), await statement({}, otherDevice)],
    countersignatures: [await countersigned(), await countersigned(await statement({}, otherDevice))],
    rotations: [await rotation(ofLast)],
    revocations: [await revocation(cut), await revocation(cut, registrar)],
  };
}

interface KeyObjects {
  readonly statements: readonly Uint8Array[];
  readonly countersignatures: readonly Uint8Array[];
  readonly rotations: readonly Uint8Array[];
  readonly revocations: readonly Uint8Array[];
}

describe("an honest device that has left its key", () => {
  const policies: readonly FaultPolicy[] = [
    { deviceKeys: [], nodeKeys: [] },
    { deviceKeys: [device.publicKey], nodeKeys: [] },
    { deviceKeys: [], nodeKeys: [keyNode.publicKey], registrarKeys: [registrar.publicKey] },
    { deviceKeys: [], nodeKeys: [keyNode.publicKey], network: "other-network" },
  ];

  it("is not accused by any file about that key, whomever the reader trusts", async () => {
    const seen = new Map<string, number>();
    await fc.assert(
      fc.asyncProperty(worldEvents, fc.nat(), async (events, seed) => {
        const world = await worldOf(events);
        const objects = await keyObjects(world);
        const dice = new Dice(seed);
        for (let i = 0; i < ATTACKS_ON_A_WORLD; i++) {
          const bytes = encodeFault(keyAttackOn(world, objects, dice));
          const policy = dice.pick(policies);
          const rule = refusalOf(() => judgeFault(suite, verifyFault(suite, bytes), policy));
          const verdict =
            rule === undefined ? judgeFault(suite, verifyFault(suite, bytes), policy) : undefined;
          expect(verdict?.guilty ?? "nobody").toBe("nobody");
          const name = rule ?? verdict?.rule ?? "none";
          seen.set(name, (seen.get(name) ?? 0) + 1);
        }
      }),
      { numRuns: 15 },
    );
    for (const name of ["unknown-key", "fault-nothing", "revoked-key", "wrong-network"])
      expect([name, (seen.get(name) ?? 0) > 3]).toEqual([name, true]);
  });
});

/** Any checkpoint with any of what was ever said about keys; mostly what belongs together, and sometimes not. */
function keyAttackOn(world: World, objects: KeyObjects, dice: Dice): Fault {
  const log = dice.chance(90) ? dice.pick(world.logs) : world.neighbour;
  const [first, second] = [objects.statements, objects.countersignatures];
  const swapped = dice.chance(90) ? 0 : 1;
  const [statement, countersignature] = [
    first[swapped],
    dice.chance(90) ? second[swapped] : dice.pick(second),
  ];
  return {
    ...{ fault: "key", ...log.rules.identity, checkpoint: dice.pick(log.checkpoints).bytes },
    ...(dice.chance(50) ? { revocations: [dice.pick(objects.revocations)] } : {}),
    ...(dice.chance(80) && statement !== undefined ? { statement } : {}),
    ...(dice.chance(80) && countersignature !== undefined ? { countersignature } : {}),
    ...(dice.chance(50) ? { rotations: joinObjects(objects.rotations) } : {}),
  };
}

/** Rules as they would be written in haste: each forgets what may not be shown, or may lie between. */
const HASTY: Readonly<Record<string, (before: Leaf, leaf: Leaf) => boolean>> = {
  "a register that is lower, with whatever between": (before, leaf) =>
    before.kind === "reading" && leaf.kind === "reading" && before.channel === leaf.channel
      ? (leaf.importMwh ?? Infinity) < (before.importMwh ?? 0)
      : false,
  "a time that is earlier, with whatever between": (before, leaf) =>
    "channel" in before &&
    "channel" in leaf &&
    before.channel === leaf.channel &&
    leaf.timeMs < before.timeMs,
  "a clock that is known and was not": (before, leaf) => leaf.timeQuality >= 2 !== before.timeQuality >= 2,
  "a pause between two readings that are shown": (before, leaf) =>
    before.kind === "reading" && leaf.kind === "reading" && before.channel === leaf.channel
      ? leaf.timeMs - before.timeMs > 180_000
      : false,
  "a close that does not begin where one before it ended": (before, leaf) =>
    before.kind === "intervalClose" && leaf.kind === "intervalClose" && before.channel === leaf.channel
      ? before.seq === leaf.previousCloseSeq && leaf.t0Ms !== before.t1Ms
      : false,
  "a close that ends at another time than its closing reading": (before, leaf) =>
    leaf.kind === "intervalClose" && before.seq === leaf.closingSeq
      ? ((leaf.shape ?? 0) & 4) !== 0 && leaf.t1Ms !== before.timeMs
      : false,
  "a close that names no clock step although there was one": (before, leaf) =>
    before.kind === "clockStep" && leaf.kind === "intervalClose" && leaf.lastClockStepSeq === undefined,
};

describe("the accuser of these tests", () => {
  it.each(Object.entries(HASTY))("would find that a rule accuses the honest: %s", async (_, accuses) => {
    let accused = 0;
    const wrong = fc.asyncProperty(histories, fc.nat(), async (events, seed) => {
      const log = await play(openedLog(), events);
      for (const { all } of partsOf(log, seed)) {
        for (const [at, { leaf }] of all.entries())
          if (all.slice(0, at).some((before) => accuses(before.leaf, leaf))) accused += 1;
      }
      expect(accused).toBe(0);
    });
    expect((await fc.check(wrong, { numRuns: 1000, endOnFailure: true })).failed).toBe(true);
  });
});
