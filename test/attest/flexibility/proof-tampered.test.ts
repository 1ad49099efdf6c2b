import { beforeAll, describe, expect, it } from "vitest";
import { buildSettlementProof } from "../../../attest/flexibility/proof-build.ts";
import { verifySettlement } from "../../../attest/flexibility/proof-verify.ts";
import type { Leaf, Unplaced } from "../../../attest/leaf.ts";
import { BOUNDARY, DIRECTION } from "../../../attest/leaf-flexibility.ts";
import { anchorLeaf, nodeB, nodeC, patientSuite, quickSigner, receiptOver, signNow } from "../proof-kit.ts";
import { problemOf } from "../refusal.ts";
import {
  BEGIN_MS,
  EVENT_END_MS,
  EVENT_MS,
  fileShowing,
  flipped,
  HOUR_MS,
  ISSUED_MS,
  id,
  lived,
  refusalOf,
  rewrite,
  sayLate,
  seqsOf,
  usualEnergy,
  World,
  type WorldOptions,
} from "./proof-kit.ts";

/** The leaves of an honest file, after a dishonest device has changed its log and signed it anew. */
async function lying(world: World, change: (world: World) => readonly number[] | undefined): Promise<string> {
  const seqs = seqsOf(world);
  const changed = change(world) ?? seqs;
  await signNow(world.log);
  return refusalOf(fileShowing(world, { seqs: changed, manifests: [0, 1] }));
}

function first(world: World, kind: Leaf["kind"]): Leaf {
  const found = world.log.leaves.find(({ leaf }) => leaf.kind === kind)?.leaf;
  if (found === undefined) throw new Error(`no ${kind}`);
  return found;
}

describe("a device that lies under its own signature", () => {
  const commitment = (changes: object) => (world: World) => void rewrite(world, world.commitmentSeq, changes);
  const dispatch = (changes: (world: World) => object) => (world: World) =>
    void rewrite(world, first(world, "dispatch").seq, changes(world));
  const rows: readonly (readonly [string, string, (world: World) => readonly number[] | undefined])[] = [
    ["commits to another begin", "commitment-order", commitment({ fromMs: EVENT_MS + HOUR_MS })],
    ["commits to less", "commitment-order", commitment({ deltaMwh: [-1, -500_000] })],
    ["commits to fewer intervals", "commitment-order", commitment({ deltaMwh: [-500_000] })],
    ["commits another boundary", "commitment-order", commitment({ boundary: BOUNDARY.site })],
    ["commits another channel", "commitment-order", commitment({ channel: 2 })],
    ["names another offer", "commitment-order", commitment({ offerSeq: 3 })],
    ["names other terms", "commitment-terms", commitment({ termsDigest: new Uint8Array(32) })],
    ["commits to other intervals", "commitment-interval", commitment({ intervalMs: HOUR_MS / 2 })],
    ["commits off the grid", "commitment-interval", commitment({ fromMs: EVENT_MS + 1 })],
    [
      "commits after the order expired",
      "commitment-expired",
      commitment({ timeMs: ISSUED_MS + HOUR_MS + 1 }),
    ],
    ["commits without a clock", "proof-time", commitment({ timeQuality: 1 })],
    [
      "changes the node's word",
      "cose-signature",
      (world) => {
        const { commitment: leaf } = world;
        const counterparty = leaf?.counterparty ?? new Uint8Array(0);
        rewrite(world, world.commitmentSeq, {
          counterparty: flipped(counterparty, counterparty.length - 40),
        });
        return undefined;
      },
    ],
    [
      "changes a dispatch",
      "cose-signature",
      dispatch(({ dispatches: [own] }) => {
        const order = own?.order ?? new Uint8Array(0);
        return { order: flipped(order, order.length - 40) };
      }),
    ],
    ["moves a dispatch to another channel", "dispatch-order", dispatch(() => ({ channel: 2 }))],
    ["moves a dispatch to another commitment", "dispatch-order", dispatch(() => ({ commitmentSeq: 3 }))],
    [
      "answers something else",
      "settlement-reference",
      (world) => void rewrite(world, first(world, "acknowledgement").seq, { orderSeq: world.commitmentSeq }),
    ],
    [
      "acts on something else",
      "settlement-reference",
      (world) => void rewrite(world, first(world, "actuation").seq, { orderSeq: 3 }),
    ],
    [
      "offers the opposite",
      "commitment-offer",
      (world) => void rewrite(world, first(world, "offer").seq, { direction: DIRECTION.increase }),
    ],
    [
      "closes more than it counted",
      "proof-chain",
      (world) => void rewrite(world, closes(world)[50]?.seq ?? 0, { closingImportMwh: 999_000_000 }),
    ],
    [
      "lets a register fall",
      "proof-energy",
      (world) => void rewrite(world, seqsOf(world).at(-1) ?? 0, { closingImportMwh: 0 }),
    ],
    [
      "names what lies behind a close",
      "proof-chain",
      (world) => void rewrite(world, closes(world)[50]?.seq ?? 0, { closingSeq: 9999 }),
    ],
    [
      "closes another channel",
      "proof-channel",
      (world) => void rewrite(world, closes(world)[50]?.seq ?? 0, { channel: 2 }),
    ],
    [
      "closes under another manifest",
      "proof-manifest",
      (world) => void rewrite(world, closes(world)[50]?.seq ?? 0, { manifestHash: new Uint8Array(32) }),
    ],
    [
      "skips a close",
      "settlement-close-missing",
      (world) =>
        void rewrite(world, closes(world)[50]?.seq ?? 0, { previousCloseSeq: closes(world)[48]?.seq }),
    ],
  ];

  it.each(rows)("%s: %s", async (_, code, change) => {
    expect(await lying(await lived(), change)).toBe(code);
  });

  it("binds itself to two commitments for one time", async () => {
    const second = (fromMs: number, boundary: number) => (world: World) => {
      const { commitment: leaf } = world;
      if (leaf === undefined) throw new Error("no commitment");
      const { seq: _s, salt: _t, ...body } = leaf;
      const seqs = seqsOf(world);
      return [...seqs, sayLate(world, { ...body, channel: 2, fromMs, boundary })];
    };
    expect(await lying(await lived(), second(EVENT_MS + HOUR_MS, BOUNDARY.site))).toBe("commitment-overlap");
    expect(await lying(await lived(), second(EVENT_END_MS, BOUNDARY.site))).toBe("proof-leaf");
    expect(await lying(await lived(), second(EVENT_MS, BOUNDARY.device))).toBe("proof-leaf");
  });

  it("keeps two accounts, or one of another commitment", async () => {
    const account = (commitmentSeq: number): Unplaced => ({
      ...{ kind: "settlement", timeMs: EVENT_END_MS, timeQuality: 3, channel: 1, commitmentSeq },
      ...{ baselineMethod: "h10/1", completenessPpm: 0, result: 1 },
    });
    const accounts =
      (...of: readonly number[]) =>
      (world: World) => {
        const seqs = seqsOf(world);
        return [...seqs, ...of.map((at) => sayLate(world, account(world.commitmentSeq + at)))];
      };
    expect(await lying(await lived(), accounts(0, 0))).toBe("proof-leaf");
    expect(await lying(await lived(), accounts(1))).toBe("settlement-reference");
  });
});

