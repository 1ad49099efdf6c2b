import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { Agent } from "../../agent/agent.ts";
import { loadAgentConfig } from "../../agent/config/config.ts";
import { openLogForReading } from "../../agent/journal/open-log.ts";
import { DISCONTINUITY, type Leaf, REGISTER } from "../../attest/leaf.ts";
import { decodeLeaf } from "../../attest/leaf-codec.ts";
import { startSunSpecBattery } from "../../drivers/simulated/sunspec-device.ts";
import { openLogger } from "../../runtime/log.ts";
import { eventually } from "../kit/programs.ts";

const silent = openLogger("test", "silent");

describe("a meter that has not exported yet", () => {
  let folder = "";
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "kw-appears-"));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  function leaves(deviceKey: Uint8Array): Leaf[] {
    const log = openLogForReading({ path: join(folder, "journal.sqlite"), network: "test", deviceKey });
    try {
      return log.journal.leaves(1, 0, log.journal.size(1)).map(decodeLeaf);
    } finally {
      log.journal.close();
    }
  }

  it("seals its import from the start, and its export once the register counts", async () => {
    const state = { importMwh: 5_000_000, exportMwh: 0 };
    const battery = await startSunSpecBattery({
      host: "127.0.0.1",
      port: 0,
      state: () => ({
        serial: "B-1",
        activePowerMw: 1_000_000,
        stateOfChargePpm: 500_000,
        capacityMwh: 10_000_000,
        chargeLimitMw: 5_000_000,
        dischargeLimitMw: 5_000_000,
        ...state,
      }),
      onServed: () => undefined,
    });
    const file = join(folder, "agent.yaml");
    writeFileSync(
      file,
      `{network: test, key: k, journal: journal.sqlite, intervalSeconds: 1, commitSeconds: 0.2, checkpointSeconds: 0.5,
        devices: [{id: home, driver: sunspec, host: 127.0.0.1, port: ${battery.port}, intervalMs: 100}]}`,
    );
    const agent = new Agent({ config: loadAgentConfig(file), logger: silent });
    agent.start();
    const readings = (): Extract<Leaf, { kind: "reading" }>[] =>
      leaves(agent.deviceKey).flatMap((leaf) => (leaf.kind === "reading" ? [leaf] : []));
    await eventually("a sealed import register", 25_000, () =>
      readings().find(({ importMwh, exportMwh }) => importMwh === 5_000_000 && exportMwh === undefined),
    );
    state.exportMwh = 7000;
    await eventually("a sealed export register", 25_000, () =>
      readings().find(({ importMwh, exportMwh }) => importMwh === 5_000_000 && exportMwh === 7000),
    );
    await agent.stop();
    await battery.close();
    const all = leaves(agent.deviceKey);
    const masks = all.flatMap((leaf) =>
      leaf.kind === "channelManifest" && leaf.name === "home/meter" ? [leaf.registers] : [],
    );
    expect(masks).toEqual([REGISTER.import, REGISTER.import | REGISTER.export]);
    const breaks = all.flatMap((leaf) => (leaf.kind === "discontinuity" ? [leaf.classification] : []));
    expect(breaks).toEqual([DISCONTINUITY.settingsChanged]);
  });
});
