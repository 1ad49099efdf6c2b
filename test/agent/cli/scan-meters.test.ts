import { createSocket } from "node:dgram";
import { once } from "node:events";
import { describe, expect, it } from "vitest";
import { knownAskers, speedwire, wiredBus } from "../../../drivers/discovery/ask-known.ts";
import { knownSpeakers } from "../../../drivers/discovery/listen-known.ts";
import type { DiscoveryTerms } from "../../../drivers/discovery/terms.ts";
import { createLine } from "../../../drivers/line/create.ts";
import { SerialLine } from "../../../drivers/line/serial.ts";
import { iec62056Answerer } from "../../../drivers/simulated/iec62056-telegram.ts";
import { mbusAnswerer } from "../../../drivers/simulated/mbus-telegram.ts";
import type { SimulatedAnswerer } from "../../../drivers/simulated/speaking.ts";
import { speedwireSpeaker } from "../../../drivers/simulated/speedwire-telegram.ts";
import { FakeLines, quickTerms } from "../../drivers/discovery/kit.ts";
import { SHOWN, SIMULATED, type SimulatedMeter } from "../../drivers/discovery/simulated-meters.ts";
import { type FarEnd, SpeakingLines } from "../../drivers/discovery/speaking.ts";
import { cable, freePort, HAS_SOCAT } from "../../drivers/modbus/kit.ts";
import { closeLater } from "../../kit/close-later.ts";
import { configFile, pasted, scanHere } from "../scan-kit.ts";

const EVERY_MS = 150;

function terms(changes: Partial<DiscoveryTerms["meters"]> = {}): Partial<DiscoveryTerms> {
  const { meters } = quickTerms();
  const speakers = knownSpeakers.map((listening) => ({ ...listening, periodMs: EVERY_MS }));
  // What a meter says comes through another process here.
  const times = { ...meters.times, marginMs: 1500, telegramMs: 2000 };
  return { meters: { ...meters, speakers, createLine, times, ...changes } };
}

/** Nobody speaks, and nobody answers Modbus. */
function silent(askers: DiscoveryTerms["meters"]["askers"]): Partial<DiscoveryTerms> {
  return { ...terms({ askers, speakers: [] }), openLine: new FakeLines({}).openLine };
}

/** A pseudo terminal at whose far end a simulated meter speaks; its near end. */
async function speaking({ format, telegrams }: SimulatedMeter): Promise<string> {
  const { near, far, close } = await cable();
  closeLater({ close });
  const line = new SerialLine({ path: far, ...format });
  await line.open({ onBytes: () => undefined, onClosed: () => undefined });
  const timer = setInterval(() => {
    for (const telegram of telegrams()) void line.write(telegram);
  }, EVERY_MS);
  closeLater({
    close: () => {
      clearInterval(timer);
      return line.close();
    },
  });
  return near;
}

/** A pseudo terminal at whose far end simulated meters answer; its near end. */
async function answering(...meters: readonly SimulatedAnswerer[]): Promise<string> {
  const { near, far, close } = await cable();
  closeLater({ close });
  const line = new SerialLine({ path: far, baudRate: 2400, dataBits: 8, parity: "none", stopBits: 1 });
  await line.open({
    onBytes: (bytes) => {
      for (const answer of meters.flatMap((one) => one.answers(bytes, SHOWN))) void line.write(answer);
    },
    onClosed: () => undefined,
  });
  closeLater(line);
  return near;
}

/** A meter that sends to a multicast group over the loopback interface; where it sends to. */
async function sending(): Promise<{
  readonly group: string;
  readonly port: number;
  readonly interface: string;
}> {
  const place = { group: "239.12.255.250", port: await freePort(), interface: "127.0.0.1" };
  const socket = createSocket("udp4");
  socket.bind(0, place.interface);
  await once(socket, "listening");
  socket.setMulticastInterface(place.interface);
  socket.setMulticastLoopback(true);
  const timer = setInterval(() => {
    for (const telegram of speedwireSpeaker().telegrams(SHOWN))
      socket.send(telegram, place.port, place.group);
  }, 50);
  closeLater({
    close: () => {
      clearInterval(timer);
      return new Promise((resolve) => socket.close(() => resolve(undefined)));
    },
  });
  return place;
}

