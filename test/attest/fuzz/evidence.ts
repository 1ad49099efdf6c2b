import { allFiles, type Faults, faultsOf, type Proofs, proofsOf } from "./files.ts";
import type { Donors } from "./mutate-tree.ts";
import { type Hellos, hellosOf, type KeyLife, keyLifeOf, messagesOf } from "./objects.ts";
import type { Cryptography } from "./suites.ts";
import { type World, worldOf } from "./world.ts";

/** All that was ever signed and sent in one world. */
export interface Evidence {
  readonly world: World;
  readonly life: KeyLife;
  readonly hellos: Hellos;
  readonly messages: readonly Uint8Array[];
  readonly proofs: Proofs;
  readonly faults: Faults;
  /** Out of which a mutation may take something. */
  readonly donors: Donors;
}

export async function evidenceOf(cryptography: Cryptography): Promise<Evidence> {
  const world = await worldOf(cryptography);
  const life = await keyLifeOf(world);
  const hellos = await hellosOf(world);
  const messages = messagesOf(world, hellos);
  const proofs = proofsOf(world, life);
  const faults = faultsOf(world, life);
  return {
    world,
    life,
    hellos,
    messages,
    proofs,
    faults,
    donors: [...allFiles(proofs, faults), ...messages],
  };
}
