import { afterEach, describe, expect, it } from "vitest";
import { eventually } from "../../kit/programs.ts";
import { Broker } from "./mosquitto.ts";
import { samplesOf } from "./prometheus.ts";
import { type RunningAgent, runAgent } from "./running-agent.ts";

let closers: (() => Promise<unknown> | unknown)[] = [];
afterEach(async () => {
  for (const close of closers.reverse()) await close();
  closers = [];
});

async function start(keys: string): Promise<{ readonly running: RunningAgent; readonly url: string }> {
  const running = await runAgent({ keys: `http: {port: 0}${keys}` });
  closers.push(() => running.close());
  const address = await eventually("HTTP", 25_000, () =>
    running.lines.find(({ event }) => event === "http-listening"),
  );
  return { running, url: String(address["address"]) };
}

async function sample(url: string, name: string): Promise<number | undefined> {
  const samples = samplesOf(await (await fetch(`${url}/metrics`)).text());
  return samples.find((one) => one.name === `kilowitness_${name}`)?.value;
}

describe("an agent with its outlets", () => {
  it("answers a watchdog and Prometheus, and tells when its device is gone", async () => {
    const { running, url } = await start("");
    await eventually(
      "a reading",
      25_000,
      async () => ((await sample(url, "device_reads_total")) ?? 0) > 1 || undefined,
    );
    expect((await fetch(`${url}/healthz`)).status).toBe(200);
    expect(await sample(url, "healthy")).toBe(1);
    expect(await sample(url, "reading_age_seconds")).toBeLessThan(10);
    expect(await sample(url, "log_durable_leaves")).toBeGreaterThan(1);
    await running.unplug();
    await eventually("503", 25_000, async () => (await fetch(`${url}/healthz`)).status === 503 || undefined);
    expect(await sample(url, "device_online")).toBe(0);
    expect(await sample(url, "healthy")).toBe(0);
  });

  it("goes on sampling while its broker hangs, and stops although it does", async () => {
    const broker = await Broker.start();
    closers.push(() => broker.close());
    const { running, url } = await start(`, mqtt: {url: "${broker.url}"}`);
    const id = running.agent.status().deviceKey.slice(0, 16);
    const state = `kilowitness/${id}/roof/inverter/state`;
    const [message] = await broker.next(state, 1);
    expect(JSON.parse(message?.payload ?? "")).toMatchObject({
      power_w: -3600,
      export_kwh: expect.any(Number),
    });
    broker.signal("SIGSTOP");
    const reads = (await sample(url, "device_reads_total")) ?? 0;
    const leaves = (await sample(url, "log_durable_leaves")) ?? 0;
    await eventually(
      "ten more reads",
      25_000,
      async () => ((await sample(url, "device_reads_total")) ?? 0) > reads + 10 || undefined,
    );
    expect(await sample(url, "log_durable_leaves")).toBeGreaterThan(leaves + 5);
    await running.stop();
    broker.signal("SIGCONT");
    // The broker was told, or found it out, that the values ended.
    await eventually("offline", 25_000, async () => {
      const topic = `kilowitness/${id}/status`;
      return (await broker.retained(topic, 1)).get(topic) === "offline" || undefined;
    });
  });
});
