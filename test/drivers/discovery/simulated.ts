import type { KnownProfile } from "../../../drivers/discovery/known.ts";
import type { CompiledProfile } from "../../../drivers/profile/compiled.ts";
import { PhysicalSite } from "../../../drivers/simulated/physical-site.ts";
import { SimulatedRegisters } from "../../../drivers/simulated/profile-registers.ts";
import { planSimulation } from "../../../drivers/simulated/profile-simulation.ts";
import type { Image } from "./image.ts";

/** Registers and identification of a simulated device of this profile. */
export function simulatedRegisters(
  compiled: CompiledProfile,
): { readonly registers: Image; readonly objects: Readonly<Record<number, string>> } | undefined {
  const simulation = planSimulation(compiled);
  const site = new PhysicalSite(simulation.site, { startMs: 0 });
  const { holding, input } = new SimulatedRegisters(simulation, site).values();
  return {
    registers: { holding: blocks(holding), input: blocks(input) },
    objects: Object.fromEntries(simulation.objects ?? []),
  };
}

/** As a line with the device's own settings would order them: its profile is one of the first, not the first. */
export function compiledOrder(own: KnownProfile, all: readonly KnownProfile[]): readonly KnownProfile[] {
  return all.includes(own) ? all : [...all, own];
}

function blocks(registers: ReadonlyMap<number, number>): Readonly<Record<number, readonly number[]>> {
  const found: Record<number, number[]> = {};
  let block: number[] = [];
  let next = -1;
  for (const [address, value] of [...registers].sort(([a], [b]) => a - b)) {
    if (address !== next) {
      block = [];
      found[address] = block;
    }
    block.push(value);
    next = address + 1;
  }
  return found;
}
