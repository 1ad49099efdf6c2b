import type { Doubt, MeterIdentity } from "../driver.ts";
import { GRID_CHANNEL, plainCode } from "./obis-reading.ts";

const DIRECTIONS = [
  { prefix: "1.8.", quantity: "import" },
  { prefix: "2.8.", quantity: "export" },
] as const;
const TOTAL = "0";
const FEWEST_TARIFFS = 1;
const MOST_TARIFFS = 63;

/** What a register was made of: the total that the meter prints, or its tariffs. */
type Basis = ReadonlySet<string>;

/**
 * Remembers what the registers of a meter are made of. The sum of the tariffs that one telegram has is no register where
 * another telegram has more of them, or the total: it would fall and rise by whole tariffs. More is believed from then on,
 * less is doubted.
 */
export class RegisterBasis {
  readonly #known = new Map<string, Basis>();
  #serial: string | undefined;

  /**
   * What is doubted of a telegram with values of these codes (`A-B:C.D.E*F`). A direction without any is absent, and no
   * doubt.
   *
   * @param identity whose telegram it is; undefined where it is the one's before
   */
  doubts(identity: MeterIdentity | undefined, codes: Iterable<string>): readonly Doubt[] {
    const serial = identity?.serial || this.#serial;
    if (serial !== this.#serial) this.forget();
    this.#serial = serial;
    const plain = [...codes].map(plainCode).filter((code) => code !== undefined);
    return DIRECTIONS.flatMap((direction) => this.#doubtsOf(direction, plain));
  }

  /** Another meter may have others. */
  forget(): void {
    this.#known.clear();
  }

  #doubtsOf({ prefix, quantity }: (typeof DIRECTIONS)[number], codes: readonly string[]): readonly Doubt[] {
    const basis = basisOf(codes, prefix);
    if (basis === undefined) return [];
    const missing = missingIn(basis, this.#known.get(prefix) ?? basis);
    if (missing.length > 0)
      return [{ channel: GRID_CHANNEL, quantities: [quantity], message: messageOf(prefix, missing) }];
    this.#known.set(prefix, basis);
    return [];
  }
}

function basisOf(codes: readonly string[], prefix: string): Basis | undefined {
  const ends = codes.filter((code) => code.startsWith(prefix)).map((code) => code.slice(prefix.length));
  if (ends.includes(TOTAL)) return new Set([TOTAL]);
  const tariffs = ends.filter((end) => Number(end) >= FEWEST_TARIFFS && Number(end) <= MOST_TARIFFS);
  return tariffs.length === 0 ? undefined : new Set(tariffs);
}

/** Where the total is there, nothing is missing. */
function missingIn(basis: Basis, known: Basis): readonly string[] {
  return basis.has(TOTAL) ? [] : [...known].filter((end) => !basis.has(end));
}

function messageOf(prefix: string, missing: readonly string[]): string {
  const codes = missing.map((end) => `${prefix}${end}`).join(", ");
  return `${codes} of earlier telegrams is missing, and what is there is no whole register`;
}
