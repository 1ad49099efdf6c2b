import { equalBytes, toHex } from "../../../attest/bytes.ts";
import { OBJECT_TYPES } from "../../../attest/cose.ts";
import { Problem } from "../../../attest/problem.ts";
import type { Suite } from "../../../attest/suite.ts";
import { type Checklist, Skipped } from "../../../drivers/kit/checklist.ts";
import { smpMap } from "../../smp/cbor.ts";
import type { SmpConnection } from "../../smp/connection.ts";
import { AnswerFields } from "../answer-fields.ts";
import { coprocessorProblem } from "../problems.ts";
import { MOST_MESSAGE_BYTES, SIGN } from "../protocol.ts";
import { type CoprocessorKey, readKey, signMessage } from "../signing.ts";
import { refusedWith } from "./checks.ts";
import { DEVICE_TYPES, forbiddenMessages, statement } from "./statement.ts";

/** What requests of SMP version 1 are answered with, which knows no errors of a group (docs/coprocessor-protocol.md, "Errors"). */
const PLAIN = {
  "coprocessor-unknown": [1, 3],
  "coprocessor-not-signable": [11],
  "coprocessor-too-long": [3],
} as const;

export interface SigningSettings {
  readonly suite: Suite;
  /** How long a signature may take, ms. */
  readonly signTimeoutMs: number;
}

/** The checks of the commands `key` and `sign`; without one good signature there is no more to be seen. */
export async function checkSigning(
  connection: SmpConnection,
  list: Checklist,
  settings: SigningSettings,
): Promise<CoprocessorKey | undefined> {
  const { suite } = settings;
  let found: CoprocessorKey | undefined;
  await list.run("key: an Ed25519 key of prime order", async () => {
    found = await keyOrSkip(connection);
    return suite.checkPublicKey(found.publicKey) ? undefined : `not such a key: ${toHex(found.publicKey)}`;
  });
  if (found === undefined) return undefined;
  const signing = new SigningChecks(connection, found, settings);
  let good = 0;
  for (const type of DEVICE_TYPES) {
    const passed = await list.run(`sign: a ${OBJECT_TYPES[type]}`, () => signing.signs(OBJECT_TYPES[type]));
    if (passed) good += 1;
    else if (good === 0) return found;
  }
  await list.run("sign: the longest message that it says it takes", () => signing.longest());
  await list.run("sign: one message twice, one signature", () => signing.twice());
  for (const { what, message } of forbiddenMessages(found.publicKey))
    await list.run(`sign: refuses ${what}`, () =>
      signing.refused("coprocessor-not-signable", () => signing.sign(message)),
    );
  await list.run("sign: refuses a message longer than its max", () => signing.tooLong());
  await list.run("sign: refuses a piece of another form", () => signing.malformed());
  await list.run("sign: a piece without its beginning is answered with off 0", () => signing.orphan());
  await list.run("key: counts every signature, and no refusal", () => signing.counted());
  return found;
}

async function keyOrSkip(connection: SmpConnection): Promise<CoprocessorKey> {
  try {
    return await readKey(connection);
  } catch (error) {
    if (error instanceof Problem && error.code === "smp-not-supported")
      throw new Skipped("it does not know the command: it only meters");
    throw error;
  }
}

class SigningChecks {
  readonly #connection: SmpConnection;
  readonly #key: CoprocessorKey;
  readonly #settings: SigningSettings;
  #signed = 0;

  constructor(connection: SmpConnection, key: CoprocessorKey, settings: SigningSettings) {
    this.#connection = connection;
    this.#key = key;
    this.#settings = settings;
  }

  async sign(message: Uint8Array): Promise<Uint8Array> {
    const { signTimeoutMs } = this.#settings;
    const { signature } = await signMessage(this.#connection, message, { attempts: 1, signTimeoutMs });
    this.#signed += 1;
    return signature;
  }

  refused(code: keyof typeof PLAIN, work: () => Promise<unknown>): Promise<string | undefined> {
    return refusedWith(code, work, this.#connection.version === 1 ? PLAIN[code] : []);
  }

  async signs(type: string): Promise<string | undefined> {
    return this.#verified(statement(type, this.#key.publicKey));
  }

  async longest(): Promise<string | undefined> {
    const { publicKey, maxMessageBytes } = this.#key;
    // The length of a payload takes two bytes more in a long message than in one of 64 bytes.
    const short = statement(OBJECT_TYPES.hello, publicKey, 256);
    const payloadBytes = 256 + maxMessageBytes - short.length;
    return this.#verified(statement(OBJECT_TYPES.hello, publicKey, payloadBytes));
  }

  async twice(): Promise<string | undefined> {
    const message = statement(OBJECT_TYPES.hello, this.#key.publicKey, 100);
    const [one, other] = [await this.sign(message), await this.sign(message)];
    return equalBytes(one, other) ? undefined : "two: random numbers are in them (RFC 8032, 5.1.6)";
  }

  async tooLong(): Promise<string | undefined> {
    const { maxMessageBytes } = this.#key;
    if (maxMessageBytes === MOST_MESSAGE_BYTES) throw new Skipped("it takes the longest that there is");
    return this.refused("coprocessor-too-long", () =>
      this.#piece({ len: maxMessageBytes + 1, off: 0, data: new Uint8Array(16) }),
    );
  }

  malformed(): Promise<string | undefined> {
    return this.refused("coprocessor-unknown", () => this.#piece({ len: 64, off: 0, data: "text" }));
  }

  /** Behind a refusal nothing is there. */
  async orphan(): Promise<string | undefined> {
    const answer = await this.#piece({ off: 16, data: new Uint8Array(16) });
    answer.integer("off", 0, 0);
    return undefined;
  }

  async counted(): Promise<string | undefined> {
    const { boot, signatures } = await readKey(this.#connection);
    if (boot !== this.#key.boot) return `it started anew meanwhile: start ${this.#key.boot}, now ${boot}`;
    const expected = this.#key.signatures + this.#signed;
    return signatures === expected ? undefined : `expected n ${expected}, got ${signatures}`;
  }

  async #verified(message: Uint8Array): Promise<string | undefined> {
    const signature = await this.sign(message);
    const { publicKey } = this.#key;
    if (this.#settings.suite.verifySignature(publicKey, message, signature)) return undefined;
    return `the signature does not verify under ${toHex(publicKey)}`;
  }

  async #piece(fields: Parameters<typeof smpMap>[0]): Promise<AnswerFields> {
    try {
      const answer = await this.#connection.ask({ ...SIGN, fields: smpMap(fields) }, { attempts: 1 });
      return new AnswerFields(answer, this.#connection.where(SIGN));
    } catch (error) {
      throw coprocessorProblem(error);
    }
  }
}
