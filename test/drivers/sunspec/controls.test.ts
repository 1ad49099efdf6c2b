import { describe, expect, it } from "vitest";
import { encodeModel, type SimulatedModel } from "../../../drivers/simulated/sunspec-encode.ts";
import { Block } from "../../../drivers/sunspec/block.ts";
import {
  allowedMw,
  derControls,
  immediateControls,
  storageControls,
} from "../../../drivers/sunspec/controls.ts";
import { READ_MODELS } from "../../../drivers/sunspec/survey.ts";
import * as device from "./devices.ts";
import { cleanupAfterEach, fixed, openSuite } from "./kit.ts";

const later = cleanupAfterEach();

/** The block of a model as one request would give it. */
function blockOf(simulated: SimulatedModel): Block {
  const { id, registers } = encodeModel(simulated);
  const model = READ_MODELS.get(id);
  if (model === undefined) throw new Error(`model ${id} is not read`);
  const all = Uint16Array.from([id, registers.length, ...registers]);
  const place = { id, start: 0, length: registers.length };
  return new Block({ model, place }, { registers: all, runs: [] });
}

describe("model 123", () => {
  it("says how far the output is limited, and for how long", () => {
    expect(immediateControls(blockOf(device.immediate({ WMaxLimPct: 62.5 })), 7_500_000)).toEqual({
      connected: true,
      connectionTimeoutSeconds: 0,
      exportLimit: {
        enabled: true,
        ppm: 625_000,
        powerMw: 4_687_500,
        reversion: { timeoutSeconds: 600 },
      },
    });
  });

  it("says less where it says nothing", () => {
    const disabled = blockOf(device.immediate({ WMaxLim_Ena: 0, Conn: 0 }));
    expect(immediateControls(disabled, undefined)).toEqual({
      connected: false,
      connectionTimeoutSeconds: 0,
      exportLimit: { enabled: false, ppm: 600_000, reversion: { timeoutSeconds: 600 } },
    });
    expect(immediateControls(blockOf({ id: 123, values: {} }), 7_500_000)).toEqual({});
    // A number that is no state is no answer.
    const { exportLimit } = immediateControls(blockOf(device.immediate({ WMaxLim_Ena: 7 })), 1);
    expect(exportLimit).toBeUndefined();
  });
});

describe("model 704", () => {
  it("says limit and setpoint with their reversion timers", () => {
    expect(derControls(blockOf(device.derControls()), 9_500_000)).toEqual({
      exportLimit: {
        enabled: true,
        ppm: 800_000,
        powerMw: 7_600_000,
        reversion: {
          timeoutSeconds: 3600,
          remainingSeconds: 1234,
          enabled: false,
          ppm: 1_000_000,
          powerMw: 9_500_000,
        },
      },
      setpoint: {
        enabled: true,
        mode: "watts",
        // -2000 W is charging: into the boundary.
        powerMw: 2_000_000,
        reversion: { timeoutSeconds: 900, remainingSeconds: 70_000, enabled: true, powerMw: 0 },
      },
    });
  });

  it("takes a setpoint in percent of the maximum power", () => {
    const { setpoint } = derControls(blockOf(device.derControls({ WSetMod: 0 })), 9_500_000);
    expect(setpoint).toEqual({
      enabled: true,
      mode: "percent",
      ppm: 400_000,
      powerMw: 3_800_000,
      reversion: {
        timeoutSeconds: 900,
        remainingSeconds: 70_000,
        enabled: true,
        ppm: -100_000,
        powerMw: -950_000,
      },
    });
  });

  it("has percentages and no power where the maximum is not known", () => {
    const { exportLimit } = derControls(blockOf(device.derControls()), undefined);
    expect(exportLimit?.ppm).toBe(800_000);
    expect(exportLimit).not.toHaveProperty("powerMw");
    expect(exportLimit?.reversion).not.toHaveProperty("powerMw");
  });

  it("says nothing of what the device does not implement", () => {
    expect(derControls(blockOf({ id: 704, values: {} }), 9_500_000)).toEqual({});
  });
});

