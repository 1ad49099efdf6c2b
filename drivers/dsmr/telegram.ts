import { Problem } from "../../attest/problem.ts";
import type { RawTelegram } from "./whole-telegram.ts";

/** One printed object: `1-0:1.8.1(001581.123*kWh)` has one value group, a gas line of DSMR 2.2 has seven. */
export interface CosemObject {
  /** `A-B:C.D.E`, without a printed `.255` or `*255`. */
  readonly code: string;
  /** What stands in the parentheses, in order. */
  readonly values: readonly string[];
  /** Byte offset of the line in the telegram. */
  readonly offset: number;
}

/** A telegram taken apart, nothing decoded yet. */
export interface Telegram {
  /** The first line without `/` and line end, one character a byte. */
  readonly identification: string;
  readonly checksum: RawTelegram["checksum"];
  /** All objects in order, a code that is printed twice among them. */
  readonly printed: readonly CosemObject[];
  /** First occurrence of each code. */
  readonly objects: ReadonlyMap<string, CosemObject>;
  /** Codes that were printed twice with different values: neither can be believed. */
  readonly conflicts: ReadonlySet<string>;
  /** Lines that are no objects, in words. */
  readonly absent: readonly string[];
}

/** Values have parentheses of their own at times: `1-0:0.2.0((ER11))` (github.com/esphome-libs/dsmr_parser pull request 45). */
const OBJECT_LINE =
  /^(\d{1,3}-\d{1,3}:\d{1,3}\.\d{1,3}\.\d{1,3})(?:[.*]\d{1,3})?((?:\((?:[^()]|\([^()]*\))*\))+)$/;
const CONTINUATION_LINE = /^(?:\([^()]*\))+$/;
const MAX_QUOTED = 40;

interface Line {
  readonly text: string;
  readonly offset: number;
}

/**
 * Takes the lines of a telegram apart (DSMR 5.0.2 P1, 6.12; IEC 62056-21 data sets). A line that begins with a
 * parenthesis continues the object before it, as the gas line of DSMR 2.2 does.
 *
 * @throws Problem `dsmr-line` for a line that is no object, in a telegram that no checksum vouches for
 */
export function parseTelegram(raw: RawTelegram): Telegram {
  const [first, ...lines] = splitLines(raw.bytes);
  const parts = new Parts(raw.checksum);
  for (const line of lines) parts.take(line);
  parts.flush();
  const { printed, objects, conflicts, absent } = parts;
  const identification = first?.text.slice(1) ?? "";
  return { identification, checksum: raw.checksum, printed, objects, conflicts, absent };
}

class Parts {
  readonly printed: CosemObject[] = [];
  readonly objects: Map<string, CosemObject> = new Map();
  readonly conflicts: Set<string> = new Set();
  readonly absent: string[] = [];
  readonly #checksum: RawTelegram["checksum"];
  #open: CosemObject | undefined;

  constructor(checksum: RawTelegram["checksum"]) {
    this.#checksum = checksum;
  }

  take(line: Line): void {
    const parts = OBJECT_LINE.exec(line.text);
    if (parts !== null) {
      this.flush();
      this.#open = { code: parts[1] ?? "", values: groups(parts[2] ?? ""), offset: line.offset };
    } else if (this.#open !== undefined && CONTINUATION_LINE.test(line.text)) {
      this.#open = { ...this.#open, values: [...this.#open.values, ...groups(line.text)] };
    } else {
      this.#refuse(line);
    }
  }

  flush(): void {
    const object = this.#open;
    if (object === undefined) return;
    this.#open = undefined;
    this.printed.push(object);
    const known = this.objects.get(object.code);
    if (known === undefined) this.objects.set(object.code, object);
    else if (known.values.join(")(") !== object.values.join(")(")) this.conflicts.add(object.code);
  }

  #refuse(line: Line): void {
    const got = JSON.stringify(line.text.slice(0, MAX_QUOTED));
    if (this.#checksum === "verified") {
      this.absent.push(`line at offset ${line.offset} is no object: ${got}`);
      return;
    }
    throw new Problem("dsmr-line", "a line is no object, and the telegram has no checksum", {
      where: `telegram offset ${line.offset}`,
      expected: 'a line like "1-0:1.8.1(00001.001*kWh)"',
      got,
    });
  }
}

function groups(text: string): string[] {
  return text.slice(1, -1).split(")(");
}

/** The lines up to `!`, empty ones left out, each with its byte offset. */
function splitLines(bytes: Uint8Array): Line[] {
  // One character a byte, so that offsets in the text are offsets in the telegram.
  const text = Buffer.from(bytes).toString("latin1");
  const body = text.slice(0, text.lastIndexOf("!"));
  const lines: Line[] = [];
  for (const match of body.matchAll(/[^\n]+/g)) {
    const line = match[0].replace(/\r$/, "");
    if (line !== "") lines.push({ text: line, offset: match.index });
  }
  return lines;
}
