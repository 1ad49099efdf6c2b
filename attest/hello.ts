import { equalBytes } from "./bytes.ts";
import { openObject, signObject } from "./cose.ts";
import { type Field, must, type RecordCodec, recordCodec } from "./field.ts";
import { Problem } from "./problem.ts";
import type { Signer } from "./signature.ts";
import type { Suite } from "./suite.ts";

/** Version of the stream protocol, as both hellos carry it. */
export const STREAM_VERSION = 1;
/** WebSocket subprotocol (RFC 6455, 1.9). */
export const STREAM_SUBPROTOCOL = "kilowitness.v1";
export const NONCE_BYTES = 32;

export const HELLO_ROLES = { device: 1, node: 2 } as const;
export type HelloRole = keyof typeof HELLO_ROLES;

/** What both sides sign before anything else: who talks to whom, fresh on both sides. */
export interface Hello {
  readonly role: number;
  readonly network: string;
  readonly deviceKey: Uint8Array;
  readonly nodeKey: Uint8Array;
  readonly deviceNonce: Uint8Array;
  readonly nodeNonce: Uint8Array;
  readonly version: number;
}

/** What a hello must say for this connection; the role is the sender's. */
export type HelloTerms = Omit<Hello, "role" | "version">;

/** The fields of the payload, by property name. */
export const HELLO_FIELDS: Readonly<Record<keyof Hello, Field>> = {
  role: must(1, "uint"),
  network: must(2, "text"),
  deviceKey: must(3, "bytes32"),
  nodeKey: must(4, "bytes32"),
  deviceNonce: must(5, "bytes32"),
  nodeNonce: must(6, "bytes32"),
  version: must(7, "uint"),
};
const codec: RecordCodec<Hello> = recordCodec<Hello>("hello", HELLO_FIELDS);

/** Signs the hello of `role` as COSE_Sign1 with kid = the signer's key. */
export async function signHello(signer: Signer, role: HelloRole, terms: HelloTerms): Promise<Uint8Array> {
  const hello: Hello = { ...terms, role: HELLO_ROLES[role], version: STREAM_VERSION };
  return signObject(signer, { type: "hello", kid: signer.publicKey, payload: codec.toMap(hello) });
}

/**
 * Verifies the other side's hello against the terms of this connection. Throws `cose-…`, or `hello-mismatch`
 * with the first term that differs: another key, a replayed nonce, another network or version.
 */
export function checkHello(
  suite: Suite,
  bytes: Uint8Array,
  expected: { role: HelloRole; terms: HelloTerms },
): void {
  const { role, terms } = expected;
  const key = role === "node" ? terms.nodeKey : terms.deviceKey;
  const hello = codec.fromMap(openObject(suite, bytes, { type: "hello", key }));
  requireEqual("role", HELLO_ROLES[role], hello.role);
  requireEqual("version", STREAM_VERSION, hello.version);
  requireEqual("network", terms.network, hello.network);
  for (const name of ["deviceKey", "nodeKey", "deviceNonce", "nodeNonce"] as const) {
    if (!equalBytes(terms[name], hello[name])) {
      throw new Problem("hello-mismatch", `"${name}" of the hello is not this connection's`);
    }
  }
}

function requireEqual(name: string, expected: string | number, got: string | number): void {
  if (expected === got) return;
  throw new Problem("hello-mismatch", `"${name}" of the hello is wrong`, {
    expected: String(expected),
    got: String(got),
  });
}
