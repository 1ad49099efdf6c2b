import { describe, expect, it } from "vitest";
import { toHex } from "../../attest/bytes.ts";
import { DECISIONS, openCountersignature } from "../../attest/countersignature.ts";
import { enrolledKey } from "../../attest/enrolled-key.ts";
import { nativeSigner, nativeSuite } from "../../attest/native.ts";
import { newEnrolmentCode } from "../../network/enrolment/one-time-code.ts";
import { Client, FakeDevice, seedOf } from "../kit/device.ts";
import { askToEnrol, enrollingNode, newCode, operate, refusalWith } from "./enrolment-kit.ts";
import { runNode, temporaryFolder } from "./fixture.ts";

const one = nativeSigner(seedOf(1));
const other = nativeSigner(seedOf(2));
const KEY = toHex(one.publicKey);

/** What the node's tables hold of enrolling. */
async function held(node: Awaited<ReturnType<typeof enrollingNode>>): Promise<unknown> {
  const { counts } = Object(await operate(node, "/enrolments"));
  const { codes } = Object(await operate(node, "/enrolment-codes"));
  return { ...counts, codes: codes.length };
}

describe("a device with a one-time code", () => {
  it("is enrolled, gets a countersignature that a stranger can check, and streams", async () => {
    const node = await enrollingNode();
    const code = await newCode(node, { label: "roof of number 7" });
    const before = Date.now();
    const { client, statement, answer } = await askToEnrol(node, one, { code: code.toLowerCase() });
    if (answer.type !== "welcome" || answer.countersignature === undefined) throw new Error(answer.type);
    const { countersignature } = answer;
    const opened = openCountersignature(nativeSuite, countersignature, { statement, nodeKey: node.nodeKey });
    expect(opened.countersignature).toMatchObject({ decision: DECISIONS.accepted, deviceKey: one.publicKey });
    expect(opened.countersignature.decidedAtMs).toBeGreaterThanOrEqual(before);
    const record = { statement, countersignature };
    expect(enrolledKey(nativeSuite, record, [node.nodeKey]).deviceKey).toEqual(one.publicKey);
    const batch = await new FakeDevice().open().read(5).batch();
    expect((await client.ask(batch)).type).toBe("receipt");
    expect(await held(node)).toEqual({ waiting: 0, approved: 0, rejected: 0, enrolled: 1, codes: 0 });
    expect(await operate(node, `/enrolments/${KEY}`)).toMatchObject({
      ...{ state: "enrolled", label: "roof of number 7", source: "127.0.0.1" },
      ...{ statement: toHex(statement), countersignature: toHex(countersignature) },
      says: { assuranceTier: 0, softwareVersion: "test 1" },
    });
  });

  it("goes on as before once it is enrolled, also after the node has been restarted", async () => {
    const folder = temporaryFolder();
    const first = await enrollingNode(folder);
    await askToEnrol(first, one, { code: await newCode(first) });
    expect((await Client.greeted(first.wsUrl, one)).welcome).toEqual({ type: "welcome" });
    await first.close();
    const second = await enrollingNode(folder);
    expect((await Client.greeted(second.wsUrl, one)).welcome).toEqual({ type: "welcome" });
  });

  it("uses the code up: a second device does not get in with it, nor does a restart bring it back", async () => {
    const folder = temporaryFolder();
    const first = await enrollingNode(folder);
    const code = await newCode(first);
    expect((await askToEnrol(first, one, { code })).answer.type).toBe("welcome");
    expect(await refusalWith(first, other, { code })).toBe("enrolment-code");
    await first.close();
    const second = await enrollingNode(folder);
    expect(await refusalWith(second, other, { code })).toBe("enrolment-code");
    expect(await held(second)).toMatchObject({ enrolled: 1, waiting: 1 });
  });

  it("is one of two that come with the same code at the same time", async () => {
    const node = await enrollingNode();
    const code = await newCode(node);
    const signers = [1, 2, 3, 4, 5, 6].map((number) => nativeSigner(seedOf(number)));
    const asked = await Promise.all(signers.map((signer) => askToEnrol(node, signer, { code })));
    expect(asked.filter(({ answer }) => answer.type === "welcome")).toHaveLength(1);
    expect(await held(node)).toMatchObject({ enrolled: 1, codes: 0 });
  });

  it("is refused with a wrong code and may then be approved by hand", async () => {
    const node = await enrollingNode();
    await newCode(node);
    expect(await refusalWith(node, one, { code: newEnrolmentCode() })).toBe("enrolment-code");
    expect(await held(node)).toMatchObject({ waiting: 1, enrolled: 0, codes: 1 });
    await operate(node, `/enrolments/${KEY}/approve`, { method: "POST" });
    expect((await askToEnrol(node, one)).answer.type).toBe("welcome");
  });

  it("is refused with a code that was removed", async () => {
    const node = await enrollingNode();
    const code = await newCode(node);
    await operate(node, "/enrolment-codes/1", { method: "DELETE" });
    expect(await refusalWith(node, one, { code })).toBe("enrolment-code");
    await operate(node, "/enrolment-codes/1", { method: "DELETE", status: 404 });
  });
});

