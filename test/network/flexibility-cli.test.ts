import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Ajv2020 } from "ajv/dist/2020.js";
import { Hono } from "hono";
import { describe, expect, it, vi } from "vitest";
import { checkSettlement } from "../../attest/flexibility/verdict.ts";
import { nativeSuite } from "../../attest/native.ts";
import { wholeFlexCommand } from "../../bin/flex.ts";
import { FLEXIBILITY_PATHS } from "../../network/flexibility/openapi-paths.ts";
import { addFlexibilityRoutes } from "../../network/flexibility/routes.ts";
import { openApiDocument } from "../../network/http/openapi.ts";
import type { RunningNode } from "../../network/node.ts";
import { NETWORK } from "../kit/device.ts";
import { OPERATE_TOKEN } from "./enrolment-kit.ts";
import { temporaryFolder } from "./fixture.ts";
import {
  ask,
  COMMITMENT,
  EVENT_MS,
  FlexDevice,
  flexNode,
  HOUR_MS,
  setClock,
  until,
} from "./flexibility-kit.ts";

/** What a command prints, and its exit status. */
async function run(
  args: readonly string[],
): Promise<{ readonly out: string; readonly err: string; readonly exit: unknown }> {
  const [out, err]: [string[], string[]] = [[], []];
  const spies = [
    vi.spyOn(process.stdout, "write").mockImplementation((text) => out.push(String(text)) > 0),
    vi.spyOn(process.stderr, "write").mockImplementation((text) => err.push(String(text)) > 0),
  ];
  const before = process.exitCode;
  process.exitCode = undefined;
  await wholeFlexCommand().parseAsync([...args], { from: "user" });
  const exit = process.exitCode;
  process.exitCode = before;
  for (const spy of spies) spy.mockRestore();
  return { out: out.join(""), err: err.join(""), exit };
}

function configOf(folder: string, node: RunningNode): string {
  const path = join(folder, "node.yaml");
  const http = { port: Number(new URL(node.httpUrl).port), tokens: join(folder, "tokens") };
  writeFileSync(path, JSON.stringify({ network: NETWORK, key: "k", store: "s", devices: "open", http }));
  return path;
}

describe("kilowitness flex at a node", () => {
  it("shows offers, commits, calls, withdraws, challenges, and writes a proof", async () => {
    setClock(EVENT_MS - 2 * HOUR_MS);
    const folder = temporaryFolder();
    const node = await flexNode(folder);
    const device = new FlexDevice().live().flexibility();
    const offer = device.offer();
    await device.connect(node);
    await device.deliver();
    const at = ["--config", configOf(folder, node)];
    const flex = (name: string, ...rest: string[]): ReturnType<typeof run> =>
      run([name, device.key, ...rest, ...at]);
    const offered = await flex("offers");
    expect(offered.out).toMatch(
      /^now {2}battery, as of 2026-01-21T10:00:\S+Z {2}(?:reduce|increase|takes) /m,
    );
    expect(offered.out).toContain(
      `offer ${offer}  2026-01-21T12:00:00.000Z to 2026-01-21T14:00:00.000Z  reduce 800 W  at most 600 Wh  notice 3600 s  h10/1  battery, device\n`,
    );
    const committed = await flex(
      ...([
        "commit",
        "--channel",
        "battery",
        "--direction",
        "reduce",
        "--from",
        "2026-01-21T13:00:00+01:00",
      ] as const),
      ...[
        "--delta=-100,-100,-100.0,-100",
        "--method",
        "h10/1",
        "--zone",
        "Europe/Berlin",
        "--notice",
        "3600",
      ],
      ...["--offer", String(offer), "--json"],
    );
    const signed: unknown = JSON.parse(committed.out);
    expect(signed).toMatchObject({
      deltaMwh: COMMITMENT["deltaMwh"],
      offer,
      from: "2026-01-21T12:00:00.000Z",
    });
    const id = String(Object(signed).id);
    const early = await flex("dispatch", "--commitment", id, "--follow");
    expect(early).toMatchObject({ out: "", exit: 1, err: expect.stringContaining("(order-commitment)") });
    const order = await device.order(node);
    if (order.kind !== "commitment") throw new Error("no commitment");
    const commitmentSeq = device.commit(order.order, order.bytes);
    await device.deliver();
    const called = await flex("dispatch", "--commitment", id, "--follow");
    expect(called.out).toMatch(
      /^dispatch {2}[0-9a-f]{32} {2}pending {2}2026-01-21T12:00:00.000Z to .* 600 W\n$/,
    );
    const dispatch = await device.order(node);
    if (dispatch.kind !== "dispatch") throw new Error("no dispatch");
    const seq = device.take("dispatch", dispatch.order, dispatch.bytes, commitmentSeq);
    device.acknowledge(seq, "accepted");
    device.quarters(8);
    device.acknowledge(seq, "optedOut", "owner\u001b[31m");
    setClock(EVENT_MS + 2 * HOUR_MS + 1000);
    device.quarters(4).quarters(5);
    await device.deliver();
    await until(node, `/devices/${device.key}/commitments/${id}`, ({ result }) => result !== undefined);
    const { out } = await flex("settlement", id);
    expect(out).toContain("settled: optedOut");
    expect(out).toContain("optedOut: owner?[31m");
    expect(out).toContain("committed 400 Wh, delivered 0 Wh");
    expect((await flex("track-record")).out).toContain("opted out 1");
    const file = join(folder, "event.kws");
    expect((await flex("proof", id, "--out", file)).out).toMatch(/: \d+ bytes\n$/);
    const policy = { deviceKeys: [device.log.signer.publicKey], nodeKeys: [node.nodeKey], witnesses: 1 };
    expect(checkSettlement(nativeSuite, new Uint8Array(readFileSync(file)), policy)).toMatchObject({
      valid: true,
    });
    const none = await flex("proof", "0".repeat(32), "--out", file);
    expect(none).toMatchObject({ exit: 1, err: expect.stringContaining("(order-unknown)") });
    const later = ["--from", "2026-01-21T15:00:00Z", "--to", "2026-01-21T16:00:00Z", "--power", "-2500.5"];
    const set = JSON.parse((await flex("dispatch", "--channel", "battery", ...later, "--json")).out);
    expect(set).toMatchObject({ powerMw: -2_500_500 });
    await device.order(node);
    expect((await flex("withdraw", String(set.id))).out).toContain(`ends ${set.id}`);
    expect(
      (await flex("orders")).out
        .trim()
        .split("\n")
        .filter((line) => /^[cd]/.test(line)),
    ).toHaveLength(4);
    const refused = await flex("challenge", "--channel", "battery", "--step-seconds", "60");
    expect(refused).toMatchObject({ exit: 1, err: expect.stringContaining("(order-steps)") });
    await expect(run(["offers", "short", ...at])).rejects.toMatchObject({ exitCode: 1 });
  });
});

