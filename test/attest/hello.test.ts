import { describe, expect, it } from "vitest";
import { signObject } from "../../attest/cose.ts";
import { checkHello, type HelloRole, type HelloTerms, signHello } from "../../attest/hello.ts";
import { nativeSuite } from "../../attest/native.ts";
import { portableSuite } from "../../attest/portable.ts";
import { testSigner } from "../kit/log-builder.ts";
import { flippedBits, problemOf, refusalOf } from "./refusal.ts";

const device = testSigner(1);
const node = testSigner(2);
const terms: HelloTerms = {
  network: "test-network",
  deviceKey: device.publicKey,
  nodeKey: node.publicKey,
  deviceNonce: new Uint8Array(32).fill(3),
  nodeNonce: new Uint8Array(32).fill(4),
};
const signerOf = { device, node };
const roles: HelloRole[] = ["device", "node"];

describe.each(roles)("the hello of a %s", (role) => {
  const signed = (changes: Partial<HelloTerms> = {}): Promise<Uint8Array> =>
    signHello(signerOf[role], role, { ...terms, ...changes });

  it("is taken on the terms that it was signed on, with both suites", async () => {
    const bytes = await signed();
    for (const suite of [nativeSuite, portableSuite])
      expect(refusalOf(() => checkHello(suite, bytes, { role, terms }))).toBeUndefined();
  });

  it.each(Object.keys(terms) as (keyof HelloTerms)[])(
    "is refused when its %s is another one",
    async (name) => {
      const other = name === "network" ? "other-network" : new Uint8Array(32).fill(9);
      const bytes = await signed({ [name]: other });
      const problem = problemOf(() => checkHello(nativeSuite, bytes, { role, terms }));
      expect(problem.code).toBe("hello-mismatch");
      expect(problem.message).toContain(name);
    },
  );

  it("is refused for the other role, so that nothing can be sent back to who signed it", async () => {
    const other = role === "device" ? "node" : "device";
    const bytes = await signed();
    expect(refusalOf(() => checkHello(nativeSuite, bytes, { role: other, terms }))).toBe("cose-kid");
    // Even where both ends have one key, the role inside tells them apart.
    const oneKey = { ...terms, deviceKey: signerOf[role].publicKey, nodeKey: signerOf[role].publicKey };
    const reflected = await signed(oneKey);
    expect(
      problemOf(() => checkHello(nativeSuite, reflected, { role: other, terms: oneKey })).message,
    ).toContain("role");
  });

  it("is refused under another signer and as another object", async () => {
    const bytes = await signHello(testSigner(7), role, terms);
    expect(refusalOf(() => checkHello(nativeSuite, bytes, { role, terms }))).toBe("cose-kid");
    const receipt = await signObject(signerOf[role], {
      type: "receipt",
      kid: signerOf[role].publicKey,
      payload: new Map(),
    });
    expect(refusalOf(() => checkHello(nativeSuite, receipt, { role, terms }))).toBe("cose-type");
  });

  it("is refused in another version of the stream", async () => {
    const payload = new Map<number, number | string | Uint8Array>([
      [1, role === "device" ? 1 : 2],
      [2, terms.network],
      [3, terms.deviceKey],
      [4, terms.nodeKey],
      [5, terms.deviceNonce],
      [6, terms.nodeNonce],
    ]);
    const sign = (version: number): Promise<Uint8Array> =>
      signObject(signerOf[role], {
        type: "hello",
        kid: signerOf[role].publicKey,
        payload: new Map([...payload, [7, version]]),
      });
    const [now, next] = [await sign(1), await sign(2)];
    expect(refusalOf(() => checkHello(nativeSuite, now, { role, terms }))).toBeUndefined();
    expect(problemOf(() => checkHello(nativeSuite, next, { role, terms })).message).toContain("version");
  });

  it("is refused with any single bit flipped", async () => {
    for (const flipped of flippedBits(await signed()))
      expect(refusalOf(() => checkHello(nativeSuite, flipped, { role, terms }))).toBeDefined();
  });
});
