import { expect, it } from "vitest";
import { startTcpPeer } from "../../../drivers/simulated/modbus-peer.ts";
import { chainRegisters } from "../../../drivers/simulated/sunspec-map.ts";
import { commonModel, inverterModel, meterModel } from "../../../drivers/simulated/sunspec-models.ts";
import { sunspecDriver } from "../../../drivers/sunspec/driver.ts";
import { cleanupAfterEach } from "./kit.ts";

const later = cleanupAfterEach();

it("two SunSpec devices behind one gateway share its connection", async () => {
  const maps = new Map(
    [3, 4].map((unit) => [
      unit,
      chainRegisters([
        commonModel({ serial: `SN-${unit}` }),
        inverterModel({ exportMwh: unit * 1_000_000_000, activePowerMw: -unit * 1000 }),
        meterModel({ importMwh: 77_000, exportMwh: 88_000, activePowerMw: unit * 1000 }),
      ]),
    ]),
  );
  const server = await startTcpPeer({
    framing: "tcp",
    model: {
      read: ({ unit, start, count }) => {
        const map = maps.get(unit);
        if (map === undefined) return undefined;
        const from = start - 40_000;
        return from >= 0 && from + count <= map.length ? map.slice(from, from + count) : { exception: 2 };
      },
    },
  });
  later(() => server.close());
  const meters = [3, 4].map((unit) => {
    const place = { host: "127.0.0.1", port: server.port };
    const meter = sunspecDriver.open(sunspecDriver.schema.parse({ ...place, unit, timeoutMs: 500 }));
    later(() => meter.close());
    if (meter.mode !== "polled") throw new Error("the SunSpec driver is polled");
    return meter;
  });
  const identities = await Promise.all(meters.map((meter) => meter.identify()));
  expect(identities.map(({ serial }) => serial)).toEqual(["SN-3", "SN-4"]);
  const snapshots = await Promise.all(meters.map((meter) => meter.read()));
  for (const [at, { readings }] of snapshots.entries())
    expect(readings).toMatchObject([
      { channel: "inverter", exportMwh: (at + 3) * 1_000_000_000, activePowerMw: -(at + 3) * 1000 },
      { channel: "meter", importMwh: 77_000, exportMwh: 88_000, activePowerMw: (at + 3) * 1000 },
    ]);
  expect(server.connections()).toBe(1);
});
