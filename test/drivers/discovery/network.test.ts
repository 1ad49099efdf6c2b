import { describe, expect, it } from "vitest";
import { discover, planDiscovery } from "../../../drivers/discovery/discovery.ts";
import type { HostGroup } from "../../../drivers/discovery/network.ts";
import { Pace } from "../../../drivers/discovery/pace.ts";
import type { DiscoveryTerms, PlaceReport } from "../../../drivers/discovery/terms.ts";
import type { SlaveModel, SlaveRead } from "../../../drivers/simulated/modbus-slave.ts";
import { cleanupAfterEach, freePort } from "../modbus/kit.ts";
import { readImage, unitsModel } from "./image.ts";
import {
  type CountingOptions,
  type CountingServer,
  quickTerms,
  startPeer,
  startServer,
  Tally,
} from "./kit.ts";
import { image, sunspec } from "./profiles.ts";

const later = cleanupAfterEach();

async function peer(model: SlaveModel, options: CountingOptions): Promise<CountingServer> {
  const server = await startPeer(model, options);
  later(() => server.close());
  return server;
}

interface Scanned {
  readonly reports: readonly PlaceReport[];
  readonly problems: readonly string[];
}

async function scan(
  groups: readonly HostGroup[],
  ports: readonly number[],
  terms: DiscoveryTerms,
): Promise<Scanned> {
  const reports: PlaceReport[] = [];
  const problems: string[] = [];
  await discover(planDiscovery({ lines: [], groups, ports }, terms), {
    terms,
    listener: {
      onLine: () => undefined,
      onHost: (found) => reports.push(...found),
      onProblem: ({ name }, { code }) => void problems.push(`${name} ${code}`),
      onSenders: () => undefined,
      onProgress: () => undefined,
    },
  });
  return { reports, problems };
}

/** Hosts of a network, of which nobody has said that they are meters. */
function near(...hosts: readonly string[]): readonly HostGroup[] {
  return [{ name: "127.0.0.0/24", hosts, named: false }];
}

function named(...hosts: readonly string[]): readonly HostGroup[] {
  return hosts.map((host) => ({ name: host, hosts: [host], named: true }));
}

/** Units with their best candidate, and the units that are the same. */
function told({ units }: PlaceReport): readonly string[] {
  return units.map(({ unit, candidates, alike, perhapsAlike }) => {
    const [best] = candidates;
    const same = alike.length === 0 ? "" : ` = ${alike.join(",")}`;
    const perhaps = perhapsAlike.length === 0 ? "" : ` ~ ${perhapsAlike.join(",")}`;
    const who = best === undefined ? "unknown" : `${best.driver} ${best.certainty}`;
    return `${unit} ${who}${same}${perhaps}`;
  });
}

async function scanOne(model: SlaveModel, replyMs = 300): Promise<PlaceReport> {
  const { host, port } = await peer(model, { host: "127.0.0.2" });
  const terms = quickTerms();
  const { reports } = await scan(named(host), [port], { ...terms, network: { ...terms.network, replyMs } });
  const [report] = reports;
  if (report === undefined) throw new Error("nobody listens");
  return report;
}

const NO_SUCH_UNIT = { exception: 11 };
const zeros = ({ count }: SlaveRead): readonly number[] => Array.from({ length: count }, () => 0);
const ones = ({ count }: SlaveRead): readonly number[] => Array.from({ length: count }, () => 0xffff);

describe("one host", () => {
  it("shows the meters behind a gateway, and goes on behind the first ones", async () => {
    const meters = {
      1: image({ code: 331, energy: 1000 }),
      2: image({ code: 331, energy: 2000 }),
      4: image({ name: "AC-71", serial: "S4" }),
      7: image({ energy: 7000 }),
    };
    const report = await scanOne(unitsModel(meters, () => NO_SUCH_UNIT));
    expect(told(report)).toEqual([
      "1 acme-coded likely",
      "2 acme-coded likely",
      "4 acme-named sure",
      "7 acme-ranged possible",
    ]);
    expect(report.asked).toContain(10);
    expect(report.asked).not.toContain(11);
  });

  it("shows a device that is silent to other units, and one that speaks of itself", async () => {
    const spoken = {
      ...unitsModel({ 247: image() }),
      identification: new Map([
        [0, "ACME"],
        [1, "X9"],
      ]),
    };
    expect(told(await scanOne(spoken, 60))).toEqual(["247 acme-spoken sure"]);
  });

  it("shows SunSpec devices by their serial numbers", async () => {
    const units = { 1: sunspec("A"), 200: sunspec("B"), 240: sunspec("A") };
    const report = await scanOne(unitsModel(units, () => NO_SUCH_UNIT));
    expect(told(report)).toEqual(["1 sunspec sure = 240", "200 sunspec sure"]);
  });
});

