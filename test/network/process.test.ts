import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { concatBytes, fromHex } from "../../attest/bytes.ts";
import type { BatchMessage } from "../../attest/messages.ts";
import { nativeSuite } from "../../attest/native.ts";
import { openReceipt } from "../../attest/receipt.ts";
import { Client, FakeDevice, NETWORK } from "../kit/device.ts";
import { atEnd, openStore, temporaryFolder } from "./fixture.ts";

const ENTRY = join(import.meta.dirname, "run-node.ts");
/** More with KILL_CYCLES=500 npx vitest run test/network/process.test.ts */
const KILL_CYCLES = Number(process.env["KILL_CYCLES"] ?? 12);
/** Batches without a receipt; their leaves fit into one batch. */
const MOST_OPEN = 200;

interface Ready {
  readonly child: ChildProcess;
  readonly ws: string;
  readonly http: string;
  readonly nodeKey: string;
}

function writeConfig(folder: string, more = ""): string {
  const path = join(folder, "node.yaml");
  writeFileSync(
    path,
    `network: ${NETWORK}
key: ${join(folder, "node.key")}
store: ${join(folder, "node.sqlite")}
devices: open
log: error
listen: { port: 0 }
http: { port: 0 }
${more}`,
  );
  return path;
}

function spawnNode(config: string): ChildProcess {
  const child = spawn(process.execPath, [ENTRY, "--config", config, "--json"], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  atEnd(() => {
    child.kill("SIGKILL");
  });
  return child;
}

async function start(config: string): Promise<Ready> {
  const child = spawnNode(config);
  if (child.stdout === null) throw new Error("the node has no standard output");
  const lines = createInterface({ input: child.stdout });
  const [line] = await once(lines, "line");
  const ready = JSON.parse(String(line)) as { event: string } & Omit<Ready, "child">;
  expect(ready.event).toBe("node-ready");
  return { ...ready, child };
}

/** What a node that must not start says on standard error, and its exit code. */
async function failure(config: string): Promise<{ code: unknown; text: string }> {
  const child = spawnNode(config);
  let text = "";
  child.stderr?.on("data", (chunk) => {
    text += String(chunk);
  });
  const [code] = await once(child, "close");
  return { code, text };
}

describe("kilowitness node", () => {
  it("stops at SIGTERM: sockets closed with 1001, the store in one file, exit code 0", async () => {
    const folder = temporaryFolder();
    const { child, ws } = await start(writeConfig(folder));
    const device = new FakeDevice().open().read(10);
    const { client } = await Client.greeted(ws, device.signer);
    expect(await client.ask(await device.batch())).toMatchObject({ type: "receipt" });
    const exited = once(child, "exit");
    child.kill("SIGTERM");
    expect((await client.closed).code).toBe(1001);
    expect(await exited).toEqual([0, null]);
    expect(existsSync(join(folder, "node.sqlite-wal"))).toBe(false);
  });

  it("takes another list of devices at SIGHUP without a restart", async () => {
    const folder = temporaryFolder();
    const { child, ws } = await start(writeConfig(folder));
    const { client } = await Client.greeted(ws, new FakeDevice().signer);
    const path = writeConfig(folder);
    writeFileSync(path, `network: ${NETWORK}\nkey: x\nstore: x\ndevices: []\n`);
    child.kill("SIGHUP");
    expect(await client.next()).toMatchObject({ type: "refusal", code: "device-unknown" });
    expect(child.exitCode).toBeNull();
  });

  it("says in one line that its port is in use", async () => {
    const taken = createServer().listen(0, "127.0.0.1");
    await once(taken, "listening");
    atEnd(() => {
      taken.close();
    });
    const address = taken.address();
    const port = typeof address === "object" ? address?.port : undefined;
    const folder = temporaryFolder();
    const config = join(folder, "node.yaml");
    const places = `key: ${join(folder, "k")}\nstore: ${join(folder, "s")}\nlog: error\n`;
    writeFileSync(
      config,
      `network: n\ndevices: open\n${places}listen: { port: ${port} }\nhttp: { port: 0 }\n`,
    );
    const { code, text } = await failure(config);
    expect(code).toBe(1);
    expect(text).toBe(
      `kilowitness node: 127.0.0.1:${port}: the port is in use; ` +
        "stop the other program, or set another listen.port (listen)\n",
    );
  });

  it.each([
    [
      "http: { host: 0.0.0.0 }",
      "http.host: others can reach this address, so it needs http.tokens and http.tls",
    ],
    ["http: { tokens: nowhere }", "nowhere: file with tokens cannot be read"],
    [
      "listen: { tls: { certificate: nowhere, key: k } }",
      "listen.tls.certificate nowhere: file cannot be read",
    ],
    ["htpp: {}", "htpp"],
    ["maxConnections: 0", "maxConnections"],
  ])("says in one line what is wrong in its configuration: %s", async (line, said) => {
    const folder = temporaryFolder();
    const config = join(folder, "node.yaml");
    writeFileSync(config, `network: n\ndevices: open\nkey: k\nstore: s\n${line}\n`);
    const { code, text } = await failure(config);
    expect(code).toBe(2);
    expect(text).toContain(said);
    expect(text.trimEnd().split("\n")).toHaveLength(1);
  });
});

describe("kill -9", () => {
  it(
    `loses nothing that was receipted, in ${KILL_CYCLES} cycles`,
    async () => {
      const folder = temporaryFolder();
      const config = writeConfig(folder);
      const device = new FakeDevice().open();
      const receipted: { batch: BatchMessage; receipt: Uint8Array }[] = [];
      for (let cycle = 0; cycle < KILL_CYCLES; cycle++) {
        const { child, ws, nodeKey } = await start(config);
        const { client, welcome } = await Client.greeted(ws, device.signer);
        const size = sizeOf(welcome, fromHex(nodeKey, "node key"));
        const known = receipted.at(-1);
        const least =
          known === undefined
            ? 0
            : openReceipt(nativeSuite, known.receipt, fromHex(nodeKey, "node key")).size;
        expect(size).toBeGreaterThanOrEqual(least);
        const kill = (): unknown => setTimeout(() => child.kill("SIGKILL"), Math.random() * 60);
        // The first cycle has something to lose, however slow the machine is; the others are killed at any instant.
        if (cycle > 0) kill();
        await streamUntilClosed(client, { device, from: size, receipted, ...(cycle === 0 && { kill }) });
      }
      const { child, ws } = await start(config);
      const { client } = await Client.greeted(ws, device.signer);
      for (const { batch, receipt } of receipted)
        expect(await client.ask(batch)).toEqual({ type: "receipt", receipt });
      const exited = once(child, "exit");
      child.kill("SIGTERM");
      await exited;
      await expectStored(folder, device);
    },
    30_000 + KILL_CYCLES * 30_000,
  );

  function sizeOf(welcome: { type: string; receipt?: Uint8Array }, nodeKey: Uint8Array): number {
    if (welcome.type !== "welcome") throw new Error(`no welcome but ${welcome.type}`);
    if (welcome.receipt === undefined) return 0;
    return openReceipt(nativeSuite, welcome.receipt, nodeKey).size;
  }

  async function streamUntilClosed(
    client: Client,
    run: {
      readonly device: FakeDevice;
      readonly from: number;
      readonly receipted: { batch: BatchMessage; receipt: Uint8Array }[];
      /** Called at the first receipt. */
      readonly kill?: () => void;
    },
  ): Promise<void> {
    const { device, receipted, kill } = run;
    const open: BatchMessage[] = [];
    const receive = async (): Promise<void> => {
      for (;;) {
        const answer = await client.next();
        const batch = open.shift();
        if (answer.type !== "receipt" || batch === undefined) throw new Error(JSON.stringify(answer));
        receipted.push({ batch, receipt: answer.receipt });
        if (receipted.length === 1) kill?.();
      }
    };
    const send = async (): Promise<void> => {
      let batch = await device.read(4).batch(run.from);
      while (client.socket.readyState === client.socket.OPEN) {
        open.push(batch);
        client.send(batch);
        await sleep(1);
        // What the node does not get now comes in one batch after its restart.
        while (open.length > MOST_OPEN && client.socket.readyState === client.socket.OPEN) await sleep(1);
        batch = await device.read(4).batch();
      }
    };
    // The link breaks because the node is killed; that is how a cycle ends.
    const received = receive().catch((thrown: unknown) => String(thrown));
    await send();
    expect(await received).toContain("closed with 1006");
  }

  async function expectStored(folder: string, device: FakeDevice): Promise<void> {
    const store = openStore(folder);
    const head = await store.head(device.signer.publicKey, 1);
    const size = head?.size ?? 0;
    expect(size).toBeGreaterThan(0);
    const stored = await store.leaves(head?.log ?? 0, 0, size);
    expect(concatBytes(...stored)).toEqual(concatBytes(...device.leaves.slice(0, size)));
  }
});
