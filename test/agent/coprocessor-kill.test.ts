import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { eventually, Program } from "../kit/programs.ts";
import { Board } from "./coprocessor-home.ts";
import { NETWORK } from "./kit.ts";
import { signedCheckpoints } from "./signed-checkpoints.ts";
import { ask, nodeAt, UplinkHome } from "./uplink-home.ts";

let home: UplinkHome;
beforeEach(() => {
  home = new UplinkHome();
});
afterEach(() => home.close());

it("tells one story after kill -9 between asking for a signature and getting it", async () => {
  const board = new Board();
  await board.listen();
  home.closers.push(() => board.close());
  const node = await home.startNode();
  const { url, key } = nodeAt(node);
  const gateway = home.gateway("g");
  const config = join(gateway, "agent.yaml");
  writeFileSync(
    config,
    `{network: ${NETWORK}, key: k, journal: journal.sqlite, intervalSeconds: 1, commitSeconds: 0.1, checkpointSeconds: 0.2,
      signer: {coprocessor: "${board.line}"}, devices: [{id: feeder, driver: coprocessor, line: "${board.line}", intervalMs: 200}],
      nodes: [{url: "${url}", key: "${key}"}]}`,
  );
  const start = (): Program => {
    const agent = new Program(["agent", "--config", config, "--json"]);
    home.closers.push(() => agent.kill("SIGKILL"));
    return agent;
  };
  const atNode = async (): Promise<readonly { readonly faults: number; readonly size: number }[]> => {
    const { devices } = await ask(node, "/devices");
    return Array.isArray(devices)
      ? devices.map(({ faults, logs }) => ({ faults, size: logs.at(-1).size }))
      : [];
  };
  const reaches = (size: number, { stderr }: Program): Promise<number> =>
    eventually(`${size} leaves at the node; it printed:\n${stderr}`, 30_000, async () => {
      const [device] = await atNode();
      return device !== undefined && device.size >= size ? device.size : undefined;
    });
  const killed = start();
  const size = await reaches(5, killed);
  board.answersSignatures = false;
  const made = board.signed.length;
  const more = (): true | undefined => (board.signed.length > made ? true : undefined);
  await eventually("a signature that nobody gets", 20_000, more);
  await killed.kill("SIGKILL");
  board.answersSignatures = true;
  const last = start();
  await reaches(size + 10, last);
  expect(await last.kill("SIGTERM")).toBe(0);
  expect((await atNode()).map(({ faults }) => faults)).toEqual([0]);
  const said = signedCheckpoints(board.signed);
  expect(said.length).toBeGreaterThan(3);
  expect(said.filter(({ roots }) => roots !== 1)).toEqual([]);
}, 60_000);
