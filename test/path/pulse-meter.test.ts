import { randomBytes } from "node:crypto";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { parse, stringify } from "yaml";
import { z } from "zod";
import { Journal } from "../../agent/journal/journal.ts";
import { fromHex, toHex } from "../../attest/bytes.ts";
import { type DispatchOrder, signDispatch } from "../../attest/flexibility/orders.ts";
import { logIdOf } from "../../attest/identity.ts";
import type { Leaf } from "../../attest/leaf.ts";
import { decodeLeaf } from "../../attest/leaf-codec.ts";
import { ACKNOWLEDGEMENT } from "../../attest/leaf-flexibility.ts";
import { nativeSuite } from "../../attest/native.ts";
import { FakeNode } from "../agent/fake-node.ts";
import { NETWORK } from "../agent/kit.ts";
import { FakeLine, pulses } from "../firmware-bridge/pulse/fake-line.ts";
import { FakeGpio } from "../firmware-bridge/relay/fake-gpio.ts";
import { gpioinfoLines, installGpioinfo } from "../firmware-bridge/relay/fake-gpioinfo.ts";
import { eventually, jsonLines, Program, run } from "../kit/programs.ts";

vi.setConfig({ testTimeout: 180_000, hookTimeout: 180_000 });

const EXAMPLE = join(import.meta.dirname, "../../examples/pulse-meter.yaml");
const START_MWH = 1_234_500_000;
/** 1000 pulses a kWh. */
const PULSE_MWH = 1000;
const LEAST_S = 2;

const exampleSchema = z.looseObject({
  devices: z.tuple([z.looseObject({ id: z.literal("heat-pump"), relay: z.looseObject({}) })]),
  control: z.looseObject({}),
});

type LeafOf<Kind extends Leaf["kind"]> = Extract<Leaf, { kind: Kind }>;

const folder = mkdtempSync(join(tmpdir(), "kw-pulse-"));
const config = join(folder, "agent.yaml");
const line = new FakeLine();
const gpio = new FakeGpio();
let node: FakeNode;
let agent: Program;
let journal: Journal;
let deviceKey: Uint8Array;
let pulsed = 0;

beforeAll(async () => {
  await line.open();
  line.installGpiomon(2);
  gpio.install(2);
  installGpioinfo(gpio.folder, 2, gpioinfoLines(2));
  node = await FakeNode.start();
  writeFileSync(config, stringify(replaced()));
  agent = new Program(["agent", "--config", config, "--json", "--supervise"]);
  deviceKey = fromHex(String((await agent.event("agent-ready"))["deviceKey"]), "deviceKey");
  journal = new Journal(join(folder, "journal.db"), "reader");
  await line.watched();
});
afterAll(async () => {
  await agent?.kill("SIGTERM");
  journal?.close();
  await node?.close();
  await line.close();
  gpio.close();
  rmSync(folder, { recursive: true, force: true });
});

/** The example on lines of this test, with times that a test can wait for. */
function replaced(): object {
  const example = exampleSchema.parse(parse(readFileSync(EXAMPLE, "utf8")));
  const [{ intervalSeconds: _seldom, relay, ...device }] = example.devices;
  return {
    ...example,
    ...{ network: NETWORK, intervalSeconds: 2, commitSeconds: 0.2, checkpointSeconds: 0.3 },
    devices: [{ ...device, intervalMs: 300, relay: { ...relay, leastOpenSeconds: LEAST_S } }],
    control: { ...example.control, leaseSeconds: 30 },
    nodes: [{ url: node.url, key: toHex(node.signer.publicKey), control: true }],
  };
}

function leaves<Kind extends Leaf["kind"]>(kind: Kind): LeafOf<Kind>[] {
  return journal
    .leaves(1, 0, Number.MAX_SAFE_INTEGER)
    .map((bytes) => decodeLeaf(bytes))
    .filter((leaf): leaf is LeafOf<Kind> => leaf.kind === kind);
}

function soon<T>(what: string, ask: () => T | undefined | Promise<T | undefined>): Promise<T> {
  return eventually(what, 60_000, ask).catch((error: unknown) => {
    throw new Error(`${String(error)}\n${agent.stdout}\n${agent.stderr.slice(-4000)}`);
  });
}

/** The meter's disc turns that often, and the register says so. */
async function turn(count: number): Promise<void> {
  pulsed += count;
  line.play({ edges: pulses(count) });
  const wanted = START_MWH + pulsed * PULSE_MWH;
  await soon(`a sealed register of ${wanted} mWh`, () =>
    leaves("reading").at(-1)?.importMwh === wanted ? true : undefined,
  );
}

/** Contacts that are closed, the first one first. */
function contacts(): string {
  return [17, 27].map((number) => gpio.history(number).at(-1)?.split(" ")[1]).join(":");
}

async function isAt(position: string): Promise<void> {
  await soon(`contacts ${position}`, () => (contacts() === position ? true : undefined));
}

/** The agent itself, which the program that was started is the parent of. */
function agentPid(): number {
  const children = readFileSync(`/proc/${agent.child.pid}/task/${agent.child.pid}/children`, "utf8");
  return Number(children.trim().split(" ")[0]);
}

/** Resolves when there is another one, and the node knows of it: what is sent to the one before is lost. */
async function killAgent(): Promise<void> {
  const connections = node.peers.length;
  const before = agentPid();
  const ready = (): number => jsonLines(agent.stdout).length;
  const lines = ready();
  process.kill(before, "SIGKILL");
  await soon("another agent", () => (ready() > lines ? true : undefined));
  await soon("its connection", () => (node.peers.length > connections ? true : undefined));
}