describe("what is no device", () => {
  it.each([
    ["zeros", zeros],
    ["ones", ones],
  ])("is a unit for which a gateway answers with %s", async (_, fill) => {
    const report = await scanOne(unitsModel({ 2: image({ code: 331 }) }, fill));
    expect(told(report)).toEqual(["2 acme-coded likely"]);
    const empty = await scanOne(unitsModel({}, fill));
    expect([empty.units, empty.nothing]).toEqual([[], "filler"]);
  });

  it("is a second unit of a device that answers for every one, told by its serial number", async () => {
    const meter = image({ name: "AC-71", serial: "S1" });
    const report = await scanOne({ read: (request) => readImage(meter, request) });
    expect(told(report)).toEqual([`1 acme-named sure = ${report.asked.slice(1).join(",")}`]);
    expect(report.asked).toContain(255);
  });

  it("is a second unit of a device without a serial number whose energy goes on counting", async () => {
    let energy = 1000;
    const read: SlaveModel["read"] = (request) => {
      energy += 1;
      return readImage(image({ code: 331, energy }), request);
    };
    const report = await scanOne({ read });
    expect(told(report)).toEqual([`1 acme-coded likely = ${report.asked.slice(1).join(",")}`]);
  });

  it("is perhaps a second unit where no register tells", async () => {
    const meter = image({ code: 331, energy: 0 });
    const report = await scanOne({ read: (request) => readImage(meter, request) });
    expect(told(report)).toEqual([`1 acme-coded likely ~ ${report.asked.slice(1).join(",")}`]);
  });

  it("is a second unit of a stranger", async () => {
    const stranger = { holding: { 40000: [4, 7, 1, 1] } };
    const report = await scanOne({ read: (request) => readImage(stranger, request) });
    expect(told(report)).toEqual([`1 unknown = ${report.asked.slice(1).join(",")}`]);
  });

  it("is not a twin with another number on its energy register", async () => {
    const twins = { 1: image({ code: 331, energy: 500 }), 2: image({ code: 331, energy: 499 }) };
    expect(told(await scanOne(unitsModel(twins, () => NO_SUCH_UNIT)))).toEqual([
      "1 acme-coded likely",
      "2 acme-coded likely",
    ]);
  });

  it("is a gateway without meters", async () => {
    const report = await scanOne({ read: () => NO_SUCH_UNIT });
    expect([report.units, report.nothing]).toEqual([[], "gateway"]);
  });
});

describe("a host that is no meter", () => {
  const kinds: readonly (readonly [string, Parameters<typeof startServer>[1], PlaceReport["nothing"]])[] = [
    ["says nothing", (socket, counted) => void socket.on("data", counted), "mute"],
    ["greets", (socket, counted) => void socket.on("data", counted).write("SSH-2.0-OpenSSH\r\n"), "foreign"],
    [
      "speaks something else",
      (socket, counted) => {
        socket.on("data", () => {
          counted();
          socket.write("HTTP/1.1 400 Bad Request\r\n\r\n");
        });
      },
      "foreign",
    ],
    ["hangs up", (socket) => void socket.end(), "hung-up"],
  ];

  it.each(kinds)("and %s is left alone after a few requests", async (_, serve, nothing) => {
    const server = await startServer({ host: "127.0.0.3" }, serve);
    later(() => server.close());
    const terms = quickTerms();
    const quick = { ...terms, network: { ...terms.network, replyMs: 60 } };
    const { reports } = await scan(near(server.host), [server.port], quick);
    expect(reports).toMatchObject([{ units: [], nothing }]);
    expect(server.requests()).toBeLessThanOrEqual(7);
    expect(server.connections()).toBeLessThanOrEqual(8);
    expect(server.most()).toBe(1);
  });

  it("is asked as all likely units when it was named", async () => {
    const server = await peer(unitsModel({ 255: image() }), { host: "127.0.0.3" });
    const terms = quickTerms();
    const quick = { ...terms, network: { ...terms.network, replyMs: 40 } };
    const found = await scan(named(server.host), [server.port], quick);
    expect(found.reports.flatMap(told)).toEqual(["255 acme-ranged possible"]);
    const { reports } = await scan(near(server.host), [server.port], quick);
    expect(reports).toMatchObject([{ units: [], nothing: "mute" }]);
  });

  it("costs one connection a port where nobody listens", async () => {
    const [a, b] = [await freePort(), await freePort()];
    const { reports, problems } = await scan(named("127.0.0.9"), [a, b], quickTerms());
    expect(reports).toEqual([]);
    expect(problems).toEqual(["127.0.0.9 modbus-refused"]);
  });
});

