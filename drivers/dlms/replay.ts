import { Problem } from "../../attest/problem.ts";
import type { Ciphering } from "./ciphering.ts";

/**
 * Counters of encrypted telegrams: under one key a meter never uses one twice (IEC 62056-5-3), so a telegram whose
 * counter does not go up was recorded and sent again.
 */
export class FrameCounters {
  #title = "";
  #counter = -1;
  #apdu: Uint8Array = new Uint8Array(0);

  /**
   * @param apdu what was deciphered; it must have made sense, since without a tag anybody can claim a counter
   * @returns false for the same telegram once more, as gateways send it
   * @throws Problem `dlms-replay`
   */
  take({ systemTitle, frameCounter }: Ciphering, apdu: Uint8Array): boolean {
    const known = systemTitle === this.#title;
    if (known && frameCounter === this.#counter && isSame(apdu, this.#apdu)) return false;
    if (known && frameCounter <= this.#counter) {
      throw new Problem("dlms-replay", "an encrypted telegram was sent before", {
        where: "frame counter",
        expected: `above ${this.#counter}`,
        got: String(frameCounter),
        hint: "if the meter was given a new key, give it to the driver, too",
      });
    }
    [this.#title, this.#counter, this.#apdu] = [systemTitle, frameCounter, apdu];
    return true;
  }

  forget(): void {
    [this.#title, this.#counter] = ["", -1];
  }
}

function isSame(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, at) => byte === b[at]);
}
