import { createHash, createHmac, createPrivateKey, createSecretKey, type KeyObject, sign } from "node:crypto";
import { concatBytes, fromHex, u64be } from "../../attest/bytes.ts";
import { type ChannelState, closeReferences, dueClose } from "../../attest/channel-state.ts";
import { signCheckpoint } from "../../attest/checkpoint.ts";
import type { Leaf, Unplaced } from "../../attest/leaf.ts";
import { encodeLeaf } from "../../attest/leaf-codec.ts";
import { LogRules } from "../../attest/log-rules.ts";
import { type BatchMessage, encodeMessage } from "../../attest/messages.ts";
import { nativeSigner, nativeSuite } from "../../attest/native.ts";
import type { LocalSigner } from "../../attest/signature.ts";
import { checkpointOf, readingLeaf, START_MS } from "../logs.ts";

/** Market interval and pause between readings, as most devices have them. */
const QUARTER_MS = 900_000;
const SAMPLING_MS = 5000;
/** Upper bound of what a reading adds to the register, mWh: some 7 kW. */
const MOST_RISE_MWH = 10_000;
const SALT_BYTES = 16;
/** DER before a seed (RFC 8410, 7). */
const PKCS8_PREFIX = fromHex("302e020100300506032b657004220420", "PKCS #8 prefix");

/** A message ready to be sent, and what the receipt for it must say. */
export interface PreparedBatch {
  readonly message: Uint8Array;
  readonly readings: number;
  readonly size: number;
  readonly root: Uint8Array;
}

/**
 * A device of its own key that writes a lawful log: readings 5 s apart of one meter, the close of each quarter of an hour
 * when it falls due, and checkpoints where they are asked for.
 */
export class LoadDevice {
  readonly signer: LocalSigner;
  readonly rules: LogRules;
  readonly #saltKey: KeyObject;
  #timeMs = START_MS;
  #importMwh: number;

  /** @param number tells devices apart; the same number is always the same key */
  constructor(network: string, number: number) {
    const seed = digest(`load device ${number}`);
    this.signer = quickSigner(seed);
    this.#saltKey = createSecretKey(digest(`load salt ${number}`));
    this.#importMwh = 1_000_000 + number;
    this.rules = new LogRules(nativeSuite, { network, deviceKey: this.signer.publicKey, epoch: 1 });
  }

  /** The manifests of the log and of its only channel. */
  opening(): Promise<PreparedBatch> {
    const { network, deviceKey } = this.rules.identity;
    return this.#batch(0, [
      this.#append({
        ...{ kind: "logManifest", network, epoch: 1, deviceKey, agentVersion: "load", assuranceTier: 0 },
        ...{ bootCount: 1, intervalMs: QUARTER_MS, ...this.#time() },
      }),
      this.#append({
        ...{ kind: "channelManifest", channel: 1, role: 1, name: "meter/grid", ...this.#time() },
        ...{ make: "Acme Metering", model: "AM-3 direct", serial: `4711${this.#importMwh}` },
        ...{ firmware: "2.1.4", driver: "sunspec", registers: 3, resolutionMwh: 1000 },
        samplingMs: SAMPLING_MS,
      }),
    ]);
  }

  /** The next `readings` readings, and the closes between them. */
  next(readings: number): Promise<PreparedBatch> {
    const leaves: Uint8Array[] = [];
    for (let i = 0; i < readings; i++) {
      this.#timeMs += SAMPLING_MS;
      const close = this.#dueClose();
      if (close !== undefined) leaves.push(this.#append(close));
      leaves.push(this.#append(this.#reading()));
    }
    return this.#batch(readings, leaves);
  }

  #reading(): Unplaced {
    const { seq: _, salt: __, timeMs: ___, importMwh: ____, ...values } = readingLeaf(this.rules.size);
    this.#importMwh += 1 + ((this.rules.size * 7919) % MOST_RISE_MWH);
    return { ...values, ...this.#time(), importMwh: this.#importMwh };
  }

  #dueClose(): Unplaced | undefined {
    const state = this.#channel();
    const body = dueClose(state, this.#timeMs, QUARTER_MS);
    return body && { kind: "intervalClose", channel: 1, ...body, ...closeReferences(state), ...this.#time() };
  }

  #append(unplaced: Unplaced): Uint8Array {
    const seq = this.rules.size;
    const salt = this.#salt(seq);
    // A leaf without its place, and its place.
    const leaf = { ...unplaced, seq, salt } as Leaf;
    const bytes = encodeLeaf(leaf);
    this.rules.apply(leaf, bytes);
    return bytes;
  }

  /** As nobody can foretell it, though not by the agent's rule. */
  #salt(seq: number): Uint8Array {
    const digest = createHmac("sha256", this.#saltKey).update(u64be(seq)).digest();
    return new Uint8Array(digest.subarray(0, SALT_BYTES));
  }

  async #batch(readings: number, leaves: readonly Uint8Array[]): Promise<PreparedBatch> {
    const { rules } = this;
    const { size } = rules;
    const message: BatchMessage = {
      ...{ type: "batch", epoch: 1, firstSeq: size - leaves.length },
      leaves: concatBytes(...leaves),
      checkpoint: await signCheckpoint(this.signer, rules.logId, checkpointOf(rules)),
    };
    return { message: encodeMessage(message), readings, size, root: rules.root() };
  }

  #channel(): ChannelState {
    const channel = this.rules.channels.get(1);
    if (channel === undefined) throw new Error("the device has not opened its log");
    return channel;
  }

  #time(): { readonly timeMs: number; readonly timeQuality: number } {
    return { timeMs: this.#timeMs, timeQuality: 3 };
  }
}

/** Signs without verifying what it signed, which would take most of the time of making a load: the node does that. */
function quickSigner(seed: Uint8Array): LocalSigner {
  const { publicKey } = nativeSigner(seed);
  const key = privateKey(seed);
  return { publicKey, sign: (message) => new Uint8Array(sign(null, message, key)) };
}

function privateKey(seed: Uint8Array): KeyObject {
  const der = Buffer.from(concatBytes(PKCS8_PREFIX, seed));
  return createPrivateKey({ key: der, format: "der", type: "pkcs8" });
}

function digest(text: string): Uint8Array {
  return new Uint8Array(createHash("sha256").update(text).digest());
}