describe("a network", () => {
  const hosts = Array.from({ length: 20 }, (_, at) => `127.0.1.${at + 1}`);

  it("is scanned with so many connections at a time and one to a host", async () => {
    const tally = new Tally();
    const port = await freePort();
    const slow: SlaveModel = unitsModel({ 1: image({ code: 331 }) }, () => NO_SUCH_UNIT);
    const servers = await Promise.all(hosts.map((host) => peer(slow, { host, port, tally })));
    const terms = quickTerms();
    const network = { ...terms.network, width: 4 };
    const group = { name: "127.0.1.0/27", hosts: [...hosts, "127.0.1.30"], named: false };
    const { reports, problems } = await scan([group], [port], { ...terms, network });
    expect(reports.map(({ place }) => "host" in place && place.host).toSorted()).toEqual(hosts.toSorted());
    expect(reports.every((report) => told(report).join() === "1 acme-coded likely")).toBe(true);
    expect(problems).toEqual([]);
    expect(tally.most).toBeLessThanOrEqual(4);
    expect(Math.max(...servers.map((server) => server.most()))).toBe(1);
    expect(servers.map((server) => server.connections())).toEqual(hosts.map(() => 1));
  });

  it("is asked no faster than its pace", async () => {
    const server = await peer(
      unitsModel({ 1: image({ code: 331 }) }, () => NO_SUCH_UNIT),
      { host: "127.0.0.4" },
    );
    const terms = quickTerms();
    const network = { ...terms.network, pace: new Pace(100) };
    const begun = performance.now();
    await scan(named(server.host), [server.port], { ...terms, network });
    const spent = performance.now() - begun;
    expect(server.requests()).toBeGreaterThan(10);
    expect(spent).toBeGreaterThanOrEqual((server.requests() - 1) * 10);
  });

  it("is let go of at once when the scan is interrupted, and what was found is there", async () => {
    const good = await peer(
      unitsModel({ 1: image({ code: 331 }) }, () => NO_SUCH_UNIT),
      { host: "127.0.0.5" },
    );
    const interrupt = (): void => stop.abort();
    const mute = await startServer(
      { host: "127.0.0.6", port: good.port },
      (socket) => void socket.once("data", interrupt),
    );
    later(() => mute.close());
    const stop = new AbortController();
    const terms = quickTerms(stop.signal);
    const network = { ...terms.network, replyMs: 60_000, width: 1 };
    const { reports, problems } = await scan(named(good.host, mute.host, "127.0.0.7"), [good.port], {
      ...terms,
      network,
    });
    expect(reports.map(told)).toEqual([["1 acme-coded likely"], []]);
    expect(problems).toEqual([]);
    await expect.poll(() => good.most() + mute.most()).toBe(2);
  });

  it("waits after connecting where a profile asks for it", async () => {
    let [connectedMs, askedMs] = [0, 0];
    const port = 15_503;
    const server = await startServer({ host: "127.0.0.8", port }, (socket) => {
      connectedMs ||= performance.now();
      socket.once("data", () => {
        askedMs ||= performance.now();
        socket.destroy();
      });
    });
    later(() => server.close());
    await scan(named(server.host), [port], quickTerms());
    expect(askedMs - connectedMs).toBeGreaterThanOrEqual(39);
  });
});