function closes(world: World): Leaf[] {
  const shown = new Set(seqsOf(world));
  return world.log.leaves.flatMap(({ leaf }) =>
    leaf.kind === "intervalClose" && shown.has(leaf.seq) ? [leaf] : [],
  );
}

describe("orders that are not the node's to this log under this commitment", () => {
  const refused = async (options: WorldOptions): Promise<string> => {
    const world = await lived(options);
    return problemOf(() => {
      const { commitmentSeq } = world;
      verifySettlement(patientSuite, buildSettlementProof(world.source(), { commitmentSeq }));
    }).code;
  };

  it("are refused with a code each", async () => {
    expect(await refused({ node: quickSigner(1) })).toBe("commitment-own");
    expect(await refused({ order: { logId: new Uint8Array(32) } })).toBe("order-log");
    expect(await refused({ dispatches: Array.from({ length: 251 }, () => ({})), acknowledge: false })).toBe(
      "dispatch-count",
    );
  });

  it.each<[what: string, code: string, second: Parameters<World["dispatch"]>]>([
    ["another node's", "order-key", [{ objectId: id(7) }, nodeC]],
    ["to another log", "order-log", [{ objectId: id(7), logId: new Uint8Array(32) }]],
    ["the same once more", "dispatch-twice", [{ objectId: id(2) }]],
  ])("a dispatch that is %s is left out, and refused when shown", async (_, code, second) => {
    const world = await lived({
      also: async (within, hourMs) => {
        if (hourMs === EVENT_MS) await within.dispatch(...second);
      },
    });
    const seqs = seqsOf(world);
    const other = world.dispatches[1]?.seq ?? 0;
    expect(seqs).not.toContain(other);
    const shown = [...seqs, other].sort((a, b) => a - b);
    expect(refusalOf(fileShowing(world, { seqs: shown, manifests: [0, 1] }))).toBe(code);
  });

  it("under another commitment are not needed, and refused when shown", async () => {
    const world = await lived({ dispatches: [{}, { commitmentId: id(8) }], acknowledge: false });
    const seqs = seqsOf(world);
    const other = world.dispatches[1]?.seq ?? 0;
    expect(seqs).not.toContain(other);
    const shown = [...seqs, other].sort((a, b) => a - b);
    expect(refusalOf(fileShowing(world, { seqs: shown, manifests: [0, 1] }))).toBe("dispatch-order");
  });

  it("lists of other logs, nodes or commitments are refused", async () => {
    const world = await lived();
    const { commitmentSeq } = world;
    const listed = async (list: Promise<Uint8Array>): Promise<string> => {
      const bytes = await list;
      return problemOf(() => buildSettlementProof(world.source(), { commitmentSeq, list: bytes })).code;
    };
    const other = new World({ node: nodeB });
    expect(await listed(world.list([], { logId: new Uint8Array(32) }))).toBe("order-log");
    expect(await listed(world.list([], { commitmentId: id(8) }))).toBe("dispatch-list-other");
    expect(await listed(other.list([], { logId: world.log.rules.logId }))).toBe("order-key");
    const list = await world.list();
    expect(await listed(Promise.resolve(flipped(list, list.length - 1)))).toBe("cose-signature");
  });
});

