import { readdirSync, rmSync } from "node:fs";
import { expect, it } from "vitest";
import { z } from "zod";
import { backupCommand } from "../../agent/cli/backup.ts";
import { restoreCommand } from "../../agent/cli/restore.ts";
import { toHex } from "../../attest/bytes.ts";
import { runFsck } from "../../bin/fsck/run.ts";
import { eventually } from "../kit/programs.ts";
import { eachOnFreshSite, type Site } from "../path/site.ts";
import { runHere } from "./outlet/run-command.ts";

let site: Site;
eachOnFreshSite((fresh) => {
  site = fresh;
});

const answerSchema = z.object({
  devices: z.array(
    z.object({
      key: z.string(),
      faults: z.number(),
      logs: z.array(z.object({ epoch: z.number(), size: z.number() })),
    }),
  ),
});

/** The device as the node shows it. */
async function atNode(): Promise<z.output<typeof answerSchema>["devices"][number] | undefined> {
  const answer = await fetch(`http://127.0.0.1:${site.httpPort}/devices`);
  const key = toHex(site.deviceKey);
  return answerSchema.parse(await answer.json()).devices.find((device) => device.key === key);
}

function findings(file: string): readonly unknown[] {
  return runFsck(site.path(file), { deviceKeys: [], nodeKeys: [], network: "path-test", most: 5 }).findings;
}

it("a restored agent goes on in an epoch that its node has not seen, and neither accuses it", {
  timeout: 120_000,
}, async () => {
  await site.startNode();
  const config = site.writeAgentConfig();
  const first = site.startAgent();
  await site.nodeReaches(8);
  const out = site.path("home.tar");
  expect((await runHere(backupCommand(), "--config", config, "--out", out)).code).toBe(0);
  // What comes now is in no backup, and the node has it.
  await site.nodeReaches((await site.nodeSize()) + 6);
  await first.kill("SIGKILL");
  for (const name of readdirSync(site.folder)) if (name.startsWith("journal.")) rmSync(site.path(name));
  const { code, err } = await runHere(restoreCommand(), out, "--config", config);
  expect({ code, err }).toEqual({ code: 0, err: "" });

  const restored = site.startAgent();
  await eventually(`a later epoch at the node; it printed:\n${restored.stderr}`, 25_000, async () => {
    const logs = (await atNode())?.logs ?? [];
    return logs.some(({ epoch, size }) => epoch > 1 && size > 5) ? true : undefined;
  });
  expect(await restored.kill("SIGTERM")).toBe(0);
  const device = await atNode();
  expect(device?.faults).toBe(0);
  expect(device?.logs.map(({ epoch }) => epoch)).toEqual([1, 3]);
  expect(findings("journal.sqlite")).toEqual([]);
  expect(findings("store.sqlite")).toEqual([]);
  const leaves = site.journalLeaves();
  expect(new Set(leaves).size).toBe(leaves.length);
});
