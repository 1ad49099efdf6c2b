import { readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { proveCommand } from "../../agent/cli/prove.ts";
import { openDeviceKey } from "../../agent/identity/device-key.ts";
import { enrolmentPath, readEnrolment } from "../../agent/identity/enrolment-record.ts";
import { toHex } from "../../attest/bytes.ts";
import { enrolledKey } from "../../attest/enrolled-key.ts";
import { nativeSuite } from "../../attest/native.ts";
import { startSunSpecInverter } from "../../drivers/simulated/sunspec-device.ts";
import { verifyCommand } from "../../network/cli/verify.ts";
import type { RunningNode } from "../../network/node.ts";
import { newCode, tokenFile } from "../network/enrolment-kit.ts";
import { type AgentMore, Board, PUBLIC_KEY, SigningAgent, signingConfig } from "./coprocessor-home.ts";
import { runHere } from "./outlet/run-command.ts";
import { signedCheckpoints } from "./signed-checkpoints.ts";
import { ask, nodeAt, UplinkHome } from "./uplink-home.ts";
import { until } from "./uplink-kit.ts";

let home: UplinkHome;
let board: Board;
beforeEach(async () => {
  home = new UplinkHome();
  board = new Board();
  await board.listen();
  home.closers.push(() => board.close());
});
afterEach(() => home.close());

async function start(more: AgentMore = {}): Promise<SigningAgent> {
  const running = await SigningAgent.start(home.gateway("g"), board.line, more);
  home.closers.push(() => running.stop());
  return running;
}

async function inverter(): Promise<string> {
  const served = await startSunSpecInverter({
    ...{ host: "127.0.0.1", port: 0, onServed: () => undefined },
    state: () => ({ serial: "INV-1", exportMwh: Date.now(), activePowerMw: -3_600_000 }),
  });
  home.closers.push(() => served.close());
  return `{id: roof, driver: sunspec, host: 127.0.0.1, port: ${served.port}, intervalMs: 100}`;
}

/** Whatever was asked for, answered or not: no two checkpoints of one log and size. */
function requireOneStory(): number {
  const said = signedCheckpoints(board.signed);
  expect(said.filter(({ texts }) => texts !== 1)).toEqual([]);
  return said.length;
}

async function faults(node: RunningNode): Promise<unknown> {
  const { devices } = await ask(node, "/devices");
  return (Array.isArray(devices) ? devices : []).map(({ faults: found }) => found);
}

describe("an agent whose coprocessor meters and signs over one line", () => {
  it("is enrolled with tier 2, gets its receipts, and proves an interval that verifies with tier 2", async () => {
    const tokens = tokenFile(home.folder);
    const node = await home.startNode("node", { devices: "enrolled", http: { port: 0, tokens } });
    const gateway = home.gateway("g");
    const code = await newCode(node, { label: "feeder" });
    writeFileSync(join(gateway, "code"), code, { mode: 0o600 });
    const running = await start({ nodes: [nodeAt(node, ", enrolmentCodeFile: code")] });
    await until("a receipt over a closed interval", () => running.receipted > 20);
    expect(readFileSync(join(gateway, "k"), "utf8")).toMatch(
      new RegExp(`^kilowitness key 1\nremote ${toHex(PUBLIC_KEY)}\nsalt [0-9a-f]{64}\n$`),
    );
    expect(statSync(join(gateway, "k")).mode & 0o777).toBe(0o600);
    const record = readEnrolment(enrolmentPath(join(gateway, "journal.sqlite"), node.nodeKey));
    const enrolled = enrolledKey(nativeSuite, record, [node.nodeKey]);
    expect(enrolled.deviceKey).toEqual(PUBLIC_KEY);
    expect(requireOneStory()).toBeGreaterThan(1);
    await running.stop();

    const config = join(gateway, "agent.yaml");
    const listed = await runHere(proveCommand(), "--config", config, "--json");
    const [first] = listed.out.trim().split("\n");
    const { t0Ms, t1Ms, channel } = JSON.parse(first ?? "");
    const out = join(gateway, "hour.kwp");
    const span = ["--channel", channel, "--from", String(t0Ms), "--to", String(t1Ms), "--out", out];
    expect((await runHere(proveCommand(), "--config", config, ...span)).code).toBe(0);
    const trust = ["--trust", `device:${toHex(PUBLIC_KEY)}`, "--trust", `node:${toHex(node.nodeKey)}`];
    const verified = await runHere(verifyCommand(), out, ...trust);
    expect(verified).toMatchObject({ code: 0, err: "" });
    expect(verified.out).toMatch(/^tier +2/m);
  });

  it("goes on over a reset of the microcontroller", async () => {
    const node = await home.startNode();
    const running = await start({ nodes: [nodeAt(node)] });
    await until("a receipt", () => running.receipted);
    board.mcu.restart();
    const before = running.receipted;
    await until("later receipts", () => running.receipted > before + 8);
    expect(running.events("signer-used-elsewhere")).toEqual([]);
    expect(await faults(node)).toEqual([0]);
    requireOneStory();
  });

  it("seals on while the signer is silent, says so, and signs nothing twice when it is back", async () => {
    const node = await home.startNode();
    const running = await start({ nodes: [nodeAt(node)], devices: [await inverter()] });
    await until("a receipt", () => running.receipted);
    board.answersSignatures = false;
    await until("a failure", () => running.events("checkpoint-failed").length);
    expect(running.events("checkpoint-failed")).toMatchObject([{ code: "signer-silent" }]);
    const { durable, signed } = running.log;
    const made = board.signed.length;
    await until("sealed meanwhile", () => running.log.durable > durable + 8);
    await until("asked again", () => board.signed.length > made + 2);
    expect(running.log.signed).toBe(signed);
    board.answersSignatures = true;
    await until("signed again", () => running.log.signed > durable + 8);
    await until("receipted again", () => running.receipted > durable + 8);
    expect(running.events("checkpoint-failed-over")).toHaveLength(1);
    expect(await faults(node)).toEqual([0]);
    requireOneStory();
  });

  it("asks a silent signer no sooner than a checkpoint is due, so that the meter on the line is read", async () => {
    const running = await start({ checkpointSeconds: 3600 });
    // Each close is worth a checkpoint at once.
    await until("a signature", () => running.log.signed);
    board.answersSignatures = false;
    await until("a failure", () => running.events("checkpoint-failed").length);
    const made = board.signed.length;
    const { durable } = running.log;
    await until("closes meanwhile", () => running.log.durable > durable + 15);
    expect(board.signed.length).toBe(made);
  });

  it("meters other devices and seals when the coprocessor is away at the start, and signs when it comes", async () => {
    const first = await start();
    await until("a signature", () => first.log.signed);
    await first.stop();
    board.deaf = true;
    const node = await home.startNode();
    const gateway = home.gateway("g");
    const more = { nodes: [nodeAt(node)], devices: [await inverter()] };
    const running = await SigningAgent.start(gateway, board.line, more);
    home.closers.push(() => running.stop());
    const before = running.log;
    expect(running.events("checkpoint-failed")).toMatchObject([{ code: "signer-silent" }]);
    expect(running.events("key-loaded")).toMatchObject([{ deviceKey: toHex(PUBLIC_KEY) }]);
    await until("sealed meanwhile", () => running.log.durable > before.durable + 8);
    expect(running.log.signed).toBe(before.signed);
    // The node is not to blame.
    await until("the uplink says so", () => running.agent.status().nodes[0]?.problem);
    expect(running.agent.status().nodes[0]?.problem).toContain("the coprocessor did not sign");
    board.deaf = false;
    await until("a receipt", () => running.receipted > before.durable + 8);
    expect(await faults(node)).toEqual([0]);
    requireOneStory();
  });

  it("lets no other coprocessor sign, neither in the middle nor at a start", async () => {
    const running = await start({ devices: [await inverter()] });
    await until("a signature", () => running.log.signed);
    board.exchange(new Uint8Array(32).fill(8));
    await until("a refusal", () => running.events("checkpoint-failed").length);
    expect(running.events("checkpoint-failed")).toMatchObject([{ code: "signer-key-changed" }]);
    const [signed, made] = [running.log.signed, board.signed.length];
    const { durable } = running.log;
    await until("sealed meanwhile", () => running.log.durable > durable + 8);
    // It was noticed by one signature at most, which fits no log; after that its key is looked at first.
    expect([running.log.signed, board.signed.length]).toEqual([signed, made]);
    await running.stop();
    const { config, terms } = signingConfig(home.gateway("g"), board.line);
    await expect(openDeviceKey(config, terms)).rejects.toMatchObject({
      code: "signer-key-changed",
      detail: { expected: toHex(PUBLIC_KEY), hint: expect.stringContaining("docs/backup.md") },
    });
  });

  it("says when somebody else has the key sign, and goes on", async () => {
    const running = await start();
    await until("a signature", () => running.log.signed);
    board.misbehave("used-elsewhere");
    await until("a notice", () => running.events("signer-used-elsewhere").length);
    const { signed } = running.log;
    await until("signed on", () => running.log.signed > signed);
    expect(running.events("checkpoint-failed")).toEqual([]);
  });
});