describe("a device without a code", () => {
  it("waits, is approved, and is enrolled when it next connects", async () => {
    const node = await enrollingNode();
    expect(await refusalWith(node, one)).toBe("enrolment-waiting");
    expect(await refusalWith(node, one)).toBe("enrolment-waiting");
    const { enrolments } = Object(await operate(node, "/enrolments?state=waiting"));
    expect(enrolments).toMatchObject([{ key: KEY, state: "waiting", says: { softwareVersion: "test 1" } }]);
    await operate(node, `/enrolments/${KEY}/approve`, { method: "POST", body: { label: "shed" } });
    const { statement, answer } = await askToEnrol(node, one);
    if (answer.type !== "welcome" || answer.countersignature === undefined) throw new Error(answer.type);
    openCountersignature(nativeSuite, answer.countersignature, { statement, nodeKey: node.nodeKey });
    expect(await operate(node, `/enrolments/${KEY}`)).toMatchObject({ state: "enrolled", label: "shed" });
  });

  it("may be approved before it asks for the first time", async () => {
    const node = await enrollingNode();
    await operate(node, `/enrolments/${KEY}/approve`, { method: "POST" });
    expect((await askToEnrol(node, one)).answer.type).toBe("welcome");
    expect(await refusalWith(node, other)).toBe("enrolment-waiting");
  });

  it("is turned away once it is rejected, until the operator forgets it", async () => {
    const node = await enrollingNode();
    await refusalWith(node, one);
    await operate(node, `/enrolments/${KEY}/reject`, { method: "POST" });
    expect(await refusalWith(node, one, { code: await newCode(node) })).toBe("enrolment-rejected");
    expect(await held(node)).toMatchObject({ rejected: 1, codes: 1 });
    await operate(node, `/enrolments/${KEY}`, { method: "DELETE" });
    expect(await refusalWith(node, one)).toBe("enrolment-waiting");
  });
});

describe("an enrolled device", () => {
  it("is closed when the operator removes it, and has to ask anew", async () => {
    const node = await enrollingNode();
    const { client } = await askToEnrol(node, one, { code: await newCode(node) });
    await operate(node, `/enrolments/${KEY}/approve`, { method: "POST", status: 409 });
    await operate(node, `/enrolments/${KEY}/reject`, { method: "POST", status: 409 });
    await operate(node, `/enrolments/${KEY}`, { method: "DELETE" });
    expect(await client.next()).toMatchObject({ type: "refusal", code: "device-unknown" });
    expect(await refusalWith(node, one)).toBe("enrolment-waiting");
    await operate(node, `/enrolments/${"0".repeat(64)}`, { method: "DELETE", status: 404 });
  });

  it("stays when the configuration goes from open to enrolled, and others are closed", async () => {
    const folder = temporaryFolder();
    const node = await enrollingNode(folder);
    await askToEnrol(node, one, { code: await newCode(node) });
    node.admit("open");
    const [enrolled, stranger] = [
      await Client.greeted(node.wsUrl, one),
      await Client.greeted(node.wsUrl, other),
    ];
    expect(stranger.welcome.type).toBe("welcome");
    node.admit("enrolled");
    expect(await stranger.client.next()).toMatchObject({ type: "refusal", code: "device-unknown" });
    expect((await enrolled.client.ask(await new FakeDevice().open().batch())).type).toBe("receipt");
  });
});

describe("what a device says when it asks to be enrolled", () => {
  const changed = new Uint8Array(32).fill(9);

  it.each([
    ["another network", { network: "another" }, "enrolment-network"],
    ["another node", { nodeKey: other.publicKey }, "enrolment-node-key"],
    ["another nonce", { nodeNonce: changed }, "enrolment-nonce"],
  ] as const)("is refused when it names %s, and leaves nothing behind", async (_name, changes, code) => {
    const node = await enrollingNode();
    const oneTime = await newCode(node);
    expect(await refusalWith(node, one, { changes, code: oneTime })).toBe(code);
    expect(await held(node)).toEqual({ waiting: 0, approved: 0, rejected: 0, enrolled: 0, codes: 1 });
  });

  it("is refused when another key has signed it", async () => {
    const node = await enrollingNode();
    const { client, nodeKey } = await Client.greeted(node.wsUrl, one);
    const thief = await askToEnrol(node, other, { code: await newCode(node) });
    const answer = await client.ask({ type: "enrolment", statement: thief.statement });
    expect(answer).toMatchObject({ type: "refusal", code: "enrolment-device-key" });
    expect(nodeKey).toEqual(node.nodeKey);
  });

  it.each(["batch", "live", "frame", "deviceHello"] as const)("must not be %s", async (type) => {
    const node = await enrollingNode();
    const { client, welcome } = await Client.greeted(node.wsUrl, one);
    expect(welcome.type).toBe("enrolmentRequest");
    const messages = {
      batch: await new FakeDevice().open().batch(),
      live: { type: "live", channel: "grid", atMs: 1 },
      frame: { type: "frame", digest: new Uint8Array(16) },
      deviceHello: { type: "deviceHello", hello: new Uint8Array(5) },
    } as const;
    expect(await client.ask(messages[type])).toMatchObject({ type: "refusal", code: "message-unexpected" });
  });

  it("is refused at a node that takes whom it lists", async () => {
    const node = await runNode(temporaryFolder(), { devices: [KEY] });
    const { client, welcome } = await Client.greeted(node.wsUrl, one);
    expect(welcome).toEqual({ type: "welcome" });
    const answer = await client.ask({ type: "enrolment", statement: new Uint8Array(5) });
    expect(answer).toMatchObject({ type: "refusal", code: "message-unexpected" });
  });
});
