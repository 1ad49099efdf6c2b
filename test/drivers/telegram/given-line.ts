import type { ByteLine, LineListener } from "../../../drivers/line/line.ts";

/** A line whose bytes the test hands to its listener. */
export class GivenLine implements ByteLine {
  readonly name = "given";
  listener: LineListener | undefined;

  async open(listener: LineListener): Promise<void> {
    this.listener = listener;
  }

  async write(): Promise<void> {
    throw new Error("nobody asks it");
  }

  async close(): Promise<void> {
    this.listener = undefined;
  }
}
