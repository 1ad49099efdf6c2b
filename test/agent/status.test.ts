import { writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { statusCommand } from "../../agent/cli/status.ts";
import { eventually } from "../kit/programs.ts";
import { type Outcome, runHere } from "./outlet/run-command.ts";
import { type AgentOptions, type RunningAgent, runAgent } from "./outlet/running-agent.ts";

let closers: (() => Promise<unknown> | unknown)[] = [];
afterEach(async () => {
  for (const close of closers.reverse()) await close();
  closers = [];
});

async function start(options: AgentOptions = {}): Promise<RunningAgent> {
  const running = await runAgent(options);
  closers.push(() => running.close());
  await eventually("readings", 25_000, () => {
    const { channels, log } = running.agent.status();
    return log.signed > 0 && channels.some(({ accepted }) => accepted > 1) ? true : undefined;
  });
  return running;
}

function status(running: RunningAgent, ...args: readonly string[]): Promise<Outcome> {
  return runHere(statusCommand(), "--config", running.config, ...args);
}

describe("kilowitness status", () => {
  it("says with the default configuration that all is well", async () => {
    const running = await start();
    const { code, out, err } = await status(running);
    expect({ code, err }).toEqual({ code: 0, err: "" });
    expect(out).toMatch(/^All is well: the device answers, readings are sealed\n/);
    expect(out).toMatch(
      /^roof \(sunspec\), .*serial INV-4711: answers\n {2}roof\/inverter \(generation\): generating 3\.6 kW; /m,
    );
    expect(out).toMatch(/^Log: \d+ entries, \d+ written, \d+ signed; last signed /m);
    expect(out).toContain("Nodes: none configured; the log stays here");
    expect(out).toMatch(/^Journal: \d+ kB, .* free, .* written in /m);
  });

  it("puts a device that does not answer into the first line", async () => {
    const running = await start();
    await running.unplug();
    await eventually("offline", 25_000, () =>
      running.lines.some(({ event }) => event === "device-offline") ? true : undefined,
    );
    const { code, out } = await status(running);
    expect(code).toBe(1);
    expect(out.split("\n")[0]).toBe("1 thing needs attention: roof does not answer");
    expect(out).toMatch(/^- roof does not answer: .*connection refused.* \(device-offline\)$/m);
  });

  it("prints everything as one object", async () => {
    const running = await start();
    const { code, out } = await status(running, "--json");
    expect(code).toBe(0);
    expect(JSON.parse(out)).toMatchObject({
      ...{ network: "test", deviceKey: running.agent.status().deviceKey, epoch: 1, attention: [] },
      devices: [
        {
          ...{ id: "roof", driver: "sunspec", online: true, serial: "INV-4711" },
          channels: [{ name: "roof/inverter", role: "generation", activePowerMw: -3_600_000, held: 0 }],
        },
      ],
      outlets: { socket: { working: true } },
    });
  });

  it("says that no agent runs", async () => {
    const running = await start();
    await running.stop();
    const stopped = await status(running);
    expect(stopped).toMatchObject({ code: 2, out: "" });
    expect(stopped.err).toMatch(
      /^kilowitness status: .*no agent runs with this configuration; start it with .*\(agent-not-running\)\n$/,
    );
  });

  it("asks over HTTP, with the token, where there can be no socket", async () => {
    // Something else has the socket's name: the agent says so, and goes on without.
    const token = "0123456789abcdef";
    const port = await freePort();
    const running = await runAgent({
      files: { token, "journal.sqlite.sock": "somebody's file" },
      keys: `http: {port: ${port}, tokenFile: token}`,
    });
    closers.push(() => running.close());
    await eventually("HTTP", 25_000, () =>
      running.lines.some(({ event }) => event === "http-listening") ? true : undefined,
    );
    const { code, out, err } = await status(running);
    expect({ code, err }).toEqual({ code: 1, err: "" });
    expect(out).toContain("(socket-failed)");
    expect(out).not.toContain(token);
    expect((await fetch(`http://127.0.0.1:${port}/status`)).status).toBe(401);
  });

  it("says that the configuration is wrong", async () => {
    const running = await start();
    const config = join(running.folder, "wrong.yaml");
    writeFileSync(config, "netwrok: test\n");
    const { code, err } = await runHere(statusCommand(), "--config", config);
    expect(code).toBe(2);
    expect(err).toContain('did you mean "network"?');
  });
});

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() => resolve(typeof address === "object" && address !== null ? address.port : 0));
    });
  });
}
