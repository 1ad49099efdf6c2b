import { nativeSigner, nativeSuite } from "../../../attest/native.ts";
import { Checklist, type CheckResult } from "../../../drivers/kit/checklist.ts";
import { checkSigning } from "../../../firmware-bridge/coprocessor/conformance/signing.ts";
import { SimulatedCoprocessor } from "../../../firmware-bridge/simulated/coprocessor.ts";
import { signableType } from "../../../firmware-bridge/simulated/coprocessor-context.ts";
import type { GroupHandler, GroupRequest } from "../../../firmware-bridge/simulated/smp-server.ts";
import { smpMap } from "../../../firmware-bridge/smp/cbor.ts";
import type { ConnectionSettings } from "../../../firmware-bridge/smp/connection.ts";
import { learnParameters } from "../../../firmware-bridge/smp/os-group.ts";
import { connect, microcontroller } from "../smp/kit.ts";
import { GRID, SEED, tickingMs } from "./kit.ts";

type Answer = ReturnType<GroupHandler>;

/** What the signing half of firmware does otherwise than the page has it. */
export interface KeyFaults {
  readonly signable?: (message: Uint8Array) => boolean;
  readonly sign?: (message: Uint8Array) => Uint8Array;
  /** A piece is appended whatever its off. */
  readonly takesAnywhere?: boolean;
  /** After the signature the message is still there. */
  readonly remembers?: boolean;
  /** A new off 0 in the middle is refused. */
  readonly keepsFirst?: boolean;
  /** What len with a later piece does; the page allows the first two. */
  readonly lateLength?: "ignored" | "refused" | "taken";
  /** The message lies where the answers to other commands are made. */
  readonly sharesBuffer?: boolean;
  /** The number of the start, as each command says it. */
  readonly boots?: { readonly key?: number; readonly sign?: number };
  readonly takes?: (bytes: number) => number;
}

const INVALID = { rc: 1, commonRc: 3 };
const NOT_SIGNABLE = { rc: 5, commonRc: 11 };
const TOO_LONG = { rc: 6, commonRc: 3 };
const MAX = 1024;
export const KEY: Uint8Array = nativeSigner(SEED).publicKey;

/** Whether a device's key may sign it. */
export function isStatement(message: Uint8Array): boolean {
  return signableType(message, KEY) !== undefined;
}

/** Group 64 of firmware as short as it can be, with a front end that is right. */
export function plainFirmware(faults: KeyFaults = {}): GroupHandler {
  const meter = new SimulatedCoprocessor({ shown: () => [GRID], monotonicMs: tickingMs() });
  const key = new PlainKey(faults);
  return (request) => {
    if (request.operation === "write") return request.command === 3 ? key.sign(request) : smpMap({ rc: 8 });
    if (faults.sharesBuffer === true) key.spoil();
    return request.command === 2 ? key.key() : meter.handle(request);
  };
}

class PlainKey {
  readonly #faults: KeyFaults;
  #message: number[] | undefined;
  #length = 0;
  #signatures = 0;

  constructor(faults: KeyFaults) {
    this.#faults = faults;
  }

  key(): Answer {
    return smpMap({ alg: -19, pub: KEY, max: MAX, boot: this.#faults.boots?.key ?? 1, n: this.#signatures });
  }

  spoil(): void {
    this.#message?.fill(0x55, 0, 10);
  }

  sign(request: GroupRequest): Answer {
    const answer = this.#piece(request);
    if (answer !== undefined && "rc" in answer) this.#message = undefined;
    return answer;
  }

  #piece({ fields }: GroupRequest): Answer {
    const [len, off, data] = [fields.get("len"), fields.get("off"), fields.get("data")];
    if (typeof off !== "number" || !(data instanceof Uint8Array)) return INVALID;
    const refusal = off === 0 ? this.#begun(len) : this.#later(len);
    if (refusal !== undefined) return refusal;
    const message = this.#message ?? [];
    const isPlace = off === message.length || (this.#faults.takesAnywhere === true && message.length > 0);
    if (this.#message === undefined || !isPlace) return smpMap({ off: message.length });
    message.push(...data.subarray(0, this.#faults.takes?.(data.length) ?? data.length));
    if (message.length > this.#length) return INVALID;
    return message.length < this.#length
      ? smpMap({ off: message.length })
      : this.#signed(Uint8Array.from(message));
  }

  #begun(len: unknown): Answer {
    if (this.#faults.keepsFirst === true && this.#message !== undefined) return INVALID;
    if (typeof len !== "number") return INVALID;
    if (len > MAX) return TOO_LONG;
    this.#length = len;
    this.#message = [];
    return undefined;
  }

  #later(len: unknown): Answer {
    const { lateLength = "ignored" } = this.#faults;
    if (typeof len !== "number" || lateLength === "ignored") return undefined;
    if (lateLength === "refused") return INVALID;
    this.#length = len;
    return undefined;
  }

  #signed(message: Uint8Array): Answer {
    const { signable = isStatement, sign = nativeSigner(SEED).sign, boots, remembers } = this.#faults;
    if (remembers !== true) this.#message = undefined;
    if (!signable(message)) return NOT_SIGNABLE;
    this.#signatures += 1;
    return smpMap({ off: message.length, sig: sign(message), boot: boots?.sign ?? 1, n: this.#signatures });
  }
}

/** The checks of signing, of firmware that is asked over a line. */
export async function checkedKey(
  group: GroupHandler,
  { bufferBytes = 384, ...settings }: ConnectionSettings & { readonly bufferBytes?: number } = {},
): Promise<readonly CheckResult[]> {
  const mcu = microcontroller({ bufferBytes, groups: new Map([[64, group]]) });
  const connection = await connect(mcu, settings);
  await learnParameters(connection);
  const list = new Checklist();
  await checkSigning(connection, list, { suite: nativeSuite, signTimeoutMs: 100 });
  return list.results;
}

/** Names of what was found, with the words. */
export function faultsOf(results: readonly CheckResult[]): ReadonlyMap<string, string> {
  return new Map(
    results.flatMap(({ name, outcome, detail = "" }) => (outcome === "failed" ? [[name, detail]] : [])),
  );
}