function meter(name: string): SimulatedMeter {
  const found = SIMULATED.find((one) => one.name === name);
  if (found === undefined) throw new Error(`no ${name}`);
  return found;
}

describe("a scan of a line on which a meter speaks by itself", () => {
  if (!HAS_SOCAT) return void it.skip("socat is not installed");

  it.each([
    ["P1", /^dsmr-p1 \(dsmr-p1\): KWS P1-SIMULATED, serial 1234567890, firmware 50\n/],
    ["SML", /^sml \(sml\): KWS, serial 1 KWS12 3456 7890\n/],
    ["DLMS of Aidon", /^dlms-push \(dlms-push\): Aidon 6534, serial 73599921234567890\n/],
    ["readout pushed", /^iec62056-21 \(iec62056-21\): KWT SIM V1\.0, serial 1234567890\n/],
    ["solar charger", /^victron-ve-direct \(victron-ve-direct\): Victron Energy BlueSolar/],
  ])("reads it and gives its part of the configuration: %s", async (name, heading) => {
    const near = await speaking(meter(name));
    const { text, json } = await scanHere({ lines: [near], groups: [] }, { terms: terms() });
    expect(text).toMatch(heading);
    expect(text).toMatch(
      /\n {2}at \/\S+ \d+ \d\w\d(?:, mode D)?, speaks by itself\n {2}recognised: sure, by a whole .+\n/,
    );
    expect(text).toMatch(/\n {2}(?:grid|pv) \(\w+\): .*kWh/);
    expect(text).toContain("each entry tried as it stands here:");
    const { driver } = meter(name);
    const [device] = pasted(text).devices;
    expect([device?.id, device?.definition.name, device?.options["line"]]).toMatchObject([
      driver,
      driver,
      { path: near },
    ]);
    expect(json.devices).toMatchObject([
      {
        driver,
        how: "listened",
        encrypted: false,
        certainty: "sure",
        answered: true,
        proposed: true,
        place: { line: near },
      },
    ]);
    expect(pasted(json.config).devices).toEqual(pasted(text).devices);
  });

  it("says that an encrypted one needs its key, and where the entry looks for it", async () => {
    const near = await speaking(meter("P1, encrypted"));
    const { text, json } = await scanHere({ lines: [near], groups: [] }, { terms: terms() });
    expect(text).toMatch(/\n {2}at \S+ 115200 8N1, speaks by itself, encrypted\n/);
    expect(text).toContain("write its 32 hex digits into /etc/kilowitness/dsmr-p1.key\n");
    expect(text).toContain("tried as it stands here unless it says otherwise:");
    expect(pasted(text).devices).toMatchObject([
      { id: "dsmr-p1", options: { keyFile: "/etc/kilowitness/dsmr-p1.key", line: { path: near } } },
    ]);
    expect(json.devices).toMatchObject([{ encrypted: true, answered: false, proposed: true }]);
  });

  it("leaves out what the configuration has", async () => {
    const near = await speaking(meter("P1"));
    const config = configFile(`devices: [{ id: mains, driver: dsmr-p1, line: 'serial://${near}' }]`);
    const { text } = await scanHere({ lines: [near], groups: [] }, { terms: terms(), config });
    expect(text).toMatch(/^mains \(dsmr-p1\): .*\n {2}at .*\n {2}the configuration has it already\n/);
    expect(text).not.toContain("devices:");
  });
});

