import { Problem } from "../../attest/problem.ts";
import type { UsedPort } from "../../drivers/driver.ts";
import { type LineAddress, lineFormat, lineName, type SerialFormat } from "../../drivers/line/address.ts";
import { type CreateLine, createLine } from "../../drivers/line/create.ts";
import { type LeasedLine, SharedLines } from "../../drivers/line/shared-lines.ts";
import { type ConnectionSettings, SmpConnection } from "../smp/connection.ts";
import { learnParameters } from "../smp/os-group.ts";

/** What a serial address that does not say means. */
export const COPROCESSOR_FORMAT: SerialFormat = {
  ...{ baudRate: 115_200, dataBits: 8, parity: "none", stopBits: 1 },
};

/**
 * One user's hold on a coprocessor, which meters for one and signs for another. Its conversations throw Problem
 * `smp-timeout`, too, where nobody answers.
 */
export type CoprocessorLine = LeasedLine<SmpConnection>;

/** The lines of a process that coprocessors are on: each is opened once, however many use it. */
export class CoprocessorLines {
  readonly #lines: SharedLines<SmpConnection>;

  constructor(create: CreateLine = createLine, settings: ConnectionSettings = {}) {
    /** Connections whose buffers are known. */
    const learnt = new WeakSet<SmpConnection>();
    this.#lines = new SharedLines({
      open: (address, defaults) => SmpConnection.over(create(address, defaults), settings),
      makeReady: async (connection) => {
        if (!learnt.has(connection)) await learnParameters(connection);
        learnt.add(connection);
      },
      conflict,
    });
  }

  /**
   * The line of an address, a new one or one that others use already. Does not touch it yet.
   *
   * @throws Problem `coprocessor-line-conflict` where another user wants other settings for it
   */
  lease(address: LineAddress): CoprocessorLine {
    return this.#lines.lease(address, COPROCESSOR_FORMAT);
  }
}

/** The lines of this process. */
export const coprocessorLines: CoprocessorLines = new CoprocessorLines();

/** What a coprocessor on {@link coprocessorLines} needs. */
export function coprocessorPort(address: LineAddress): UsedPort {
  return { address, sharedBy: "coprocessor", settings: lineFormat(address, COPROCESSOR_FORMAT) };
}

function conflict(address: LineAddress, known: string, wanted: string): Problem {
  return new Problem("coprocessor-line-conflict", "one line is wanted with two settings", {
    where: lineName(address),
    expected: known,
    got: wanted,
    hint: "give meter and signer of a coprocessor the same line",
  });
}