describe("model 124", () => {
  const rates = { chargeMw: 5_000_000, dischargeMw: 4_800_000 };

  it("says how fast a storage may charge and discharge", () => {
    const free = blockOf(device.hybridStorage({ InWRte: 80, OutWRte: 50, InOutWRte_RvrtTms: 120 }));
    expect(storageControls(free, rates)).toEqual({
      charge: { enabled: false, ppm: 800_000, powerMw: 4_000_000 },
      discharge: { enabled: false, ppm: 500_000, powerMw: 2_400_000 },
      timeoutSeconds: 120,
      gridCharging: true,
    });
    const held = blockOf(device.hybridStorage({ StorCtl_Mod: 2, OutWRte: 0 }));
    expect(storageControls(held, rates)).toMatchObject({
      charge: { enabled: false },
      discharge: { enabled: true, powerMw: 0 },
    });
  });

  it("forces the other direction with a negative rate", () => {
    const forced = blockOf(device.hybridStorage({ StorCtl_Mod: 2, OutWRte: -40 }));
    expect(storageControls(forced, rates).discharge).toEqual({
      enabled: true,
      ppm: -400_000,
      powerMw: -1_920_000,
    });
  });
});

describe("a limit", () => {
  it("counts while it is enabled, and never allows more than there is", () => {
    const reversion = {};
    expect(allowedMw(undefined, 8)).toBe(8);
    expect(allowedMw({ enabled: false, powerMw: 3, reversion }, 8)).toBe(8);
    expect(allowedMw({ enabled: true, powerMw: 3, reversion }, 8)).toBe(3);
    expect(allowedMw({ enabled: true, powerMw: 9, reversion }, 8)).toBe(8);
    expect(allowedMw({ enabled: true, powerMw: 9, reversion }, undefined)).toBe(9);
    expect(allowedMw({ enabled: true, reversion }, 8)).toBeUndefined();
  });
});

describe("what an inverter may give out", () => {
  async function flexibilityOf(...models: readonly SimulatedModel[]) {
    const { meter } = await openSuite(later, { models: fixed(...models) });
    const { flexibility, absent } = await meter.read();
    return { flexibility, absent };
  }

  it("is its maximum while it is not limited, and its rating where it has no settings", async () => {
    const unlimited = device.immediate({ WMaxLim_Ena: 0 });
    const rated = await flexibilityOf(device.inverter(103), device.nameplate(), unlimited);
    expect(rated.flexibility).toMatchObject([{ exportLimitMw: 8_000_000, available: true }]);
    const set = await flexibilityOf(device.inverter(103), device.nameplate(), device.settings(), unlimited);
    expect(set.flexibility).toMatchObject([{ exportLimitMw: 7_500_000, available: true }]);
  });

  it("is not believed when it gives out more, or although it is disconnected", async () => {
    const less = await flexibilityOf(
      device.inverter(103),
      device.settings(),
      device.immediate({ WMaxLimPct: 0 }),
    );
    expect(less.flexibility).toEqual([]);
    expect(less.absent).toEqual(["model 123 WMaxLimPct: at most 0 W, yet 3600 W are given out"]);
    const apart = await flexibilityOf(
      device.inverter(103),
      device.settings(),
      device.immediate({ WMaxLim_Ena: 0, Conn: 0 }),
    );
    expect(apart.absent).toEqual(["model 123 Conn: disconnected, yet 3600 W are given out"]);
  });

  it("is not available at night, when told to disconnect, or off the grid", async () => {
    const night = { W: 0, A: 0, AphA: 0, AphB: 0, AphC: 0, St: 2 };
    for (const models of [
      [device.inverter(103, night), device.immediate()],
      [device.inverter(103, { ...night, St: 4 }), device.immediate({ Conn: 0 })],
      [device.inverter(103), device.immediate(), { id: 122, values: { ECPConn: 0 } }],
    ])
      expect((await flexibilityOf(...models, device.settings())).flexibility).toMatchObject([
        { channel: "inverter", available: false },
      ]);
  });

  it("and what a roof of the suite is told is in 704", async () => {
    const { flexibility } = await flexibilityOf(
      ...[device.derAc({ W: 7000, WL1: 2300, WL2: 2300, WL3: 2400 }), device.derCapacity()],
      ...[device.enterService(), device.derControls({ WSetEna: 0 })],
    );
    expect(flexibility).toMatchObject([{ channel: "inverter", exportLimitMw: 7_600_000, available: true }]);
    expect(flexibility[0]).not.toHaveProperty("setpointMw");
  });

  it("is nothing without permission to enter service", async () => {
    const { flexibility } = await flexibilityOf(
      ...[device.derAc({ W: 7000, WL1: 2300, WL2: 2300, WL3: 2400 }), device.derCapacity()],
      ...[device.enterService({ ES: 0 }), device.derControls()],
    );
    expect(flexibility).toMatchObject([{ available: false }]);
  });
});