async function order(changes: Partial<DispatchOrder>): Promise<void> {
  const nowMs = Date.now();
  const channel = leaves("channelManifest").find(({ name }) => name === "house/heat-pump")?.channel ?? 0;
  const logId = logIdOf(nativeSuite, { network: NETWORK, deviceKey, epoch: 1 });
  const bytes = await signDispatch(node.signer, {
    ...{ logId, objectId: new Uint8Array(randomBytes(16)), channel, issuedAtMs: nowMs - 1000 },
    ...{
      expiresMs: nowMs + 60_000,
      fromMs: nowMs - 500,
      toMs: nowMs + 600_000,
      command: 2,
      value: 0,
      ...changes,
    },
  });
  node.peers.at(-1)?.send({ type: "order", order: bytes });
}

const answers = (): { readonly state: number; readonly reason?: string }[] => leaves("acknowledgement");

describe("the example of a heat pump behind a pulse meter", () => {
  it("seals a register of what was pulsed", async () => {
    await turn(5);
    await turn(2);
    await soon("a closed interval", () =>
      leaves("intervalClose").find(
        ({ closingImportMwh }) => closingImportMwh === START_MWH + pulsed * PULSE_MWH,
      ),
    );
    expect(leaves("channelManifest")).toMatchObject([
      {
        name: "house/heat-pump",
        driver: "s0-pulse",
        make: "Example",
        serial: "4711",
        resolutionMwh: PULSE_MWH,
      },
    ]);
  });

  it("is held by its owner in a mode that no power stands for", async () => {
    const hold = ["flex", "hold", "heat-pump", "--mode", "advised", "--for", "10", "--config", config];
    await soon("the hold", async () => ((await run(hold)).code === 0 ? true : undefined));
    await isAt("0:1");
    const shown = { action: 1, command: 5, value: 4, readBack: 4 };
    await soon("the mode in the log", () => leaves("actuation").length > 0 || undefined);
    expect(leaves("actuation")).toMatchObject([shown]);
    expect((await run(["status", "--config", config])).stdout).toMatch(/is told: advised \(manual\)/);
    const released = await run(["flex", "release", "heat-pump", "--config", config]);
    expect(released.code).toBe(0);
    await isAt("0:0");
  });

  it("says that nobody counted while the agent was gone, and goes on with the register", async () => {
    const before = leaves("discontinuity").length;
    await killAgent();
    // Behind this one it is the agent that counts: whoever puts the relay to rest may have watched the line before it.
    const found = await soon("a discontinuity", () => leaves("discontinuity")[before]);
    await turn(3);
    expect(found).toMatchObject({ oldImportMwh: START_MWH + 7 * PULSE_MWH });
    expect(found.gapToMs).toBeGreaterThan(found.gapFromMs);
  });

  it("is blocked by a node's order, and opens its contacts when the agent is killed", async () => {
    await soon("a connection", () => (node.peers.at(-1)?.types.includes("batch") ? true : undefined));
    await order({});
    await isAt("1:0");
    await soon("the answers", () => (answers().length >= 2 ? true : undefined));
    expect(answers()).toMatchObject([
      { state: ACKNOWLEDGEMENT.accepted },
      { state: ACKNOWLEDGEMENT.started },
    ]);
    expect(leaves("actuation").filter(({ orderSeq }) => orderSeq !== undefined)).toMatchObject([
      { action: 1, command: 2, value: 0, readBack: 0 },
    ]);
    await killAgent();
    await isAt("0:0");
    const reverted = await soon("the end in the log", () =>
      leaves("actuation").find(({ action, orderSeq }) => action === 3 && orderSeq !== undefined),
    );
    expect(reverted).toMatchObject({ command: 2, reason: "agent-killed" });
    await soon(
      "the end of the order",
      () => answers().at(-1)?.state === ACKNOWLEDGEMENT.aborted || undefined,
    );
  });

  it("is looked at without a trace", async () => {
    await agent.kill("SIGTERM");
    expect(contacts()).toBe("0:0");
    const register = join(folder, "heat-pump.pulses");
    const before = readFileSync(register);
    const history = gpio.history(17);
    const { code, stdout } = await run(["probe", "--config", config]);
    expect(stdout).toContain("import 1,234.510 kWh");
    expect(stdout).toContain(
      "relay (sg-ready) at gpiochip0 line 17 and gpiochip0 line 27: free; nothing was switched",
    );
    expect(code).toBe(0);
    expect(readFileSync(register)).toEqual(before);
    expect(gpio.history(17)).toEqual(history);
    rmSync(register);
    expect((await run(["probe", "--config", config])).stdout).toContain("1,234.500 kWh");
    expect(existsSync(register)).toBe(false);
  });

  it("says at probe what is wrong, each in one line", async () => {
    const problems = async (): Promise<string[]> => {
      const { code, stdout } = await run(["probe", "--config", config]);
      expect(code).toBe(1);
      return stdout.split("\n").filter((text) => text.includes("PROBLEM"));
    };
    const register = join(folder, "heat-pump.pulses");
    writeFileSync(register, "no count");
    expect(await problems()).toEqual([
      expect.stringMatching(/heat-pump.pulses: no copy .* \(pulse-register-damaged\)$/),
    ]);
    rmSync(register);
    line.installNoGpiomon();
    expect(await problems()).toEqual([
      expect.stringMatching(/install gpiomon \(Debian: apt install gpiod\)/),
      expect.stringMatching(/there is no gpioset; Debian: apt install gpiod \(gpioset-missing\)$/),
    ]);
    const broken = { ...replaced(), journal: "other.db" };
    writeFileSync(config, stringify(broken).replace("heat-pump.pulses", "nowhere/heat-pump.pulses"));
    const [first] = await problems();
    expect(first).toMatch(
      /nowhere\/heat-pump.pulses: the register file could not be written.*\(pulse-register-file\)$/,
    );
  });
});
