import type { Meaning } from "./meaning.ts";

/** What a maker's electricity meters mean by codes that the standard leaves to makers. */
export interface MakerCodes {
  /** By the VIFE after 7F or FF: what it narrows the value to; empty text where it is the plain quantity. */
  readonly narrowing: Readonly<Record<number, string>>;
  /** By the VIFE after VIF FF: a quantity of its own. */
  readonly quantities?: Readonly<Record<number, Meaning>>;
  /** Subunit whose energy flows out of the boundary. */
  readonly exportSubunit?: number;
  /** The energy of its real numbers is not in the unit that its VIF says. */
  readonly wrongRealEnergy?: true;
  /** Its tariffs rest at 0 while they are not used: their sum is no register. */
  readonly restingTariffs?: true;
  /** Where the direction of its energies and powers comes from. */
  readonly signSource: string;
}

const PHASES = { 1: "L1", 2: "L2", 3: "L3" } as const;

/** Eltako DSZ15 and Saia-Burgess ALE3 send the same records. */
const ALE3: MakerCodes = {
  narrowing: { ...PHASES, 0: "" },
  signSource: "EN 13757-3: energy and power without a direction are taken for import",
};

/**
 * By the three letters. Checked against wmbusmeters 4dedd71 `drivers/src/abbb23.xmq`, `eltako.xmq`, `iem3000.xmq` and
 * the telegrams of real meters in them; ABB also against the manual of A43/A44 (2CMC484001M0201, 10.3), Schneider
 * against that of iEM3000 (DOCA0005EN, chapter 7), Saia-Burgess against rscada/libmbus f09d613 `electricity-meter-1`,
 * whose phase powers and total agree.
 */
const MAKERS: ReadonlyMap<string, MakerCodes> = new Map<string, MakerCodes>([
  [
    "ABB",
    {
      narrowing: PHASES,
      exportSubunit: 1,
      signSource: "ABB 2CMC484001M0201, 10.3: active energy of subunit 0 is imported, of subunit 1 exported",
    },
  ],
  ["ELT", ALE3],
  ["SBC", ALE3],
  [
    "SEC",
    {
      narrowing: {
        ...PHASES,
        0: "average",
        4: "average",
        5: "L1-L2",
        6: "L2-L3",
        7: "L3-L1",
        8: "average-line-to-line",
        9: "backward",
        13: "partial",
      },
      quantities: {
        10: { quantity: "power-factor", exponent: 0, coding: "number" },
        11: { quantity: "frequency", unit: "Hz", exponent: 0, coding: "number" },
      },
      // The same register as real is the integer's kWh under the VIF for Wh.
      wrongRealEnergy: true,
      restingTariffs: true,
      signSource: "Schneider DOCA0005EN, chapter 7: VIFE FF 09 is exported energy",
    },
  ],
]);

/** Undefined for a maker whose own codes are not known. */
export function makerCodes(manufacturer: string | undefined): MakerCodes | undefined {
  return manufacturer === undefined ? undefined : MAKERS.get(manufacturer);
}
