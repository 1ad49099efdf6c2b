import { describe, expect, it } from "vitest";
import type { Misbehaviour } from "../../../drivers/simulated/misbehaviour.ts";
import { type ServedEnergy, startSunSpecInverter } from "../../../drivers/simulated/sunspec-device.ts";
import { cleanupAfterEach, codeOf, openSunSpec } from "./kit.ts";

const later = cleanupAfterEach();

describe("a misbehaving inverter costs one snapshot", () => {
  const cases: readonly [Misbehaviour, string][] = [
    [{ kind: "silence" }, "modbus-timeout"],
    [{ kind: "delay", ms: 5000 }, "modbus-timeout"],
    [{ kind: "garbage-length" }, "modbus-malformed"],
    [{ kind: "wrong-transaction" }, "modbus-malformed"],
    [{ kind: "wrong-unit" }, "modbus-malformed"],
    [{ kind: "wrong-byte-count" }, "modbus-malformed"],
    [{ kind: "close-in-reply" }, "modbus-closed"],
    [{ kind: "exception", code: 4 }, "modbus-device-failure"],
  ];
  it.each(cases)("%o", async (misbehaviour, code) => {
    let todo: Misbehaviour | undefined;
    const served: ServedEnergy[] = [];
    const server = await startSunSpecInverter({
      port: 0,
      state: () => ({ serial: "M-1", exportMwh: 9_000_000, activePowerMw: -100_000 }),
      onServed: (values) => served.push(values),
      misbehave: () => {
        const now = todo;
        todo = undefined;
        return now;
      },
    });
    later(() => server.close());
    const meter = openSunSpec(server, { timeoutMs: 500 });
    later(() => meter.close());
    await meter.identify();
    served.length = 0;
    todo = misbehaviour;
    expect(await codeOf(meter.read())).toBe(code);
    expect(served).toEqual([]);
    expect((await meter.read()).readings).toMatchObject([{ exportMwh: 9_000_000 }]);
    expect(served).toEqual([{ exportMwh: 9_000_000, activePowerMw: -100_000 }]);
  });
});
