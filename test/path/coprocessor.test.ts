import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { parse, stringify } from "yaml";
import { z } from "zod";
import { Journal } from "../../agent/journal/journal.ts";
import type { Leaf } from "../../attest/leaf.ts";
import { decodeLeaf } from "../../attest/leaf-codec.ts";
import { SimulatedCoprocessor } from "../../firmware-bridge/simulated/coprocessor.ts";
import type { SimulatedMicrocontroller } from "../../firmware-bridge/simulated/microcontroller.ts";
import { microcontroller } from "../firmware-bridge/smp/kit.ts";
import { eventually, Program, run } from "../kit/programs.ts";

vi.setConfig({ testTimeout: 180_000, hookTimeout: 180_000 });

const EXAMPLE = join(import.meta.dirname, "../../examples/coprocessor.yaml");
const START_MWH = 5_000_000;

const exampleSchema = z.looseObject({ devices: z.tuple([z.looseObject({ id: z.literal("front-end") })]) });

type LeafOf<Kind extends Leaf["kind"]> = Extract<Leaf, { kind: Kind }>;

const folder = mkdtempSync(join(tmpdir(), "kw-coprocessor-"));
const config = join(folder, "agent.yaml");
const began = performance.now();
let importMwh = START_MWH;
let mcu: SimulatedMicrocontroller;
let server: Server;
let agent: Program;
let journal: Journal;

beforeAll(async () => {
  const coprocessor = new SimulatedCoprocessor({
    shown: () => [{ name: "grid", role: "grid", importMwh, exportMwh: 0, activePowerMw: 1_500_000 }],
    monotonicMs: () => Math.floor(performance.now() - began) + 1,
    starts: () => mcu.boots,
  });
  mcu = microcontroller({ groups: new Map([[64, (request) => coprocessor.handle(request)]]) });
  server = createServer((socket) => {
    socket.on("error", () => undefined);
    socket.on("data", (bytes) => socket.write(mcu.receive(new Uint8Array(bytes))));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  writeFileSync(config, stringify(replaced()));
  agent = new Program(["agent", "--config", config, "--json"]);
  await agent.event("agent-ready");
  journal = new Journal(join(folder, "journal.db"), "reader");
});
afterAll(async () => {
  await agent?.kill("SIGTERM");
  journal?.close();
  server?.close();
  rmSync(folder, { recursive: true, force: true });
});

/** The example without a node and with the key in its file, on the simulated microcontroller's line. */
function replaced(): object {
  const {
    nodes: _none,
    signer: _key,
    devices,
    ...example
  } = exampleSchema.parse(parse(readFileSync(EXAMPLE, "utf8")));
  const [{ intervalSeconds: _seldom, ...device }] = devices;
  const address = server.address();
  const line = `tcp://127.0.0.1:${typeof address === "object" ? address?.port : ""}`;
  return {
    ...example,
    ...{ intervalSeconds: 2, commitSeconds: 0.2, checkpointSeconds: 0.3 },
    devices: [{ ...device, line, intervalMs: 300 }],
  };
}

function leaves<Kind extends Leaf["kind"]>(kind: Kind): LeafOf<Kind>[] {
  return journal
    .leaves(1, 0, Number.MAX_SAFE_INTEGER)
    .map((bytes) => decodeLeaf(bytes))
    .filter((leaf): leaf is LeafOf<Kind> => leaf.kind === kind);
}

function soon<T>(what: string, ask: () => T | undefined): Promise<T> {
  return eventually(what, 60_000, ask).catch((error: unknown) => {
    throw new Error(`${String(error)}\n${agent.stderr.slice(-4000)}`);
  });
}

async function counted(mwh: number): Promise<void> {
  importMwh += mwh;
  await soon("the register", () => leaves("reading").at(-1)?.importMwh === importMwh || undefined);
}

describe("the example of a front end behind a microcontroller", () => {
  it("is read, sealed, and read on after a restart of the microcontroller, which the log tells", async () => {
    await counted(2_000);
    await counted(3_000);
    expect(leaves("channelManifest")).toMatchObject([
      { name: "house/grid", driver: "coprocessor", make: "Simulated", serial: "4711" },
    ]);
    const before = leaves("discontinuity").length;
    mcu.restart();
    await soon("a discontinuity", () => leaves("discontinuity")[before]);
    await counted(4_000);
    const interval = await soon("a closed interval", () =>
      leaves("intervalClose").find(({ closingImportMwh }) => closingImportMwh === importMwh),
    );
    expect(interval.closingExportMwh).toBe(0);
  });

  it("is shown by status while the agent runs, and by probe beside it", async () => {
    expect((await run(["status", "--config", config])).stdout).toContain("front-end (coprocessor)");
    const { stdout, code } = await run(["probe", "--config", config]);
    expect(stdout).toContain("front-end (coprocessor): Simulated");
    expect(code).toBe(0);
  });
});
