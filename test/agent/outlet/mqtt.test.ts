import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { connect, createServer, type Server, type Socket } from "node:net";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { MqttOutlet, type MqttTiming } from "../../../agent/outlet/mqtt.ts";
import type { DeviceReport } from "../../../agent/outlet/report.ts";
import { type MqttConfig, mqttSchema } from "../../../agent/outlet/settings.ts";
import { eventually } from "../../kit/programs.ts";
import { type Line, recordingLogger, temporaryFolder } from "../kit.ts";
import { channelReport, DEVICE_KEY, deviceReport, NOW_MS } from "./kit.ts";
import { Broker, makeCertificates, PASSWORD, USER } from "./mosquitto.ts";

const ID = DEVICE_KEY.slice(0, 16);
const STATUS = `kilowitness/${ID}/status`;
const AVAILABILITY = `kilowitness/${ID}/meter/availability`;
const STATE = `kilowitness/${ID}/meter/grid/state`;
const DISCOVERY = `homeassistant/device/kilowitness_${ID}_meter/config`;
const QUICK: Partial<MqttTiming> = { roundMs: 20, firstWaitMs: 20, mostWaitMs: 100 };

describe("MQTT", () => {
  let folder = "";
  let lines: Line[] = [];
  let devices: DeviceReport[] = [];
  let rounds = 0;
  let closers: (() => Promise<unknown> | unknown)[] = [];
  beforeEach(() => {
    const made = temporaryFolder();
    folder = made.folder;
    closers = [made.remove];
    devices = [deviceReport()];
  });
  afterEach(async () => {
    for (const close of closers.reverse()) await close();
  });

  async function startBroker(options: Parameters<typeof Broker.start>[0] = {}): Promise<Broker> {
    const broker = await Broker.start(options);
    closers.push(() => broker.close());
    return broker;
  }

  function publish(settings: Partial<MqttConfig>, timing: Partial<MqttTiming> = {}): MqttOutlet {
    const recording = recordingLogger();
    lines = recording.lines;
    const outlet = new MqttOutlet({
      settings: { ...mqttSchema.parse({ url: "mqtt://127.0.0.1" }), ...settings },
      ...{ deviceKey: DEVICE_KEY, logger: recording.logger },
      devices: () => {
        rounds += 1;
        return devices;
      },
      ...{ timing: { ...QUICK, ...timing }, random: () => 1 },
    });
    closers.push(() => outlet.stop());
    outlet.start();
    return outlet;
  }

  function connected(outlet: MqttOutlet): Promise<true> {
    return eventually("connected", 25_000, () => (outlet.report.working ? true : undefined));
  }

  function events(): string[] {
    return lines.map(({ event }) => event);
  }

  /** A reading is accepted, so many ms after noon. */
  function read(afterMs: number, changes: Partial<ReturnType<typeof channelReport>> = {}): void {
    const channels = [channelReport({ acceptedAtMs: NOW_MS + afterMs, ageMs: 0, ...changes })];
    devices = [deviceReport({ channels })];
  }

  it("tells Home Assistant what there is, in messages that the broker keeps", async () => {
    const broker = await startBroker();
    await connected(publish({ url: broker.url }));
    const retained = await eventually("what it keeps", 25_000, async () => {
      const all = await broker.retained();
      return all.size >= 3 ? all : undefined;
    });
    expect([...retained.keys()].sort()).toEqual([DISCOVERY, AVAILABILITY, STATUS].sort());
    expect(retained.get(STATUS)).toBe("online");
    expect(retained.get(AVAILABILITY)).toBe("online");
    const discovery = JSON.parse(retained.get(DISCOVERY) ?? "");
    expect(discovery).toMatchObject({
      device: {
        ...{ identifiers: [`kilowitness_${ID}_meter`], name: "meter", manufacturer: "Landis+Gyr" },
        ...{ model: "E350", serial_number: "E0012345678", sw_version: "50" },
      },
      origin: { name: "kilowitness" },
      availability: [{ topic: STATUS }, { topic: AVAILABILITY }],
      availability_mode: "all",
    });
    expect(discovery.components).toEqual({
      grid_power_w: {
        ...{ platform: "sensor", unique_id: `kilowitness_${ID}_meter_grid_power_w`, name: "grid power" },
        ...{ device_class: "power", state_class: "measurement", unit_of_measurement: "W" },
        ...{
          state_topic: STATE,
          value_template: "{{ value_json.power_w | default(none) }}",
          expire_after: 60,
        },
      },
      grid_import_kwh: {
        ...{
          platform: "sensor",
          unique_id: `kilowitness_${ID}_meter_grid_import_kwh`,
          name: "grid imported energy",
        },
        ...{ device_class: "energy", state_class: "total_increasing", unit_of_measurement: "kWh" },
        ...{
          state_topic: STATE,
          value_template: "{{ value_json.import_kwh | default(none) }}",
          expire_after: 60,
        },
      },
      grid_export_kwh: {
        ...{
          platform: "sensor",
          unique_id: `kilowitness_${ID}_meter_grid_export_kwh`,
          name: "grid exported energy",
        },
        ...{ device_class: "energy", state_class: "total_increasing", unit_of_measurement: "kWh" },
        ...{
          state_topic: STATE,
          value_template: "{{ value_json.export_kwh | default(none) }}",
          expire_after: 60,
        },
      },
    });
  });

  it("publishes exact values, and stops when the device is offline", async () => {
    const broker = await startBroker();
    const outlet = publish({ url: broker.url });
    await connected(outlet);
    const first = broker.next(STATE, 1);
    let second = 0;
    // Until the other client has subscribed, readings go on.
    const reading = setInterval(() => {
      second += 1000;
      read(second);
    }, 30);
    closers.push(() => clearInterval(reading));
    const [message] = await first;
    expect(message?.payload).toMatch(
      /^\{"power_w":-1234\.5,"import_kwh":12345\.678901,"export_kwh":1,"time":"2026-11-01T12:0\d:\d\d\.000Z"\}$/,
    );
    clearInterval(reading);
    devices = [deviceReport({ online: false })];
    await eventually("offline", 25_000, async () => retainedIs(broker, AVAILABILITY, "offline"));
    const { published } = outlet.report;
    const then = rounds;
    devices = [
      deviceReport({ online: false, channels: [channelReport({ acceptedAtMs: NOW_MS + 900_000 })] }),
    ];
    await eventually("ten rounds", 25_000, () => (rounds > then + 10 ? true : undefined));
    expect(outlet.report.published).toBe(published);
    devices = [deviceReport()];
    await eventually("online", 25_000, async () => retainedIs(broker, AVAILABILITY, "online"));
  });

  it("comes back when the broker was killed, and tells it everything again", async () => {
    const broker = await startBroker();
    const outlet = publish({ url: broker.url });
    await connected(outlet);
    await broker.kill();
    await eventually("the loss", 25_000, () => (outlet.report.working ? undefined : true));
    await eventually("a refused attempt", 25_000, () =>
      lines.some(({ code }) => code === "mqtt-unreachable") ? true : undefined,
    );
    await broker.begin();
    await connected(outlet);
    await eventually("all of it", 25_000, async () => {
      const kept = [...(await broker.retained("#", 3)).keys()].sort();
      return kept.join() === [DISCOVERY, AVAILABILITY, STATUS].sort().join() ? true : undefined;
    });
    expect(events().filter((event) => event === "mqtt-connected")).toHaveLength(2);
    // One line for each reason, however many attempts there were.
    expect(events().filter((event) => event === "mqtt-failed").length).toBeLessThanOrEqual(2);
  });

  it("leaves a last will for when the gateway loses its power", async () => {
    const broker = await startBroker();
    const cable = await startCable(broker.port);
    closers.push(() => cable.close());
    await connected(
      publish({ url: `mqtt://127.0.0.1:${cable.port}` }, { firstWaitMs: 60_000, mostWaitMs: 60_000 }),
    );
    await eventually("online", 25_000, async () => retainedIs(broker, STATUS, "online"));
    cable.cut();
    await eventually("the will", 25_000, async () => retainedIs(broker, STATUS, "offline"));
  });

  it("says goodbye when the agent stops", async () => {
    const broker = await startBroker();
    const outlet = publish({ url: broker.url });
    await connected(outlet);
    await outlet.stop();
    await eventually("offline", 25_000, async () => retainedIs(broker, STATUS, "offline"));
    expect(outlet.report.working).toBe(false);
  });

  it("says that name or password is wrong, never what it is, and takes a corrected file up", async () => {
    const broker = await startBroker({ password: true });
    const credentialsFile = join(folder, "mqtt.yaml");
    const write = (password: string) =>
      writeFileSync(credentialsFile, `username: ${USER}\npassword: "${password}"\n`, { mode: 0o600 });
    write("wrong-horse-battery");
    const outlet = publish({ url: broker.url, credentialsFile });
    await eventually("a refusal", 25_000, () => outlet.report.problem);
    expect(lines).toMatchObject([{ event: "mqtt-failed", code: "mqtt-refused" }]);
    expect(JSON.stringify([lines, outlet.report])).not.toContain("wrong-horse");
    write(PASSWORD);
    await connected(outlet);
    await eventually("online", 25_000, async () => retainedIs(broker, STATUS, "online"));
  });

  it("does without a credentials file that others can read", async () => {
    const credentialsFile = join(folder, "mqtt.yaml");
    writeFileSync(credentialsFile, `username: ${USER}\npassword: "${PASSWORD}"\n`, { mode: 0o644 });
    const outlet = publish({ credentialsFile });
    await eventually("a problem", 25_000, () => outlet.report.problem);
    expect(lines).toMatchObject([{ event: "mqtt-failed", code: "secret-permissions" }]);
  });

  it("speaks TLS, and only with a broker whose certificate it can trust", async () => {
    const certificates = makeCertificates(folder);
    const broker = await startBroker({ tls: certificates });
    const stranger = publish({ url: broker.url });
    await eventually("a refusal", 25_000, () => stranger.report.problem);
    expect(lines[0]).toMatchObject({ event: "mqtt-failed", code: "mqtt-certificate" });
    await stranger.stop();
    await connected(publish({ url: broker.url, caFile: certificates.authority }));
    const elsewhere = publish({
      url: broker.url.replace("localhost", "127.0.0.1"),
      caFile: certificates.authority,
    });
    await eventually("a refusal", 25_000, () => elsewhere.report.problem);
    expect(lines[0]).toMatchObject({ code: "mqtt-certificate" });
  });

  it("keeps nothing for a broker that does not read", async () => {
    const broker = await startDeafBroker();
    closers.push(() => broker.close());
    const outlet = publish({ url: `mqtt://127.0.0.1:${broker.port}` }, { roundMs: 1, keepaliveMs: 600_000 });
    await connected(outlet);
    let reads = 0;
    const many = Array.from({ length: 200 }, (_, at) => `channel-${at}-${"x".repeat(200)}`);
    const feeding = setInterval(() => {
      reads += 1;
      const channels = many.map((channel) =>
        channelReport({ channel, acceptedAtMs: NOW_MS + reads, ageMs: 0 }),
      );
      devices = [deviceReport({ channels })];
    }, 1);
    closers.push(() => clearInterval(feeding));
    await eventually("a full line", 25_000, () => (outlet.report.skipped > 20 ? true : undefined));
    const { published } = outlet.report;
    const readsThen = reads;
    await eventually("more rounds", 25_000, () => (outlet.report.skipped > 100 ? true : undefined));
    expect(outlet.report.published).toBe(published);
    expect(outlet.report.working).toBe(true);
    // Readings go on meanwhile.
    expect(reads).toBeGreaterThan(readsThen + 20);
  });
});