describe("a file that shows too little or too much", () => {
  let world: World;
  let seqs: number[];
  let shownCloses: number[];
  beforeAll(async () => {
    const saturday = Date.UTC(2026, 0, 10, 12);
    world = await lived({
      energyAt: (ms) => (ms >= saturday && ms < saturday + 5 * HOUR_MS ? undefined : usualEnergy(ms)),
    });
    seqs = seqsOf(world);
    shownCloses = closes(world).map(({ seq }) => seq);
  });

  const showing = (kept: readonly number[], manifests = [0, 1]): string =>
    refusalOf(fileShowing(world, { seqs: [...kept].sort((a, b) => a - b), manifests }));
  const without = (...left: readonly (number | undefined)[]): string =>
    showing(seqs.filter((seq) => !left.includes(seq)));

  it("is refused with a code each", () => {
    const of = (kind: Leaf["kind"]): number => first(world, kind).seq;
    expect(without(shownCloses[70])).toBe("settlement-close-missing");
    expect(without(...shownCloses.slice(0, 30))).toBe("settlement-history");
    expect(without(shownCloses[0])).toBe("settlement-history");
    expect(without(shownCloses.at(-1))).toBe("settlement-open");
    expect(without(...shownCloses.slice(-6))).toBe("settlement-open");
    expect(without(...shownCloses)).toBe("proof-cover");
    expect(without(of("discontinuity"))).toBe("proof-chain");
    expect(without(of("commitment"))).toBe("commitment-missing");
    expect(without(of("offer"))).toBe("commitment-offer");
    expect(without(of("dispatch"))).toBe("settlement-reference");
    expect(showing([...seqs, of("reading")])).toBe("proof-leaf");
    expect(showing(seqs, [0])).toBe("proof-manifest");
    expect(showing(seqs, [1])).toBe("proof-manifest");
  });

  it("without its dispatches says only that it was not called", () => {
    const life = new Set(["dispatch", "acknowledgement", "actuation"]);
    const kept = seqs.filter((seq) => !life.has(world.log.leaves[seq]?.leaf.kind ?? ""));
    const bytes = fileShowing(world, { seqs: kept, manifests: [0, 1] });
    expect(verifySettlement(patientSuite, bytes).settled.called).toBe(false);
  });

  it("may show more closes than it must, and means the same", () => {
    const earlier = world.log.leaves.flatMap(({ leaf }) => (leaf.kind === "intervalClose" ? [leaf.seq] : []));
    const all = [...new Set([...seqs, ...earlier])].sort((a, b) => a - b);
    const more = verifySettlement(patientSuite, fileShowing(world, { seqs: all, manifests: [0, 1] }));
    expect(all.length).toBeGreaterThan(seqs.length);
    expect(more.settled).toEqual(verifySettlement(patientSuite, fileShowing(world, { seqs })).settled);
  });

  it("has receipts and anchors that bound something", async () => {
    const size = world.commitmentSeq;
    const receipt = await receiptOver(world.log, { node: nodeB, size, receivedAtMs: ISSUED_MS });
    expect(refusalOf(fileShowing(world, { seqs, receipts: [receipt] }))).toBe("receipt-mismatch");
    const late = await lived();
    const shown = seqsOf(late);
    const about = { node: nodeB, size: 9, receivedAtMs: BEGIN_MS };
    const old = await receiptOver(late.log, about);
    const anchor = sayLate(late, anchorLeaf(late.log, old, about));
    await signNow(late.log);
    expect(refusalOf(fileShowing(late, { seqs: [...shown, anchor], anchoredReceipts: [old] }))).toBe(
      "proof-anchor",
    );
  });
});
