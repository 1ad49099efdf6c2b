import { createPrivateKey, createPublicKey, generateKeyPairSync } from "node:crypto";
import { describe, expect, it } from "vitest";
import { parsePinnedKey } from "../../../firmware-bridge/update/pinned-key.ts";

const KEYS = generateKeyPairSync("ed25519");
const PEM = KEYS.publicKey.export({ format: "pem", type: "spki" }).toString();
const RAW = new Uint8Array(KEYS.publicKey.export({ format: "der", type: "spki" })).slice(-32);

describe("the pinned key's file", () => {
  it.each([
    ["PEM", PEM],
    ["PEM with other line ends and blanks around", `\n ${PEM.replaceAll("\n", "\r\n")} \n`],
    ["hexadecimal digits", Buffer.from(RAW).toString("hex")],
    ["capital ones, with a line end", `${Buffer.from(RAW).toString("hex").toUpperCase()}\n`],
  ])("is read: %s", (_, text) => {
    expect(parsePinnedKey(text, "file")).toEqual(RAW);
  });

  const refused = (text: string): (() => unknown) => {
    return () => parsePinnedKey(text, "file");
  };

  it("is refused where it is the private key, and says how to get the other half", () => {
    const text = KEYS.privateKey.export({ format: "pem", type: "pkcs8" }).toString();
    expect(createPublicKey(createPrivateKey(text)).asymmetricKeyType).toBe("ed25519");
    expect(refused(text)).toThrow(/^file: .*got a PRIVATE KEY; keep that key away.*imgtool getpub -e pem/);
  });

  it.each([
    ["an RSA key", generateKeyPairSync("rsa", { modulusLength: 1024 }).publicKey],
    ["a key for agreement", generateKeyPairSync("x25519").publicKey],
  ])("is refused: %s", (_, key) => {
    const text = key.export({ format: "pem", type: "spki" }).toString();
    expect(refused(text)).toThrow(/got a public key of another kind/);
  });

  it.each(["", "00".repeat(31), "00".repeat(33), PEM.slice(0, 60), `${PEM}${PEM}`, "zz".repeat(32)])(
    "is refused: %j",
    (text) => {
      expect(refused(text)).toThrow(/expected an Ed25519 public key, PEM or 64 hexadecimal digits/);
    },
  );
});
