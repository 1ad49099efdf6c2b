import { describe, expect, it } from "vitest";
import { decodeDlms } from "../../../drivers/dlms/telegram.ts";
import {
  AUTHENTICATION_KEY,
  encipher,
  frame,
  hex,
  join,
  KEY,
  LIST,
  LLC,
  notification,
  problemOf,
} from "./kit.ts";

describe("ciphering", () => {
  const plain = notification(LIST);
  const keys = { key: KEY, authenticationKey: AUTHENTICATION_KEY };
  const sent = encipher(plain);

  it("follows the example of the Green Book", () => {
    // DLMS UA Green Book ed. 7, p. 285, a get-request: its keys, title and counter are the kit's.
    const text = join(sent.subarray(18));
    const example = encipher(hex("c001 00 0008 0000010000ff 02 00"));
    expect(Buffer.from(example.subarray(18)).toString("hex")).toBe(
      "411312ff935a47566827c467bc7d825c3be4a77c3fcc056b6b",
    );
    expect(text.length).toBe(plain.length + 12);
  });

  it("is taken off and its tag verified", () => {
    const { ciphering, ...rest } = decodeDlms(frame(join(hex(LLC), sent)), keys);
    expect(rest).toEqual(decodeDlms(plain));
    expect(ciphering).toEqual({
      systemTitle: "4D4D4D0000BC614E",
      frameCounter: 0x01234567,
      authentication: "verified",
    });
  });

  it("is unverified without the authentication key, and absent where there is no tag", () => {
    expect(decodeDlms(sent, { key: KEY }).ciphering?.authentication).toBe("unverified");
    expect(decodeDlms(encipher(plain, 0x20), keys).ciphering?.authentication).toBe("absent");
    expect(decodeDlms(encipher(plain, 0x21), keys).values).toEqual(decodeDlms(plain).values);
  });

  const wrong = KEY.with(3, 0x77);
  it.each([
    ["no key", sent, {}, "dlms-key-missing"],
    ["a short key", sent, { ...keys, key: KEY.subarray(1) }, "dlms-key"],
    ["a short authentication key", sent, { ...keys, authenticationKey: KEY.subarray(1) }, "dlms-key"],
    ["a wrong key", sent, { ...keys, key: wrong }, "dlms-authentication"],
    ["a wrong authentication key", sent, { ...keys, authenticationKey: wrong }, "dlms-authentication"],
    ["a wrong key and no other", sent, { key: wrong }, "dlms-decrypt"],
    ["AES-256", encipher(plain, 0x32), keys, "dlms-security"],
    ["no encryption", encipher(plain, 0x10), keys, "dlms-security"],
    ["compression", encipher(plain, 0xb0), keys, "dlms-security"],
    ["a byte too many", join(sent, hex("00")), keys, "dlms-trailing"],
    ["a byte too few", sent.subarray(0, -1), keys, "dlms-truncated"],
    ["nothing in it", hex("db 08 4d4d4d0000bc614e 05 30 01234567"), keys, "dlms-truncated"],
    ["a short title", hex("db 03 414243 05 30 01234567"), keys, "dlms-length"],
  ])("with %s is refused, and no key is shown", (_, bytes, given, code) => {
    const problem = problemOf(() => decodeDlms(bytes, given));
    expect(problem.code).toBe(code);
    for (const key of [KEY, AUTHENTICATION_KEY, wrong]) {
      expect(problem.message.toLowerCase()).not.toContain(Buffer.from(key).toString("hex").slice(2, 12));
    }
  });

  it("refuses every changed bit", () => {
    for (let bit = 10 * 8; bit < sent.length * 8; bit += 1) {
      const changed = sent.with(bit >>> 3, (sent[bit >>> 3] ?? 0) ^ (1 << (bit & 7)));
      expect(problemOf(() => decodeDlms(changed, keys)).code).toMatch(/^dlms-/);
    }
  });
});
