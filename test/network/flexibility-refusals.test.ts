import { describe, expect, it } from "vitest";
import { BOUNDARY, DIRECTION } from "../../attest/leaf-flexibility.ts";
import type { RunningNode } from "../../network/node.ts";
import { ask, COMMITMENT, EVENT_MS, FlexDevice, flexNode, HOUR_MS, setClock } from "./flexibility-kit.ts";

const NOW = EVENT_MS - 2 * HOUR_MS;
const iso = (ms: number): string => new Date(ms).toISOString();

interface Kit {
  readonly node: RunningNode;
  readonly path: string;
  readonly offer: number;
  readonly device: FlexDevice;
}

async function kit(): Promise<Kit> {
  setClock(NOW);
  const node = await flexNode();
  const device = new FlexDevice({ startMs: NOW - 4 * HOUR_MS }).live().flexibility();
  const offer = device.offer();
  await device.connect(node);
  await device.deliver();
  return { node, device, offer, path: `/devices/${device.key}` };
}

/** Status and code of each body. */
async function refusals(
  { node, path }: Kit,
  route: string,
  bodies: readonly unknown[],
): Promise<(readonly [number, unknown])[]> {
  const found: (readonly [number, unknown])[] = [];
  for (const body of bodies) {
    const answer = await ask(node, `${path}/${route}`, { body });
    found.push([answer.status, answer.body["code"]]);
  }
  return found;
}

const BAD_BODY = [400, "body"];

describe("a commitment is refused", () => {
  it("for a body that is not one", async () => {
    const all = await kit();
    const wrong = [
      "{",
      "",
      "[]",
      {},
      { ...COMMITMENT, lable: 1 },
      { ...COMMITMENT, from: "2026-01-21T12:00:00" },
      { ...COMMITMENT, from: -1 },
      { ...COMMITMENT, from: "tomorrow" },
      { ...COMMITMENT, deltaMwh: [] },
      { ...COMMITMENT, deltaMwh: [-1.5] },
      { ...COMMITMENT, deltaMwh: Array.from({ length: 101 }, () => -1) },
      { ...COMMITMENT, direction: "down" },
      { ...COMMITMENT, boundary: "street" },
      { ...COMMITMENT, noticeSeconds: 604_801 },
      { ...COMMITMENT, holidays: ["2026-02-30"] },
      { ...COMMITMENT, offer: "4" },
      { ...COMMITMENT, timeZone: "x".repeat(9000) },
    ];
    expect(await refusals(all, "commitments", wrong)).toEqual(wrong.map(() => BAD_BODY));
  });

  it("for what the device would refuse", async () => {
    const all = await kit();
    const { offer, device } = all;
    const site = device.offer({ boundary: BOUNDARY.site });
    const other = device.offer({ direction: DIRECTION.increase });
    await device.deliver();
    const bound = { ...COMMITMENT, offer };
    const cases: (readonly [object, number, string])[] = [
      [{ ...COMMITMENT, channel: "roof" }, 404, "channel-unknown"],
      [{ ...COMMITMENT, channel: 7 }, 404, "channel-unknown"],
      [{ ...COMMITMENT, boundary: "site" }, 409, "order-boundary"],
      [{ ...COMMITMENT, deltaMwh: [100_000] }, 400, "order-field"],
      [{ ...COMMITMENT, deltaMwh: [-100_000, 0] }, 400, "order-field"],
      [{ ...COMMITMENT, from: iso(EVENT_MS + 60_000) }, 409, "order-interval"],
      [{ ...COMMITMENT, from: iso(NOW + HOUR_MS) }, 409, "order-notice"],
      [{ ...COMMITMENT, from: iso(NOW - HOUR_MS) }, 409, "order-notice"],
      [{ ...COMMITMENT, expires: iso(EVENT_MS) }, 400, "order-field"],
      [{ ...COMMITMENT, baselineMethod: "h11/1" }, 400, "baseline-method"],
      [{ ...COMMITMENT, baselineMethod: "before-after/1" }, 400, "order-terms"],
      [{ ...COMMITMENT, baselineMethod: "nom/1" }, 400, "order-terms"],
      [{ ...COMMITMENT, timeZone: "+01:00" }, 400, "baseline-zone"],
      [{ ...COMMITMENT, offer: 999_999 }, 409, "order-offer"],
      [{ ...COMMITMENT, offer: 1 }, 409, "order-offer"],
      [{ ...COMMITMENT, offer: site }, 409, "order-offer"],
      [{ ...COMMITMENT, offer: other }, 409, "order-offer"],
      [{ ...bound, deltaMwh: [-200_001] }, 409, "order-offer"],
      [{ ...bound, deltaMwh: [-200_000, -200_000, -200_000, -1] }, 409, "order-offer"],
      [{ ...bound, from: iso(EVENT_MS + 7 * 900_000) }, 409, "order-offer"],
      [{ ...bound, noticeSeconds: 3599 }, 409, "order-offer"],
      [{ ...bound, baselineMethod: "mid8of10/1" }, 409, "order-offer"],
    ];
    const found = await refusals(
      all,
      "commitments",
      cases.map(([body]) => body),
    );
    expect(found).toEqual(cases.map(([, status, code]) => [status, code]));
    const { node, path } = all;
    const whole = { ...bound, deltaMwh: [-200_000, -200_000, -200_000] };
    expect((await ask(node, `${path}/commitments`, { body: whole })).status).toBe(201);
    // It has not been sealed yet, and holds the time all the same; so does the site around it.
    const again = [COMMITMENT, { ...COMMITMENT, channel: "grid", boundary: "site" }];
    expect(await refusals(all, "commitments", again)).toEqual(again.map(() => [409, "order-overlap"]));
    // The grid meter has the battery within it, whatever its boundary is called.
    const beside = { ...COMMITMENT, channel: "grid", from: iso(EVENT_MS) };
    expect(await refusals(all, "commitments", [beside])).toEqual([[409, "order-boundary"]]);
  });

  it("for a device that there is not", async () => {
    const { node } = await kit();
    const unknown = "0".repeat(64);
    for (const route of ["commitments", "dispatches", "challenges"]) {
      const body = {
        ...(route === "commitments" ? COMMITMENT : route === "dispatches" ? dispatchBody() : { channel: 1 }),
      };
      const answer = await ask(node, `/devices/${unknown}/${route}`, { body });
      expect([route, answer.status, answer.body["code"]]).toEqual([route, 404, "device-unknown"]);
    }
    for (const route of ["flexibility", "commitments", "challenges", "track-record"])
      expect((await ask(node, `/devices/${unknown}/${route}`)).body["code"]).toBe("device-unknown");
    expect((await ask(node, "/devices/abc/flexibility")).body["code"]).toBe("query");
  });
});

