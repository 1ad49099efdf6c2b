import { readFileSync, writeFileSync } from "node:fs";
import { afterEach, describe, expect, it } from "vitest";
import { statusCommand } from "../../../agent/cli/status.ts";
import { fromHex } from "../../../attest/bytes.ts";
import { decodeLeaf } from "../../../attest/leaf-codec.ts";
import { runFsck } from "../../../bin/fsck/run.ts";
import { inspectCommand } from "../../../network/cli/inspect.ts";
import { FakeContact } from "../../firmware-bridge/tamper/fake-contact.ts";
import { eventually, jsonLines, type Program } from "../../kit/programs.ts";
import { eachOnFreshSite, type Site } from "../../path/site.ts";
import { runHere } from "../outlet/run-command.ts";

/** Commits and checkpoints that come by themselves are far apart: what is seen sooner was not to wait. */
const SELDOM = "commitSeconds: 60\ncheckpointSeconds: 60\n";
const PANEL = `tamper: [{ name: lid, line: 17, openedMs: 20, closedMs: 100 }]
indicator: { lamps: [no-such-lamp] }
`;

let site: Site;
eachOnFreshSite((fresh) => {
  site = fresh;
});
let contact: FakeContact | undefined;
afterEach(() => {
  // Those of an agent that was killed would watch for a minute.
  for (const pid of contact?.watchers() ?? []) end(pid);
  contact?.close();
  contact = undefined;
});

function end(pid: number): void {
  try {
    process.kill(pid);
  } catch {
    // It has ended already.
  }
}

/** Tamper leaves that are on the disk: input, state and place. */
function tamperLeaves(): { readonly state: string; readonly seq: number; readonly hex: string }[] {
  return site.journalLeaves().flatMap((hex) => {
    const leaf = decodeLeaf(fromHex(hex, "leaf"));
    return leaf.kind === "tamper" ? [{ state: `${leaf.input} ${leaf.state}`, seq: leaf.seq, hex }] : [];
  });
}

async function leaf(
  at: number,
): Promise<{ readonly state: string; readonly seq: number; readonly hex: string }> {
  return eventually(`tamper leaf ${at}`, 25_000, () => tamperLeaves()[at]);
}

function events(agent: Program, prefix: string): unknown[] {
  return jsonLines(agent.stderr).flatMap(({ event }) => (String(event).startsWith(prefix) ? [event] : []));
}

describe("a gateway whose enclosure is watched", () => {
  it("has an opening on the disk and at the node at once, goes on after kill -9, and says when it stops", async () => {
    contact = new FakeContact(2, false);
    await site.startNode();
    const config = site.writeAgentConfig();
    const text = readFileSync(config, "utf8").replace(/^commitSeconds.*\ncheckpointSeconds.*\n/m, SELDOM);
    writeFileSync(config, `${text}${PANEL}`);
    const agent = site.startAgent();
    await agent.event("enclosure-closed");
    await agent.event("node-connected");
    await eventually("watched", 25_000, () => (contact?.watchers().length === 1 ? true : undefined));
    contact.edge(true);
    await agent.event("enclosure-opened");
    const opened = await leaf(1);
    expect(tamperLeaves().map(({ state }) => state)).toEqual(["lid 2", "lid 1"]);
    await site.nodeReaches(opened.seq + 1, 25_000);

    writeFileSync(site.path("leaf.hex"), opened.hex);
    const shown = await runHere(inspectCommand(), "--hex", site.path("leaf.hex"));
    expect(JSON.parse(shown.out)).toMatchObject({
      kind: "tamper",
      input: "lid",
      state: 1,
      seq: opened.seq,
    });

    const status = await runHere(statusCommand(), "--config", config);
    expect(status.code).toBe(1);
    expect(status.out).toMatch(/^- the enclosure lid is open since .* \(enclosure-opened\)\n {2}close it; /m);
    expect(status.out).toMatch(
      /^- a lamp shows nothing: no-such-lamp: there is no such lamp; .* \(indicator-failed\)/m,
    );
    expect(status.out).toMatch(/^Enclosure lid: open since .*, opened once since the start$/m);
    expect(status.out).toMatch(/^Lamp: /m);
    expect(events(agent, "indicator")).toEqual(["indicator-failed"]);

    await agent.kill("SIGKILL");
    const again = site.startAgent();
    await again.event("enclosure-opened");
    expect((await leaf(2)).state).toBe("lid 1");
    expect(await again.kill("SIGTERM")).toBe(0);
    expect(tamperLeaves().map(({ state }) => state)).toEqual(["lid 2", "lid 1", "lid 1", "lid 3"]);
    expect(events(again, "enclosure")).toEqual(["enclosure-opened"]);
    const keys = { deviceKeys: [site.deviceKey], nodeKeys: [], most: 5 };
    expect(runFsck(site.path("journal.sqlite"), keys).findings).toEqual([]);
  }, 120_000);
});
