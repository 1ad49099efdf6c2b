import { concatBytes } from "../../attest/bytes.ts";
import { nativeSigner } from "../../attest/native.ts";
import type { LocalSigner } from "../../attest/signature.ts";
import { type SmpMap, type SmpValue, smpMap } from "../smp/cbor.ts";
import { signableType } from "./coprocessor-context.ts";
import type { GroupError } from "./smp-server.ts";

/** What the signing half does wrong, by name. */
export type SigningMisbehaviour =
  /** One bit of every signature is wrong: firmware that does not check what it signed. */
  | "wrong-signature"
  /** After the first answer about its key it has another one: the board was exchanged. */
  | "other-key"
  /** A message is signed and nothing is said. */
  | "silent-signer"
  /** Every second signature is made and its answer lost. */
  | "lost-signatures"
  /** The half of a message is forgotten once. */
  | "forgets-message"
  /** Takes a part of every piece. */
  | "short-pieces"
  /** Takes nothing. */
  | "takes-nothing"
  /** Somebody else has it sign, too. */
  | "used-elsewhere"
  /** Signs whatever it is given. */
  | "signs-anything";

type Refusal = "noKey" | "notSignable" | "tooLong" | "frontEnd" | "invalid";

/** Errors of group 64, and what the original protocol calls them. */
export const REFUSAL: Readonly<Record<Refusal, GroupError>> = {
  frontEnd: { rc: 3, commonRc: 6 },
  noKey: { rc: 4, commonRc: 5 },
  notSignable: { rc: 5, commonRc: 11 },
  tooLong: { rc: 6, commonRc: 3 },
  invalid: { rc: 1, commonRc: 3 },
};

export interface SimulatedKeyOptions {
  /** 32 bytes, which stay here; absent: no key. */
  readonly seed: Uint8Array | undefined;
  /** The longest message that is signed. */
  readonly maxMessageBytes: number;
  /** Number of this start. */
  readonly boot: () => number;
  readonly misbehaves: ReadonlySet<string>;
}

/** The key of a simulated coprocessor, and the message that is being brought to it. */
export class SimulatedKey {
  readonly #options: SimulatedKeyOptions;
  #signer: LocalSigner | undefined;
  #pending: { readonly length: number; readonly bytes: Uint8Array } | undefined;
  #signatures = 0;
  #forgot = false;

  constructor(options: SimulatedKeyOptions) {
    this.#options = options;
    this.#signer = options.seed === undefined ? undefined : nativeSigner(options.seed);
  }

  /** What a reset forgets. */
  forget(): void {
    this.#pending = undefined;
    this.#signatures = 0;
  }

  key(): SmpMap | GroupError {
    if (this.#signer === undefined) return REFUSAL.noKey;
    const { publicKey } = this.#signer;
    if (this.#options.misbehaves.has("other-key")) this.#signer = nativeSigner(new Uint8Array(32).fill(0xee));
    return smpMap({ alg: -19, pub: publicKey, max: this.#options.maxMessageBytes, ...this.#use() });
  }

  /** After an error nothing of the message is there. */
  sign(fields: SmpMap): SmpMap | GroupError | undefined {
    const said = this.#piece(fields);
    if (said !== undefined && !(said instanceof Map)) this.#pending = undefined;
    return said;
  }

  #piece(fields: SmpMap): SmpMap | GroupError | undefined {
    const [off, data] = [fields.get("off"), fields.get("data")];
    if (this.#signer === undefined) return REFUSAL.noKey;
    if (typeof off !== "number" || !(data instanceof Uint8Array)) return REFUSAL.invalid;
    const refusal = off === 0 ? this.#begin(fields.get("len")) : undefined;
    if (refusal !== undefined) return refusal;
    this.#forgetOnce(off);
    const pending = this.#pending;
    if (pending === undefined || off !== pending.bytes.length)
      return smpMap({ off: pending?.bytes.length ?? 0 });
    const bytes = concatBytes(pending.bytes, data.subarray(0, this.#accepted(data.length)));
    if (bytes.length > pending.length) return REFUSAL.invalid;
    this.#pending = { length: pending.length, bytes };
    if (bytes.length < pending.length) return smpMap({ off: bytes.length });
    this.#pending = undefined;
    return this.#signed(bytes, this.#signer);
  }

  #begin(length: SmpValue | undefined): GroupError | undefined {
    if (typeof length !== "number" || length < 1) return REFUSAL.invalid;
    if (length > this.#options.maxMessageBytes) return REFUSAL.tooLong;
    this.#pending = { length, bytes: new Uint8Array(0) };
    return undefined;
  }

  #forgetOnce(off: number): void {
    if (off === 0 || this.#forgot || !this.#options.misbehaves.has("forgets-message")) return;
    this.#forgot = true;
    this.#pending = undefined;
  }

  #accepted(bytes: number): number {
    const { misbehaves } = this.#options;
    if (misbehaves.has("takes-nothing")) return 0;
    return misbehaves.has("short-pieces") ? Math.max(1, bytes - 7) : bytes;
  }

  #signed(message: Uint8Array, signer: LocalSigner): SmpMap | GroupError | undefined {
    const { misbehaves } = this.#options;
    const isSignable = signableType(message, signer.publicKey) !== undefined;
    if (!isSignable && !misbehaves.has("signs-anything")) return REFUSAL.notSignable;
    this.#signatures += misbehaves.has("used-elsewhere") ? 2 : 1;
    const sig = signer.sign(message).slice();
    if (misbehaves.has("wrong-signature")) sig[5] = (sig[5] ?? 0) ^ 0x10;
    if (misbehaves.has("silent-signer")) return undefined;
    if (misbehaves.has("lost-signatures") && this.#signatures % 2 === 1) return undefined;
    return smpMap({ off: message.length, sig, ...this.#use() });
  }

  #use(): { readonly boot: number; readonly n: number } {
    return { boot: this.#options.boot(), n: this.#signatures };
  }
}
