import { concatBytes } from "../../../attest/bytes.ts";
import { Problem } from "../../../attest/problem.ts";
import type { Checklist, Fault } from "../../../drivers/kit/checklist.ts";
import { decodeSmpMap, encodeSmpMap, smpMap } from "../../smp/cbor.ts";
import type { SmpConnection, SmpRequest } from "../../smp/connection.ts";
import { encodeConsoleFrame } from "../../smp/console-frame.ts";
import { encodeMessage, GROUP, type SmpMessage } from "../../smp/message.ts";
import { answerProblem, type RefusalProblem } from "../../smp/problems.ts";
import { DESCRIBE, SIGN } from "../protocol.ts";

/** How long what must not come is waited for, at most. */
const QUIET_MS = 1_000;
/** What an answer that comes twice may be late by, beside the time that the first one took. */
const SECOND_ANSWER_MS = 300;
const ECHO: SmpRequest = { name: "echo", operation: "write", group: GROUP.os, command: 0 };
const NO_FIELDS = encodeSmpMap(smpMap({}));
const MARKER_BYTES = 2;
const INVALID = 3;
const ANY_ERROR = 1;

/** How long messages are listened for. */
export interface Listening {
  /** For the first one. */
  readonly timeoutMs: number;
  /** For more behind it. */
  readonly quietMs: number;
}

/** A connection that also sends what no program would, and hears what it does not wait for. */
export interface OverhearingConnection extends Pick<SmpConnection, "version" | "timeoutMs" | "where"> {
  /**
   * Sends bytes as they are, in their turn.
   *
   * @param bytes made with a sequence number that is nobody else's
   * @returns every whole message that came with that number
   */
  overhear(bytes: (sequence: number) => Uint8Array, listening: Listening): Promise<readonly SmpMessage[]>;
}

/** The checks of messages as such, whatever they say. */
export async function checkFraming(connection: OverhearingConnection, list: Checklist): Promise<void> {
  const checks = new FramingChecks(connection);
  await list.run("framing: an answer has the version of its request", () => checks.version());
  if (checks.isSilent) return;
  await list.run("framing: one answer to one request", () => checks.once());
  await list.run("framing: a message that fails its CRC is not answered, and the next one is", () =>
    checks.corrupted(),
  );
  await list.run("framing: takes maps of indefinite length", () => checks.indefinite());
}

class FramingChecks {
  /** Nobody answered: asking on is waiting in vain. */
  isSilent = false;
  readonly #connection: OverhearingConnection;

  constructor(connection: OverhearingConnection) {
    this.#connection = connection;
  }

  async version(): Promise<Fault> {
    const asked = this.#connection.version;
    const { version } = await this.#answer(DESCRIBE, NO_FIELDS);
    return version === asked ? undefined : `asked in version ${asked}, answered in version ${version}`;
  }

  async once(): Promise<Fault> {
    const startMs = performance.now();
    await this.#answer(DESCRIBE, NO_FIELDS);
    const tookMs = performance.now() - startMs;
    const quietMs = Math.min(tookMs + SECOND_ANSWER_MS, this.#quietMs());
    const { length } = await this.#heard(DESCRIBE, { body: NO_FIELDS, quietMs });
    return length === 1 ? undefined : `expected one, got ${length}`;
  }

  async corrupted(): Promise<Fault> {
    const [body, timeoutMs] = [NO_FIELDS, this.#quietMs()];
    const { length } = await this.#heard(DESCRIBE, { body, timeoutMs, damage: withWrongCrc });
    if (length > 0) return "it was answered";
    await this.#answer(DESCRIBE, body);
    return undefined;
  }

  async indefinite(): Promise<Fault> {
    // All of a message that is no statement: it is refused as such, and nothing of it stays.
    const piece = smpMap({ len: 16, off: 0, data: new Uint8Array(16) });
    const asked = [
      { request: DESCRIBE, fields: smpMap({}) },
      { request: ECHO, fields: smpMap({ d: "of indefinite length" }) },
      { request: SIGN, fields: piece },
    ];
    for (const { request, fields } of asked) {
      const answer = await this.#answer(request, encodeSmpMap(fields, "indefinite"));
      const problem = answerProblem(decodeSmpMap(answer.body), this.#connection.where(request));
      if (problem !== undefined && isOfForm(problem))
        return `${request.name} refuses bf … ff: ${problem.detail.got}`;
    }
    return undefined;
  }

  async #answer(request: SmpRequest, body: Uint8Array): Promise<SmpMessage> {
    const [answer] = await this.#heard(request, { body });
    this.isSilent = answer === undefined;
    if (answer !== undefined) return answer;
    throw new Problem("smp-timeout", "the microcontroller does not answer", {
      where: this.#connection.where(request),
    });
  }

  #heard(request: SmpRequest, sent: Sent): Promise<readonly SmpMessage[]> {
    const { operation, group, command } = request;
    const { body, damage = (line) => line, ...listening } = sent;
    const { version, timeoutMs } = this.#connection;
    return this.#connection.overhear(
      (sequence) =>
        damage(encodeConsoleFrame(encodeMessage({ version, operation, group, sequence, command, body }))),
      { timeoutMs, quietMs: 0, ...listening },
    );
  }

  #quietMs(): number {
    return Math.min(this.#connection.timeoutMs, QUIET_MS);
  }
}

interface Sent extends Partial<Listening> {
  readonly body: Uint8Array;
  /** What becomes of the one line that it is. */
  readonly damage?: (line: Uint8Array) => Uint8Array;
}

/** Whether the request was not understood: error 1 of the group, or `invalid` of SMP. */
function isOfForm({ refusal: { group, rc } }: RefusalProblem): boolean {
  return group === undefined ? rc === INVALID : group === GROUP.application && rc === ANY_ERROR;
}

function withWrongCrc(line: Uint8Array): Uint8Array {
  const packet = Buffer.from(Buffer.from(line.subarray(MARKER_BYTES, -1)).toString("latin1"), "base64");
  const last = packet.length - 1;
  packet[last] = (packet[last] ?? 0) ^ 1;
  const text = Buffer.from(packet.toString("base64"), "latin1");
  return concatBytes(line.subarray(0, MARKER_BYTES), text, line.subarray(-1));
}
