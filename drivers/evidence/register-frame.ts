import { Problem } from "../../attest/problem.ts";
import { digestOf } from "../digest.ts";
import type { RawFrame } from "../driver.ts";
import type { RegisterTable } from "../modbus/request.ts";

/** Neighbouring registers as a device answered with them. */
export interface RegisterRun {
  readonly table: RegisterTable;
  readonly start: number;
  readonly registers: Uint16Array;
}

const FUNCTIONS = { holding: 3, input: 4 } as const satisfies Record<RegisterTable, number>;
/** Function, start and count. */
const HEAD_BYTES = 6;
const ADDRESSES = 65_536;

/**
 * Registers as a frame (docs/audits.md), each number two bytes, high byte first; for every run:
 *
 *     2    function that they were read with: 3 holding, 4 input
 *     2    address of the first
 *     2    their number n, at least 1
 *     2 n  the registers
 */
export function registerFrame(runs: readonly RegisterRun[]): RawFrame {
  const length = runs.reduce((sum, { registers }) => sum + HEAD_BYTES + 2 * registers.length, 0);
  const bytes = new Uint8Array(length);
  const view = new DataView(bytes.buffer);
  let at = 0;
  const put = (word: number): void => {
    view.setUint16(at, word);
    at += 2;
  };
  for (const { table, start, registers } of runs) {
    put(FUNCTIONS[table]);
    put(start);
    put(registers.length);
    for (const register of registers) put(register);
  }
  return { digest: digestOf(bytes), bytes, what: "modbus registers" };
}

/** The runs of a frame in its order. Throws Problem `frame-form` with the offset where it has another form. */
export function registerRuns(bytes: Uint8Array): readonly RegisterRun[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const runs: RegisterRun[] = [];
  for (let at = 0; at < bytes.length; ) {
    if (at + HEAD_BYTES > bytes.length) throw wrongForm(at, "function, address and number", "the end");
    const [code, start, count] = [view.getUint16(at), view.getUint16(at + 2), view.getUint16(at + 4)];
    const table = code === FUNCTIONS.holding ? "holding" : code === FUNCTIONS.input ? "input" : undefined;
    if (table === undefined) throw wrongForm(at, "function 3 or 4", String(code));
    if (count === 0 || start + count > ADDRESSES)
      throw wrongForm(at, "registers of the table", `${count} from ${start}`);
    const from = at + HEAD_BYTES;
    at = from + 2 * count;
    if (at > bytes.length) throw wrongForm(from, `${count} registers`, "the end");
    const registers = Uint16Array.from({ length: count }, (_, index) => view.getUint16(from + 2 * index));
    runs.push({ table, start, registers });
  }
  return runs;
}

function wrongForm(offset: number, expected: string, got: string): Problem {
  return new Problem("frame-form", "the bytes are no frame of registers", {
    where: `frame offset ${offset}`,
    expected,
    got,
  });
}
