import { Problem } from "../../attest/problem.ts";
import type { SmlTelegram, SmlValue } from "./decode.ts";

/** All that one file says of one meter. */
export interface MeterLists {
  /** The bytes that name it; absent where none of the lists names a meter. */
  readonly lists: readonly SmlTelegram[];
  readonly values: readonly SmlValue[];
}

const ELECTRICITY = /^1-\d+:(?:[12]\.8|16\.7|[12]\.7)\.\d\*255$/;

/**
 * The lists of a file that are of the electricity meter: a file may hold several, and those of a communication unit also
 * other meters'. A list that names no meter is of the one that the others name.
 *
 * @throws Problem `sml-meters` where two electricity meters speak
 */
export function ofOneMeter(lists: readonly SmlTelegram[]): MeterLists {
  const names = new Set(lists.map(({ meterId }) => meterId).filter((name) => name !== undefined));
  const electric = [...names].filter((name) =>
    saysElectricity(lists.filter(({ meterId }) => meterId === name)),
  );
  if (electric.length > 1)
    throw new Problem("sml-meters", "several electricity meters speak in one file", {
      expected: "one",
      got: electric.join(", ").slice(0, 80),
      hint: "read each meter at its own interface",
    });
  const [name = [...names][0]] = electric;
  const own = lists.filter(({ meterId }) => meterId === name || meterId === undefined);
  return { lists: own, values: own.flatMap(({ values }) => values) };
}

function saysElectricity(lists: readonly SmlTelegram[]): boolean {
  return lists.some(({ values }) => values.some(({ code }) => ELECTRICITY.test(code)));
}