async function retainedIs(broker: Broker, topic: string, payload: string): Promise<true | undefined> {
  return (await broker.retained(topic, 1)).get(topic) === payload ? true : undefined;
}

/** A line to the broker that can be cut as a power cut does it: no goodbye from the gateway's side. */
async function startCable(to: number): Promise<{ readonly port: number; cut(): void; close(): void }> {
  const ends: Socket[] = [];
  const server = createServer((near) => {
    const far = connect(to, "127.0.0.1");
    for (const end of [near, far]) end.on("error", () => undefined);
    ends.push(near, far);
    near.pipe(far).pipe(near);
  });
  const port = await portOf(server);
  const cut = (): void => {
    for (const end of ends) end.destroy();
  };
  const close = (): void => {
    cut();
    server.close();
  };
  return { port, cut, close };
}

/** Accepts a connection (CONNACK of MQTT 3.1.1, 3.2) and then reads no more. */
async function startDeafBroker(): Promise<{ readonly port: number; close(): void }> {
  const sockets: Socket[] = [];
  const server = createServer((socket) => {
    sockets.push(socket);
    socket.on("error", () => undefined);
    socket.once("data", () => {
      socket.write(Buffer.from([0x20, 0x02, 0x00, 0x00]));
      socket.pause();
    });
  });
  const close = (): void => {
    for (const socket of sockets) socket.destroy();
    server.close();
  };
  return { port: await portOf(server), close };
}

async function portOf(server: Server): Promise<number> {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  return typeof address === "object" && address !== null ? address.port : 0;
}