function dispatchBody(): Readonly<Record<string, unknown>> {
  return { channel: "battery", from: iso(EVENT_MS), to: iso(EVENT_MS + HOUR_MS), powerMw: 0 };
}

describe("a dispatch is refused", () => {
  it("for a body that is not one", async () => {
    const all = await kit();
    const good = dispatchBody();
    const { powerMw: _, ...none } = good;
    const { channel: __, ...nowhere } = good;
    const wrong = [
      ...["{", {}, none, nowhere, { ...good, importLimitMw: 1 }, { ...good, powerMw: 0.5 }],
      ...[
        { ...none, exportLimitMw: -1 },
        { ...good, commitment: "abc" },
        { ...good, rampMwPerSecond: 0 },
      ],
    ];
    expect(await refusals(all, "dispatches", wrong)).toEqual(wrong.map(() => BAD_BODY));
  });

  it("for what the device would refuse", async () => {
    const all = await kit();
    const good = dispatchBody();
    const cases: (readonly [object, number, string])[] = [
      [{ ...good, channel: "roof" }, 404, "channel-unknown"],
      [{ ...good, from: good["to"] }, 400, "order-field"],
      [{ ...good, to: iso(EVENT_MS + 25 * HOUR_MS) }, 400, "order-field"],
      [{ ...good, expires: iso(EVENT_MS + 2 * HOUR_MS) }, 400, "order-field"],
      [{ ...good, from: iso(NOW - HOUR_MS), to: iso(NOW) }, 409, "order-window"],
      [{ ...good, powerMw: 5_000_001 }, 409, "order-range"],
      [{ ...good, commitment: "0".repeat(32) }, 404, "order-unknown"],
      [{ ...good, supersedes: "0".repeat(32) }, 404, "order-unknown"],
    ];
    const found = await refusals(
      all,
      "dispatches",
      cases.map(([body]) => body),
    );
    expect(found).toEqual(cases.map(([, status, code]) => [status, code]));
    const { node, path } = all;
    const post = { method: "POST" };
    const gone = await ask(node, `${path}/dispatches/${"0".repeat(32)}/withdraw`, post);
    expect([gone.status, gone.body["code"]]).toEqual([404, "order-unknown"]);
    expect((await ask(node, `${path}/dispatches/xyz/withdraw`, post)).body["code"]).toBe("query");
  });

  it("under a commitment that the device has not taken, or beyond it", async () => {
    const all = await kit();
    const { node, path, device } = all;
    const signed = await ask(node, `${path}/commitments`, { body: COMMITMENT });
    const commitment = String(signed.body["id"]);
    const under = { ...dispatchBody(), commitment };
    expect(await refusals(all, "dispatches", [under])).toEqual([[409, "order-commitment"]]);
    expect(await refusals(all, `commitments/${commitment}/call`, [{ powerMw: 0 }])).toEqual([
      [409, "order-commitment"],
    ]);
    const proof = await ask(node, `${path}/commitments/${commitment}/proof`);
    expect([proof.status, proof.body["code"]]).toEqual([409, "order-commitment"]);
    const order = await device.order(node);
    if (order.kind !== "commitment") throw new Error("no commitment");
    device.commit(order.order, order.bytes);
    await device.deliver();
    expect(
      await refusals(all, "dispatches", [
        { ...under, channel: "grid" },
        { ...under, to: iso(EVENT_MS + 2 * HOUR_MS) },
      ]),
    ).toEqual([
      [409, "order-channel"],
      [409, "order-window"],
    ]);
    // Ten like days are not there.
    expect(
      await refusals(all, `commitments/${commitment}/call`, [
        ...[{}, { powerMw: 1, follow: true }, { follow: false }, { powerMw: [1, 2] }, { follow: true }],
      ]),
    ).toEqual([BAD_BODY, BAD_BODY, BAD_BODY, BAD_BODY, [409, "baseline-days"]]);
    const called = await ask(node, `${path}/commitments/${commitment}/call`, {
      body: { powerMw: [600_000, 600_000, 500_000, 600_000] },
    });
    const runs = [
      { from: iso(EVENT_MS), to: iso(EVENT_MS + HOUR_MS / 2), powerMw: 600_000 },
      { from: iso(EVENT_MS + HOUR_MS / 2), to: iso(EVENT_MS + 0.75 * HOUR_MS), powerMw: 500_000 },
      { from: iso(EVENT_MS + 0.75 * HOUR_MS), to: iso(EVENT_MS + HOUR_MS), powerMw: 600_000 },
    ];
    expect(called).toMatchObject({ status: 201, body: { dispatches: runs } });
  });
});