describe("a scan of a line on which meters answer", () => {
  if (!HAS_SOCAT) return void it.skip("socat is not installed");

  it("reads those on a wired M-Bus that measure electricity", async () => {
    const near = await answering(
      mbusAnswerer({ primary: 5, identification: "12345678", manufacturer: "ABB" }),
      mbusAnswerer({ primary: 6, identification: "20000002", manufacturer: "KAM", medium: 4 }),
    );
    const askers = [wiredBus({ timing: { beginMs: 100, gapMs: 50, wholeMs: 500 }, boundMs: 3000 })];
    const { text, json } = await scanHere({ lines: [near], groups: [] }, { terms: silent(askers) });
    expect(text).toMatch(
      /^mbus \(mbus\): ABB.*, serial 12345678.*\n {2}at \S+ 2400 8E1, address 5, answers when it is asked\n/,
    );
    expect(text).toMatch(/\n {2}grid \(grid\): .*kWh/);
    expect(text).toContain("not read: it measures no electricity");
    expect(pasted(text).devices).toMatchObject([
      { id: "mbus", intervalMs: 60_000, options: { address: 5, line: { path: near } } },
    ]);
    expect(json.devices).toMatchObject([
      { driver: "mbus", how: "asked", proposed: true, options: { address: 5 } },
      { driver: "mbus", answered: false, proposed: false, unfit: "it measures no electricity" },
    ]);
  });

  it("reads one with an optical port", async () => {
    const near = await answering(iec62056Answerer());
    const askers = knownAskers.filter(({ driver }) => driver === "iec62056-21");
    const { text } = await scanHere({ lines: [near], groups: [] }, { terms: silent(askers) });
    expect(text).toMatch(/^iec62056-21 \(iec62056-21\): KWT SIM-C V1\.0, serial 1234567890/);
    expect(text).toMatch(/\n {2}at \S+ 300 8N1, answers when it is asked\n/);
    expect(pasted(text).devices).toMatchObject([
      { intervalMs: 300_000, options: { mode: "C", line: { path: near } } },
    ]);
  });
});

describe("a scan of the network", () => {
  it("shows meters that send into it", async () => {
    const place = await sending();
    const groups = [{ name: "127.0.0.0/30", hosts: ["127.0.0.2"], named: false }];
    const targets = { lines: [], groups, ports: [await freePort()] };
    const { text, json } = await scanHere(targets, { terms: terms({ senders: [speedwire(place)] }) });
    expect(text).toMatch(/^sma-speedwire \(sma-speedwire\): SMA .*, serial 1234567890/);
    expect(text).toMatch(/\n {2}at 127\.0\.0\.1, serial 1234567890, .*speaks by itself\n/);
    expect(pasted(text).devices).toMatchObject([{ id: "sma-speedwire", options: { serial: 1_234_567_890 } }]);
    expect(json.devices).toMatchObject([{ how: "listened", place: { host: "127.0.0.1" }, proposed: true }]);
  });
});

describe("a scan", () => {
  it("says where somebody speaks whom nobody knows", async () => {
    const bursts = [new TextEncoder().encode("a device that asks others, and that nobody knows")];
    const end: FarEnd = {
      format: { baudRate: 9600, dataBits: 8, parity: "none", stopBits: 1 },
      says: { everyMs: EVERY_MS, bursts },
    };
    const lines = new SpeakingLines({ "/dev/ttyBUS": end });
    const modbus = new FakeLines({});
    const changed = { ...terms({ createLine: lines.createLine }), openLine: modbus.openLine };
    const { text, json } = await scanHere({ lines: ["/dev/ttyBUS"], groups: [] }, { terms: changed });
    expect(text).toMatch(
      /^Speaks by itself, and nobody knows it:\n {2}\/dev\/ttyBUS: bytes come .* 9600 8N1/,
    );
    expect(json).toMatchObject({
      devices: [],
      speaking: [{ line: "/dev/ttyBUS", formats: expect.arrayContaining(["9600 8N1"]) }],
    });
    expect([modbus.requests, lines.written]).toEqual([0, 0]);
  });
});
