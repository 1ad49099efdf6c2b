import { chmodSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "vitest";
import { z } from "zod";
import { type Enrolment, signEnrolment } from "../../attest/enrolment.ts";
import { codeProof } from "../../attest/enrolment-code.ts";
import type { Message } from "../../attest/messages.ts";
import { hmacSha256, nativeSigner, nativeSuite } from "../../attest/native.ts";
import type { LocalSigner } from "../../attest/signature.ts";
import type { NodeConfig } from "../../network/config.ts";
import type { RunningNode } from "../../network/node.ts";
import { Client, NETWORK, seedOf } from "../kit/device.ts";
import { runNode, temporaryFolder } from "./fixture.ts";

export const READ_TOKEN: string = "r".repeat(32);
export const OPERATE_TOKEN: string = "o".repeat(32);

/** A token file with one token of each kind. */
export function tokenFile(
  folder: string,
  text: string = `read ${READ_TOKEN}\noperate ${OPERATE_TOKEN}\n`,
): string {
  const path = join(folder, "tokens");
  writeFileSync(path, text);
  chmodSync(path, 0o600);
  return path;
}

/** A node that takes enrolled devices only. */
export function enrollingNode(
  folder: string = temporaryFolder(),
  changes: Partial<NodeConfig> = {},
): Promise<RunningNode> {
  const http = { host: "127.0.0.1", port: 0, tokens: tokenFile(folder) };
  return runNode(folder, { devices: "enrolled", http, ...changes });
}

/** A question or a command with the operator's token; the answer must have that status. */
export async function operate(
  node: RunningNode,
  path: string,
  {
    method = "GET",
    body,
    status = 200,
  }: { readonly method?: string; readonly body?: object; readonly status?: number } = {},
): Promise<unknown> {
  const response = await fetch(`${node.httpUrl}${path}`, {
    method,
    headers: { authorization: `Bearer ${OPERATE_TOKEN}` },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const answer: unknown = await response.json();
  expect([response.status, answer]).toEqual([status, expect.anything()]);
  return answer;
}

/** A fresh one-time code. */
export async function newCode(node: RunningNode, body: object = {}): Promise<string> {
  const answer = await operate(node, "/enrolment-codes", { method: "POST", body, status: 201 });
  return z.object({ code: z.string() }).parse(answer).code;
}

export interface Asked {
  readonly client: Client;
  readonly statement: Uint8Array;
  readonly answer: Message;
}

/** Connects, proves the key, and asks to be enrolled; `changes` are to the statement's terms. */
export async function askToEnrol(
  node: RunningNode,
  signer: LocalSigner,
  { code, changes = {} }: { readonly code?: string; readonly changes?: Partial<Enrolment> } = {},
): Promise<Asked> {
  const { client, welcome, nodeKey } = await Client.greeted(node.wsUrl, signer);
  if (welcome.type !== "enrolmentRequest") return { client, statement: new Uint8Array(0), answer: welcome };
  const statement = await signEnrolment(nativeSuite, signer, {
    ...{ network: NETWORK, nodeKey, nodeNonce: welcome.nonce, manifestHash: new Uint8Array(32).fill(3) },
    ...{ assuranceTier: 0, softwareVersion: "test 1", nextKeyHash: new Uint8Array(32).fill(4) },
    recoveryKey: nativeSigner(seedOf(90)).publicKey,
    ...changes,
  });
  const proof = code === undefined ? {} : { codeProof: codeProof(hmacSha256, nativeSuite, code, statement) };
  return { client, statement, answer: await client.ask({ type: "enrolment", statement, ...proof }) };
}

/** The code of the refusal that asking to be enrolled ends with. */
export async function refusalWith(
  node: RunningNode,
  signer: LocalSigner,
  how: Parameters<typeof askToEnrol>[2] = {},
): Promise<string> {
  const { client, answer } = await askToEnrol(node, signer, how);
  await client.closed;
  return answer.type === "refusal" ? answer.code : `not refused: ${answer.type}`;
}
