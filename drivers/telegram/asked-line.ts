import { Problem } from "../../attest/problem.ts";
import type { UsedPort } from "../driver.ts";
import { type LineAddress, lineFormat, lineName, type SerialFormat } from "../line/address.ts";
import { type CreateLine, createLine } from "../line/create.ts";
import { type LeasedLine, SharedLines } from "../line/shared-lines.ts";
import { Talk } from "./talk.ts";

/** One user's hold on a line that meters are asked over; each conversation begins anew, what came before is nobody's. */
export type AskedLine = LeasedLine<Talk>;

/** Lines that meters are asked over: one that several meters are on is opened once and shared. */
export class AskedLines extends SharedLines<Talk> {
  /** Its leases throw Problem `line-conflict` when another meter wants other settings for the line. */
  constructor(create: CreateLine = createLine) {
    super({
      open: (address, defaults) => Talk.over(create(address, defaults)),
      makeReady: (talk) => talk.discard(),
      conflict,
    });
  }
}

/** The lines of this process. */
export const askedLines: AskedLines = new AskedLines();

/** What a meter on {@link askedLines} needs; `defaults` as its lease has them. */
export function askedPort(address: LineAddress, defaults: SerialFormat): UsedPort {
  return { address, sharedBy: "asked", settings: lineFormat(address, defaults) };
}

function conflict(address: LineAddress, known: string, wanted: string): Problem {
  return new Problem("line-conflict", "two meters on one line want different settings for it", {
    where: lineName(address),
    expected: known,
    got: wanted,
    hint: "give all meters of a line the same baud rate and format",
  });
}