describe("a question is refused", () => {
  it("for parameters that it does not know, and pages go on where the last ended", async () => {
    const { node, path } = await kit();
    for (const route of ["flexibility", "commitments", "challenges"]) {
      for (const query of ["x=1", "limit=0", "limit=101", "before=0", "before=a"])
        expect([route, query, (await ask(node, `${path}/${route}?${query}`)).status]).toEqual([
          route,
          query,
          400,
        ]);
    }
    for (const route of ["track-record?x=1", "commitments/xyz", `challenges/${"0".repeat(32)}?x=1`])
      expect([route, (await ask(node, `${path}/${route}`)).status]).toEqual([route, 400]);
    for (const hour of [0, 1, 2]) {
      const from = iso(EVENT_MS + hour * HOUR_MS);
      expect((await ask(node, `${path}/commitments`, { body: { ...COMMITMENT, from } })).status).toBe(201);
    }
    const first = (await ask(node, `${path}/commitments?limit=2`)).body;
    expect(first).toMatchObject({ commitments: [{ from: iso(EVENT_MS + 2 * HOUR_MS) }, {}] });
    const rest = (await ask(node, String(first["next"]))).body;
    expect(rest).toMatchObject({ commitments: [{ from: iso(EVENT_MS) }], next: null });
  });
});
