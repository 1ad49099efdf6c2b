import { createPublicKey, generateKeyPairSync, sign, verify } from "node:crypto";
import { jwtVerify, SignJWT } from "jose";
import { encodeLeaf } from "../attest/leaf-codec.ts";
import { nativeSuite } from "../attest/native.ts";
import { verifyBatch } from "../attest/stream-verifier.ts";
import { readingLeaf, signedBatch } from "./logs.ts";
import { type Result, results, type Work } from "./measure.ts";

/** Leaves per checkpoint, and of how many channels in turn. */
const BATCHES = [
  [1, 1],
  [12, 1],
  [64, 1],
  [256, 1],
  [1024, 1],
  [1024, 16],
] as const;

/**
 * Verified readings a second on one core: batches of readings under one checkpoint. `verify` holds them against one
 * Ed25519 verification by node:crypto for each reading, `verify-jwt` against one ES256 JWT (RFC 7519) for each.
 */
export async function verifyBench(): Promise<readonly Result[]> {
  const baselines = [signedReadings(), await jwtReadings()] as const;
  const figures: Result[] = [];
  for (const [size, channels] of BATCHES) {
    const { rules, batch } = await signedBatch(size, channels);
    const work = { count: size, run: (): void => void verifyBatch(nativeSuite, rules, batch) };
    const name = channels === 1 ? String(size) : `${size}, ${channels} channels`;
    const what = { name, unit: "readings/s" };
    figures.push(...(await results(["verify", "verify-jwt"], what, [work, ...baselines])));
  }
  return figures;
}

/** The least that a signature per reading costs: the key imported once, nothing decoded. */
function signedReadings(): Work {
  const { privateKey } = generateKeyPairSync("ed25519");
  const publicKey = createPublicKey(privateKey);
  const message = encodeLeaf(readingLeaf(2));
  const signature = sign(null, message, privateKey);
  return {
    count: 8,
    run: () => {
      for (let i = 0; i < 8; i++) verify(null, message, publicKey, signature);
    },
  };
}

/** The same reading as claims of a token, one after another: the key imported once, the claims parsed. */
async function jwtReadings(): Promise<Work> {
  const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const { seq, timeMs, channel, importMwh, exportMwh, activePowerMw } = readingLeaf(2);
  const claims = { seq, timeMs, channel, importMwh, exportMwh, activePowerMw };
  const token = await new SignJWT(claims).setProtectedHeader({ alg: "ES256" }).sign(privateKey);
  return {
    count: 8,
    run: async () => {
      for (let i = 0; i < 8; i++) await jwtVerify(token, publicKey, { algorithms: ["ES256"] });
    },
  };
}
