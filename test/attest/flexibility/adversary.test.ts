import { describe, expect, it } from "vitest";
import type { DispatchOrder } from "../../../attest/flexibility/orders.ts";
import { buildSettlementProof } from "../../../attest/flexibility/proof-build.ts";
import { verifySettlement } from "../../../attest/flexibility/proof-verify.ts";
import { judgeSettlement, type SettlementVerdict } from "../../../attest/flexibility/verdict.ts";
import { ACKNOWLEDGEMENT, BOUNDARY, type Commitment } from "../../../attest/leaf-flexibility.ts";
import { type OpenCommitment, withCommitment } from "../../../attest/open-commitments.ts";
import { nodeA, nodeB, patientSuite, quickSigner, trusting } from "../proof-kit.ts";
import { refusalOf as codeOf } from "../refusal.ts";
import {
  EVENT_END_MS,
  EVENT_MS,
  HOUR_MS,
  ISSUED_MS,
  id,
  lived,
  USUAL_MWH,
  type World,
  type WorldOptions,
} from "./proof-kit.ts";

/** What a stranger gets who trusts both nodes and knows the device. */
function judged(world: World, list?: Uint8Array): SettlementVerdict {
  const { commitmentSeq } = world;
  const bytes = buildSettlementProof(world.source(), { commitmentSeq, ...(list && { list }) });
  const nodeKeys = [nodeA.publicKey, nodeB.publicKey];
  return judgeSettlement(
    patientSuite,
    verifySettlement(patientSuite, bytes),
    trusting(world.log, { nodeKeys }),
  );
}

function codes(list: readonly { readonly code: string }[]): string[] {
  return list.map(({ code }) => code);
}

/** Nothing is delivered; something happens once the hour before is closed. */
function idle(atMs: number, happens: (world: World) => void | Promise<void>): WorldOptions {
  return {
    energyAt: () => USUAL_MWH,
    also: (world, hourMs) => (hourMs === atMs ? happens(world) : undefined),
  };
}

describe("a device that writes more than it must", () => {
  const rows: readonly (readonly [string, (world: World) => void | Promise<void>])[] = [
    [
      "a dispatch that is none",
      ({ log }) =>
        void log.append({ kind: "dispatch", ...log.time(), channel: 1, order: new Uint8Array([0]) }),
    ],
    [
      "a dispatch that it signed itself",
      async (world) => {
        await world.dispatch({ objectId: id(9) }, quickSigner(1));
        world.dispatches.pop();
      },
    ],
    [
      "the node's dispatch a second time",
      ({ log, dispatches: [first] }) =>
        void (first && log.append({ kind: "dispatch", ...log.time(), channel: 1, order: first.order })),
    ],
    [
      "an answer on another channel",
      ({ log, dispatches: [first] }) => {
        log.manifest({ channel: 2, name: "other" });
        const orderSeq = first?.seq ?? 0;
        const state = ACKNOWLEDGEMENT.accepted;
        log.append({ kind: "acknowledgement", ...log.time(), channel: 2, orderSeq, state });
      },
    ],
  ];

  it.each(rows)("does not keep its node from a proof: %s", async (_, happens) => {
    const world = await lived(idle(EVENT_MS + HOUR_MS, happens));
    const { counts, settled } = judged(world, await world.list());
    expect([counts, settled.result]).toEqual([true, "notDelivered"]);
  });

  it("nor by answers without an end", async () => {
    const world = await lived(
      idle(EVENT_MS + HOUR_MS, (within) => {
        for (let count = 0; count < 100; count++)
          within.acknowledge(within.dispatches[0]?.seq ?? 0, ACKNOWLEDGEMENT.aborted, `${count}`);
      }),
    );
    const { dispatches, settled } = judged(world, await world.list());
    expect(dispatches[0]?.acknowledgements).toHaveLength(64);
    expect(settled.result).toBe("notDelivered");
  });
});