describe("the OpenAPI document of flexibility", () => {
  it("has every route that there is, with its right and its parameters", () => {
    const app = new Hono();
    addFlexibilityRoutes(app, Object.create(null));
    const routes = app.routes.map(({ method, path }) => `${method} ${path}`);
    const written = Object.entries(FLEXIBILITY_PATHS).flatMap(([path, operations]) =>
      Object.entries(operations).map(([method, operation]) => {
        const named = (operation?.parameters ?? []).filter((one) => Object(one).in === "path");
        expect([path, named.map((one) => `{${Object(one).name}}`)]).toEqual([path, path.match(/\{\w+\}/g)]);
        expect([path, method, operation?.security !== undefined]).toEqual([path, method, method === "post"]);
        return `${method.toUpperCase()} ${path.replace(/\{(\w+)\}/g, ":$1")}`;
      }),
    );
    expect([...new Set(routes)].sort()).toEqual(written.sort());
  });

  it("describes what is really answered, and what is taken; metrics count it", async () => {
    setClock(EVENT_MS - 2 * HOUR_MS);
    const node = await flexNode();
    const device = new FlexDevice({ startMs: EVENT_MS - 6 * HOUR_MS }).live().flexibility();
    device.offer();
    await device.connect(node);
    await device.deliver();
    const { components } = openApiDocument(FLEXIBILITY_PATHS);
    const ajv = new Ajv2020({ strict: false, validateFormats: false });
    ajv.addSchema({ $id: "api", components });
    const path = `/devices/${device.key}`;
    const fits = (
      name: string,
      method: "get" | "post",
      { status, body }: Awaited<ReturnType<typeof ask>>,
    ): void => {
      const operation = Object(FLEXIBILITY_PATHS[name])[method];
      const valid = ajv.compile(operation.responses[String(status)].content["application/json"].schema);
      expect([name, method, valid(body), valid.errors]).toEqual([name, method, true, null]);
    };
    const takes = (name: string, body: unknown): boolean => {
      const { requestBody } = Object(FLEXIBILITY_PATHS[name]).post;
      return ajv.compile(requestBody.content["application/json"].schema)(body);
    };
    const commitments = "/devices/{key}/commitments";
    expect([takes(commitments, COMMITMENT), takes(commitments, { ...COMMITMENT, x: 1 })]).toEqual([
      true,
      false,
    ]);
    const signed = await ask(node, `${path}/commitments`, { body: COMMITMENT });
    fits(commitments, "post", signed);
    const dispatch = { channel: 1, from: EVENT_MS, to: EVENT_MS + HOUR_MS, exportLimitMw: 0 };
    expect(takes("/devices/{key}/dispatches", dispatch)).toBe(true);
    fits("/devices/{key}/dispatches", "post", await ask(node, `${path}/dispatches`, { body: dispatch }));
    fits(commitments, "get", await ask(node, `${path}/commitments`));
    const id = String(signed.body["id"]);
    fits(`${commitments}/{id}`, "get", await ask(node, `${path}/commitments/${id}`));
    for (const name of ["flexibility", "challenges", "track-record"])
      fits(`/devices/{key}/${name}`, "get", await ask(node, `${path}/${name}`));
    await device.order(node);
    await device.order(node);
    const metrics = await fetch(`${node.httpUrl}/metrics`, {
      headers: { authorization: `Bearer ${OPERATE_TOKEN}` },
    });
    const text = await metrics.text();
    expect(text).toContain('kilowitness_node_orders_total{kind="commitment",event="signed"} 1');
    expect(text).toContain('kilowitness_node_orders_total{kind="dispatch",event="sent"} 1');
    expect(text).toContain('kilowitness_node_settlements_total{result="delivered"} 0');
  });
});
