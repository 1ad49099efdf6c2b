import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:net";
import { describe, expect, it, vi } from "vitest";
import { eventually, run } from "../kit/programs.ts";
import {
  complaint,
  complaints,
  configure,
  expectInOrder,
  expectRefusal,
  expectSealing,
  logLines,
  stops,
} from "./complaints.ts";
import { eachOnFreshSite, type Site } from "./site.ts";

/** Programs are started one after the other here, and each of them has its own deadline. */
vi.setConfig({ testTimeout: 180_000, hookTimeout: 180_000 });

describe("what a user sees when it goes wrong with a node", () => {
  let site: Site;
  eachOnFreshSite((fresh) => {
    site = fresh;
  });

  it("nobody there: says so once, keeps sealing, and connects when it comes", async () => {
    const first = await site.startNode();
    await first.kill("SIGTERM");
    configure(site);
    const agent = site.startAgent();
    const line = await complaint(agent, "node-unreachable");
    expectInOrder(String(line["message"]), [
      `ws://127.0.0.1:${site.nodePort}`,
      "cannot be reached",
      "got ECONNREFUSED",
      "is the node running",
    ]);
    const waits = await agent.event("signing-waits");
    expect(waits).toMatchObject({
      nodes: [site.nodeKey],
      hint: expect.stringContaining("sealed meanwhile"),
    });
    await expectSealing(site);
    expect(complaints(agent, "node-unreachable")).toHaveLength(1);
    await site.startNode();
    await agent.event("node-connected");
    await site.nodeReaches(10);
    await stops(agent);
  });

  it("another node, another network, and no node at all at that address", async () => {
    await site.startNode();
    const rightKey = site.nodeKey;
    configure(site);
    site.nodeKey = "ab".repeat(32);
    configure(site);
    const wrongKey = site.startAgent();
    const key = await complaint(wrongKey, "node-key");
    expectInOrder(String(key["message"]), [
      "another node answers",
      site.nodeKey,
      rightKey,
      "if its operator confirms",
    ]);
    expect(key["url"]).toBe(`ws://127.0.0.1:${site.nodePort}`);
    await expectSealing(site);
    await stops(wrongKey);

    site.nodeKey = rightKey;
    configure(site);
    const path = site.path("agent.yaml");
    const other = readFileSync(path, "utf8")
      .replace("path-test", "other")
      .replace("journal.sqlite", "other.sqlite");
    writeFileSync(path, other);
    const wrongNetwork = site.startAgent();
    const network = await complaint(wrongNetwork, "node-refused:network-mismatch");
    expectInOrder(String(network["message"]), [
      "another network",
      "expected path-test",
      "got other",
      "correct `network`",
    ]);
    await stops(wrongNetwork);

    site.nodePort = site.inverterPort;
    configure(site);
    const noNode = site.startAgent();
    const line = await eventually("a problem", 60_000, () =>
      logLines(noNode).find(({ event }) => event === "node-problem"),
    );
    expect(String(line["message"])).toContain(`ws://127.0.0.1:${site.inverterPort}: `);
    await expectSealing(site);
    await stops(noNode);
  });

  it("a store that is damaged: the node says so and stops, the agent keeps sealing", async () => {
    const node = await site.startNode();
    configure(site);
    const agent = site.startAgent();
    await site.nodeReaches(5);
    await node.kill("SIGTERM");
    for (const suffix of ["-wal", "-shm"]) rmSync(site.path(`store.sqlite${suffix}`), { force: true });
    writeFileSync(site.path("store.sqlite"), "this is no database ".repeat(500));
    const ended = await run(["node", "--config", site.path("node.yaml")]);
    const says = [
      site.path("store.sqlite"),
      "damaged",
      "expected",
      "got file is not a database",
      "keep the file",
    ];
    expectRefusal(ended, { command: "node", exit: 1, code: "database-damaged", says });
    await complaint(agent, "node-unreachable");
    await expectSealing(site);
    await stops(agent);
  });

  it("a port that somebody else has", async () => {
    const taken: Server = createServer();
    await new Promise<void>((resolve) => taken.listen(0, "127.0.0.1", resolve));
    site.closers.push(() => taken.close());
    const address = taken.address();
    const port = typeof address === "object" ? (address?.port ?? 0) : 0;
    const text = `network: n\nkey: ${site.path("n.key")}\nstore: ${site.path("n.sqlite")}\ndevices: open\nhttp: { port: 0 }\n`;
    writeFileSync(site.path("n.yaml"), `${text}listen: { port: ${port} }\n`);
    const says = [`127.0.0.1:${port}`, "port is in use"];
    const ended = await run(["node", "--config", site.path("n.yaml")]);
    expectRefusal(ended, { command: "node", exit: 1, code: "listen", says });
  });
});