describe("an excuse", () => {
  const excuses: readonly (readonly [string, number, string])[] = [
    ["of opting out", ACKNOWLEDGEMENT.optedOut, "owner"],
    ["of unavailable", ACKNOWLEDGEMENT.rejected, "unavailable"],
  ];

  it.each(excuses)("%s decides nothing once the event is over", async (_, state, reason) => {
    const late = (world: World): void =>
      world.dispatches.forEach(({ seq }) => void world.acknowledge(seq, state, reason));
    const world = await lived({ ...idle(EVENT_END_MS + HOUR_MS, late), acknowledge: false });
    const { settled, remarks } = judged(world, await world.list());
    expect(settled.result).toBe("notDelivered");
    expect(codes(remarks)).toContain("answered-late");
  });

  it.each(excuses)("%s decides nothing behind another final answer", async (_, state, reason) => {
    const twice = (world: World): void => {
      for (const { seq } of world.dispatches) {
        world.acknowledge(seq, ACKNOWLEDGEMENT.aborted, "stopped");
        world.acknowledge(seq, state, reason);
      }
    };
    const world = await lived({ ...idle(EVENT_MS + HOUR_MS, twice), acknowledge: false });
    expect(judged(world, await world.list()).settled.result).toBe("notDelivered");
  });

  it.each(excuses)("%s is not made timely by a clock that is set back", async (_, state, reason) => {
    const world = await lived({
      ...idle(EVENT_END_MS + HOUR_MS, (within) => {
        const nowMs = within.log.timeMs;
        within.log.stepClock(EVENT_MS + HOUR_MS / 2);
        for (const { seq } of within.dispatches) within.acknowledge(seq, state, reason);
        within.log.stepClock(nowMs);
      }),
      acknowledge: false,
    });
    expect(judged(world, await world.list()).settled.result).toBe("notDelivered");
  });
});

describe("what was not called", () => {
  const early = { issuedAtMs: EVENT_END_MS - 1 };

  it("is shown by a list of the time behind the event, for every interval", async () => {
    const none = await lived({ dispatches: [] });
    expect(codes(judged(none).faults)).toEqual(["dispatch-list-missing"]);
    expect(codes(judged(none, await none.list([], early)).faults)).toEqual(["dispatch-list-early"]);
    expect(judged(none, await none.list([])).counts).toBe(true);
    const firstHour = { toMs: EVENT_MS + HOUR_MS, expiresMs: EVENT_MS + HOUR_MS };
    const half = await lived({ dispatches: [firstHour] });
    expect(codes(judged(half).faults)).toEqual(["dispatch-list-missing"]);
    expect(codes(judged(half, await half.list(undefined, early)).faults)).toEqual(["dispatch-list-early"]);
    expect(judged(half, await half.list()).counts).toBe(true);
  });

  it("needs no list where all of it was called", async () => {
    const world = await lived();
    expect([judged(world).counts, judged(world, await world.list(undefined, early)).counts]).toEqual([
      true,
      true,
    ]);
  });
});

describe("a node that withdraws what was delivered", () => {
  it("does so from when the device has it, whenever it says that it was issued", async () => {
    const order = { withdraws: id(2), issuedAtMs: EVENT_MS - HOUR_MS / 2, fromMs: EVENT_END_MS - 1 };
    const backdated: Partial<DispatchOrder> = { objectId: id(9), ...order };
    const world = await lived({
      also: async (within, hourMs) => {
        if (hourMs === EVENT_MS + HOUR_MS) await within.dispatch(backdated);
      },
    });
    const { settled, remarks } = judged(world, await world.list());
    expect(settled.intervals.map(({ called }) => called)).toEqual([true, false]);
    expect(settled.totals.countedMwh).toBe(600_000);
    expect(codes(remarks)).toContain("dispatch-taken-late");
  });
});

describe("a commitment at no time that a calendar has", () => {
  it("is refused with a code", async () => {
    const fromMs = Math.floor(9e15 / HOUR_MS) * HOUR_MS;
    const window = { fromMs, toMs: fromMs + 2 * HOUR_MS };
    const world = await lived({ order: { fromMs }, offer: false, dispatches: [window] });
    expect(codeOf(() => judged(world))).toBe("settlement-open");
  });
});

describe("a leaf whose clock is ahead", () => {
  const leaf = (seq: number, changes: Partial<Commitment>): Commitment => ({
    ...{ kind: "commitment", seq, timeMs: ISSUED_MS, timeQuality: 3, salt: new Uint8Array(16), channel: 1 },
    ...{ boundary: BOUNDARY.device, fromMs: EVENT_MS, intervalMs: HOUR_MS, deltaMwh: [-1, -1] },
    ...{ termsDigest: new Uint8Array(32), counterparty: new Uint8Array(), ...changes },
  });

  it("makes no room for what was committed already, on whichever channel it is", () => {
    const farMs = EVENT_MS + 1000 * HOUR_MS;
    const ahead = { channel: 9, timeMs: farMs, fromMs: farMs + HOUR_MS };
    const open = [leaf(1, {}), leaf(2, ahead)].reduce<readonly OpenCommitment[]>(withCommitment, []);
    for (const fromMs of [EVENT_MS, EVENT_MS + HOUR_MS])
      expect(codeOf(() => withCommitment(open, leaf(3, { fromMs })))).toBe("commitment-overlap");
    // What begins behind the last end that was let go is free, as it is behind any other.
    const next = withCommitment(open, leaf(3, { fromMs: EVENT_END_MS }));
    expect(next.map(({ seq }) => seq)).toContain(3);
    expect(codeOf(() => withCommitment(next, leaf(4, { fromMs: EVENT_END_MS })))).toBe("commitment-overlap");
  });
});
