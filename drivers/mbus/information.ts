import { Problem } from "../../attest/problem.ts";
import type { Cursor } from "./cursor.ts";
import type { MakerCodes } from "./makers.ts";
import type { MeaningTable } from "./meaning.ts";
import { EXTENSION_FB, EXTENSION_FD, PRIMARY } from "./vif.ts";
import { hex, manufacturerSpecific, narrow, type Refined, refine, refinePhase, reserved } from "./vife.ts";

/** EN 13757-3: at most ten extensions each. */
const MAX_EXTENSIONS = 10;
const EXTENSION = 0x80;

export type RecordFunction = "instantaneous" | "maximum" | "minimum" | "error";

const FUNCTIONS: readonly RecordFunction[] = ["instantaneous", "maximum", "minimum", "error"];

/** What DIF and DIFEs say (EN 13757-3). */
export interface DataInformation {
  /** Bits 3 to 0 of the DIF: type and size of the data. */
  readonly field: number;
  readonly function: RecordFunction;
  readonly storage: number;
  readonly tariff: number;
  readonly subunit: number;
}

/**
 * Reads the DIFEs after `dif`. Storage number: one bit of the DIF, then four of each DIFE; tariff two, subunit one.
 *
 * @throws Problem `mbus-truncated`, `mbus-too-many-dife`
 */
export function readDataInformation(cursor: Cursor, dif: number): DataInformation {
  let storage = (dif >> 6) & 1;
  let tariff = 0;
  let subunit = 0;
  const extensions = (dif & EXTENSION) === 0 ? [] : readExtensions(cursor, "dife");
  for (const [n, dife] of extensions.entries()) {
    // Up to 41 bits: beyond what the operators for bits can do.
    storage += (dife & 0x0f) * 2 ** (4 * n + 1);
    tariff += ((dife >> 4) & 3) * 2 ** (2 * n);
    subunit += ((dife >> 6) & 1) * 2 ** n;
  }
  const { [(dif >> 4) & 3]: name = "instantaneous" } = FUNCTIONS;
  return { field: dif & 0x0f, function: name, storage, tariff, subunit };
}

/** Bytes up to and with the first that announces no further one. */
function readExtensions(cursor: Cursor, name: "dife" | "vife"): number[] {
  const codes: number[] = [];
  for (let next = true; next; ) {
    if (codes.length === MAX_EXTENSIONS) {
      throw new Problem(`mbus-too-many-${name}`, `more than ten ${name.toUpperCase()}`, {
        where: `offset ${cursor.offset}`,
      });
    }
    const code = cursor.byte(`a ${name.toUpperCase()}`);
    codes.push(code);
    next = (code & EXTENSION) !== 0;
  }
  return codes;
}

/**
 * Reads VIF and VIFEs (EN 13757-3). The text of VIF 7C or FC stands at once behind the VIF, before any VIFE:
 * so do Elvaco's meters (`FC 03 "HR%" 74`).
 *
 * @param maker what the meter's maker means by codes of its own, where that is known
 * @throws Problem `mbus-truncated`, `mbus-too-many-vife`
 */
export function readMeaning(cursor: Cursor, maker?: MakerCodes): Refined {
  const vif = cursor.byte("the VIF");
  const text = (vif & 0x7f) === 0x7c ? readText(cursor) : undefined;
  const extensions = (vif & EXTENSION) === 0 ? [] : readExtensions(cursor, "vife");
  if (text !== undefined) return refineAll(unknown(`text:${text}`), extensions, maker);
  if (vif === 0xfd) return refineExtended(["fd", EXTENSION_FD], extensions, maker);
  if (vif === 0xfb) return refineExtended(["fb", EXTENSION_FB], extensions, maker);
  if ((vif & 0x7f) === 0x7f) return ofMaker(extensions, maker);
  const found = PRIMARY.get(vif & 0x7f) ?? reserved(unknown("unknown"), `vif-${hex(vif & 0x7f)}`);
  return refineAll(found, extensions, maker);
}

function ofMaker(extensions: readonly number[], maker: MakerCodes | undefined): Refined {
  const known = maker?.quantities?.[(extensions[0] ?? EXTENSION) & 0x7f];
  if (known !== undefined) return refineAll(known, extensions.slice(1), maker);
  return { ...unknown(["manufacturer", ...extensions.map(hex)].join("-")), doubt: "manufacturer-specific" };
}

function refineExtended(
  [name, table]: readonly [string, MeaningTable],
  extensions: readonly number[],
  maker: MakerCodes | undefined,
): Refined {
  const [first = 0, ...others] = extensions;
  const code = first & 0x7f;
  const found = table.get(code) ?? reserved(unknown("unknown"), `${name}-${hex(code)}`);
  return refineAll(found, others, maker);
}

function refineAll(meaning: Refined, extensions: readonly number[], maker: MakerCodes | undefined): Refined {
  let refined = meaning;
  for (let at = 0; at < extensions.length; at += 1) {
    const code = (extensions[at] ?? 0) & 0x7f;
    if (code === 0x7f) {
      const known = maker?.narrowing[(extensions[at + 1] ?? EXTENSION) & 0x7f];
      if (known === undefined) return manufacturerSpecific(refined, extensions.slice(at + 1));
      at += 1;
      refined = known === "" ? refined : narrow(refined, known);
    } else if (code === 0x7c) {
      at += 1;
      refined = refinePhase(refined, (extensions[at] ?? 0) & 0x7f);
    } else refined = refine(refined, code);
  }
  return refined;
}

function unknown(quantity: string): Refined {
  return { quantity, exponent: 0, coding: "number" };
}

/** The last character comes first; what cannot be printed is written as its code. */
function readText(cursor: Cursor): string {
  const length = cursor.byte("the length of the VIF's text");
  return latin1(cursor.bytes(length, "the VIF's text"));
}

/** ISO 8859-1, sent from the last character to the first (EN 13757-3, Annex C.2). */
export function latin1(bytes: Uint8Array): string {
  return Array.from(bytes)
    .reverse()
    .map((byte) => ((byte & 0x7f) < 0x20 || byte === 0x7f ? `\\x${hex(byte)}` : String.fromCharCode(byte)))
    .join("");
}
