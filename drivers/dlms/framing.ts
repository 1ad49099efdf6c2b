import { StreamFramer } from "../telegram/stream-framer.ts";
import type { Framed, Framer } from "../telegram/telegram.ts";
import { FrameAssembly } from "./assembly.ts";
import { dlmsFormat } from "./formats.ts";

/**
 * Cuts a byte stream into DLMS telegrams over HDLC (IEC 62056-46) or wired M-Bus, whichever the meter speaks. The `bytes`
 * of a telegram are its frames as they came, those of HDLC with one flag before, between and behind them; all their checks
 * were right and all segments are there.
 */
export class DlmsFramer implements Framer {
  readonly #frames = new StreamFramer(dlmsFormat);
  readonly #assembly = new FrameAssembly();

  push(bytes: Uint8Array): readonly Framed[] {
    return this.#assemble(this.#frames.push(bytes));
  }

  end(): readonly Framed[] {
    const outcomes = this.#assemble(this.#frames.end());
    return [...outcomes, ...this.#assembly.cut("the stream ended before the last segment")];
  }

  #assemble(found: readonly Framed[]): Framed[] {
    return found.flatMap((framed) =>
      framed.kind === "telegram"
        ? this.#assembly.take(framed)
        : [...this.#assembly.cut("a frame between the segments was damaged"), framed],
    );
  }
}