describe("what a storage can do", () => {
  async function batteryOf(...models: readonly SimulatedModel[]) {
    const { meter } = await openSuite(later, { models: fixed(...models) });
    const { flexibility } = await meter.read();
    return flexibility.find(({ channel }) => channel === "battery");
  }

  const plate = device.nameplate({ WHRtg: 10_000, MaxDisChaRte: 4800 });

  it("is a setpoint where model 124 leaves it one power", async () => {
    const charge = device.hybridStorage({ StorCtl_Mod: 3, InWRte: 40, OutWRte: -40 });
    expect(await batteryOf(plate, charge)).toMatchObject({
      setpointMw: 2_000_000,
      importLimitMw: 2_000_000,
      exportLimitMw: 0,
    });
    const discharge = device.hybridStorage({ StorCtl_Mod: 3, InWRte: -25, OutWRte: 25 });
    expect(await batteryOf(plate, discharge)).toMatchObject({
      setpointMw: -1_200_000,
      importLimitMw: 0,
      exportLimitMw: 1_200_000,
    });
    const range = device.hybridStorage({ StorCtl_Mod: 3, InWRte: 40, OutWRte: 30 });
    expect(await batteryOf(plate, range)).not.toHaveProperty("setpointMw");
  });

  it("is nothing in the direction in which it is full or empty, and nothing while it is off", async () => {
    expect(await batteryOf(plate, device.hybridStorage({ ChaState: 5, ChaSt: 2 }))).toMatchObject({
      reducePowerMw: 0,
      usableEnergyMwh: 0,
      increasePowerMw: 5_000_000,
    });
    expect(await batteryOf(plate, device.hybridStorage({ ChaState: 100, ChaSt: 5 }))).toMatchObject({
      increasePowerMw: 0,
      increaseEnergyMwh: 0,
      reducePowerMw: 4_800_000,
    });
    expect(await batteryOf(plate, device.hybridStorage({ ChaSt: 1 }))).toMatchObject({ available: false });
  });

  it("has no powers in the direction whose rating the device does not say", async () => {
    const limited = device.hybridStorage({ StorCtl_Mod: 2, OutWRte: 30 });
    const without = await batteryOf(device.nameplate(), limited);
    expect(without).toMatchObject({ importLimitMw: 5_000_000 });
    for (const name of ["exportLimitMw", "reducePowerMw", "capacityMwh", "usableEnergyMwh"])
      expect(without).not.toHaveProperty(name);
  });

  it("is nothing while no string of the bank is connected", async () => {
    expect(await batteryOf(device.bank(), device.lithiumBank())).toMatchObject({ available: true });
    expect(await batteryOf(device.bank(), device.lithiumBank({ NStrCon: 0 }))).toMatchObject({
      available: false,
    });
  });

  it("is no channel of a device without a storage, whatever models it has", async () => {
    const { meter } = await openSuite(later, {
      models: fixed(
        ...[device.derAc(), device.derStorage({ WHRtg: 0, WHAvail: 0, SoC: 0 })],
        ...[{ id: 124, values: { StorCtl_Mod: 0 } }],
      ),
    });
    await meter.identify();
    expect(meter.channels().map(({ name }) => name)).toEqual(["inverter"]);
  });

  it("is on the AC side of a device that has nothing else", async () => {
    const port = { PrtTyp: 1, IDStr: "Cellar", DCW: 1500, DCWhInj: 2_000_000n, DCWhAbs: 2_500_000n };
    const { meter } = await openSuite(later, {
      models: fixed(device.derAc(), device.derStorage(), device.derDc([port])),
    });
    await meter.identify();
    expect(meter.channels()).toMatchObject([
      { name: "inverter", role: "storage" },
      { name: "battery", role: "storage", quantities: ["import", "export", "power", "stateOfCharge"] },
    ]);
  });
});
