import { type FrameFormat, StreamFramer } from "../telegram/stream-framer.ts";
import type { Framed, Framer } from "../telegram/telegram.ts";
import { FrameAssembly } from "./assembly.ts";
import { dlmsFormat, hdlcFormat } from "./formats.ts";

/** Frames of one format, put together to telegrams. */
class AssemblingFramer implements Framer {
  readonly #frames: StreamFramer;
  readonly #assembly = new FrameAssembly();

  constructor(format: FrameFormat) {
    this.#frames = new StreamFramer(format);
  }

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

/**
 * Cuts a byte stream into DLMS telegrams over HDLC (IEC 62056-46). The `bytes` of a telegram are its frames as they
 * came, with one flag before, between and behind them; all their checks were right and all segments are there.
 */
export class HdlcFramer extends AssemblingFramer {
  constructor() {
    super(hdlcFormat);
  }
}

/** Like {@link HdlcFramer}, and over wired M-Bus too, whichever the meter speaks. */
export class DlmsFramer extends AssemblingFramer {
  constructor() {
    super(dlmsFormat);
  }
}

/** A framer for whatever a DLMS meter pushes: HDLC or wired M-Bus. */
export function dlmsFramer(): Framer {
  return new DlmsFramer();
}
