import { createHash, createHmac } from "node:crypto";
import { chmodSync, existsSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { Enroller, type EnrollingNode } from "../../agent/identity/enroller.ts";
import { enrolmentPath, readEnrolment } from "../../agent/identity/enrolment-record.ts";
import { equalBytes, toHex } from "../../attest/bytes.ts";
import { DECISIONS } from "../../attest/countersignature.ts";
import { enrolledKey } from "../../attest/enrolled-key.ts";
import { checkEnrolment, type Enrolment, openEnrolment } from "../../attest/enrolment.ts";
import { nativeSigner, nativeSuite } from "../../attest/native.ts";
import { readKey } from "../../runtime/key-file.ts";
import type { FakeNode, Peer, Script } from "./fake-node.ts";
import { deviceSigner, NETWORK, recordingLogger } from "./kit.ts";
import { type Connected, sent, until, useUplinkBench } from "./uplink-kit.ts";

const CODE = "0R5T8WXY4ZAB";
const OWNER = toHex(nativeSigner(new Uint8Array(32).fill(31)).publicKey);

describe("enrolment of a device", () => {
  const on = useUplinkBench();

  function path(name: string): string {
    return join(on().folder, name);
  }

  interface Asking extends Partial<EnrollingNode> {
    readonly recoveryKey?: string;
    readonly firstWaitMs?: number;
  }

  /** An uplink that enrols as the agent's does. */
  function connect(node: FakeNode, { recoveryKey, firstWaitMs = 1, ...asking }: Asking = {}): Connected {
    const recording = recordingLogger();
    const { bench } = on();
    const enroller = new Enroller({
      ...{ network: NETWORK, signer: deviceSigner, assuranceTier: 0, softwareVersion: "1.2.3" },
      ...{ keyPath: path("key"), journalPath: path("journal.sqlite"), logger: recording.logger },
      ...(recoveryKey === undefined ? {} : { recoveryKey }),
      manifestHash: () => bench.sealer.rules.manifestHash,
    });
    const to = { url: node.url, key: node.signer.publicKey, ...asking };
    return on().connect(
      node,
      { firstWaitMs },
      {
        recording,
        enrol: (nonce) => enroller.answer(to, nonce),
        enrolled: (_key, record) => enroller.enrolled(to, record),
      },
    );
  }

  function asking(script: Omit<Script, "asks"> = {}): Promise<FakeNode> {
    return on().startNode({ asks: () => true, ...script });
  }

  function record(node: FakeNode): string {
    return enrolmentPath(path("journal.sqlite"), node.signer.publicKey);
  }

  /** The first statement, checked by all that the node knows. */
  async function statement(node: FakeNode, number = 0): Promise<Enrolment> {
    const peer = await until("a statement", () => node.peers.filter((one) => one.enrolments.length)[number]);
    return checkEnrolment(nativeSuite, peer.enrolments[0]?.statement ?? new Uint8Array(0), {
      ...{ network: NETWORK, deviceKey: deviceSigner.publicKey },
      ...{ nodeKey: node.signer.publicKey, nodeNonce: peer.nonce },
      manifestHash: on().bench.sealer.rules.manifestHash,
    });
  }

  it("answers the node's nonce, keeps the node's answer, and streams", async () => {
    const node = await asking();
    const size = await on().sign(5);
    const { lines, receipted, problems } = connect(node);
    await until("a receipt", () => receipted.includes(size));
    expect(await statement(node)).toMatchObject({ assuranceTier: 0, softwareVersion: "1.2.3" });
    expect(node.peers[0]?.enrolments[0]?.codeProof).toBeUndefined();
    const kept = enrolledKey(nativeSuite, readEnrolment(record(node)), [node.signer.publicKey]);
    expect(toHex(kept.deviceKey)).toBe(toHex(deviceSigner.publicKey));
    expect(statSync(record(node)).mode & 0o777).toBe(0o600);
    expect(lines.find(({ event }) => event === "enrolled")).toMatchObject({ file: record(node) });
    expect(sent(node.batches)).toBe(on().own(0, size));
    expect(problems()).toEqual([]);
  });

  it("binds itself to a next key that lies beside its own, always the same", async () => {
    const node = await asking();
    const { uplink } = connect(node);
    const first = await statement(node);
    const next = nativeSigner(readKey(path("key.next")).seed).publicKey;
    expect(toHex(first.nextKeyHash)).toBe(createHash("sha256").update(next).digest("hex"));
    expect(statSync(path("key.next")).mode & 0o777).toBe(0o600);
    uplink.restart();
    const again = await statement(node, 1);
    expect(toHex(again.nextKeyHash)).toBe(toHex(first.nextKeyHash));
    expect(toHex(again.recoveryKey)).toBe(toHex(first.recoveryKey));
    expect(toHex(again.nodeNonce)).not.toBe(toHex(first.nodeNonce));
  });

  it("makes a recovery key once, says loudly where it is, and needs it no more", async () => {
    const node = await asking();
    const { uplink, lines } = connect(node);
    const first = await statement(node);
    const made = (): unknown[] => lines.filter(({ event }) => event === "recovery-key-made");
    const { publicKey } = nativeSigner(readKey(path("key.recovery")).seed);
    expect(toHex(first.recoveryKey)).toBe(toHex(publicKey));
    expect(statSync(path("key.recovery")).mode & 0o777).toBe(0o600);
    expect(made()).toEqual([
      expect.objectContaining({
        file: path("key.recovery"),
        recoveryKey: toHex(publicKey),
        hint: expect.stringContaining("away from the gateway"),
      }),
    ]);
    // The owner does as told.
    rmSync(path("key.recovery"));
    uplink.restart();
    expect(toHex((await statement(node, 1)).recoveryKey)).toBe(toHex(publicKey));
    expect(existsSync(path("key.recovery"))).toBe(false);
    expect(made()).toHaveLength(1);
  });

  it("makes none where the configuration names one", async () => {
    const node = await asking();
    connect(node, { recoveryKey: OWNER });
    expect(toHex((await statement(node)).recoveryKey)).toBe(OWNER);
    expect(existsSync(path("key.recovery"))).toBe(false);
    expect(existsSync(path("key.recovery.pub"))).toBe(false);
  });

  it("refuses a recovery key that is its own", async () => {
    const node = await asking();
    const { problems } = connect(node, { recoveryKey: toHex(deviceSigner.publicKey) });
    await until("a problem", () => problems().length);
    expect(problems()).toEqual(["enrolment-recovery-key"]);
    expect(node.peers[0]?.enrolments).toEqual([]);
  });

  describe("with a one-time code", () => {
    function proofBy(node: FakeNode, number = 0): string {
      const peer = node.peers.filter((one) => one.enrolments.length > 0)[number];
      return toHex(peer?.enrolments[0]?.codeProof ?? new Uint8Array(0));
    }

    function expectedProof(node: FakeNode, number = 0): string {
      const bytes = node.peers.filter((one) => one.enrolments.length > 0)[number]?.enrolments[0]?.statement;
      const sha256 = (data: Uint8Array | string): Buffer => createHash("sha256").update(data).digest();
      return createHmac("sha256", sha256(CODE))
        .update(sha256(bytes ?? ""))
        .digest("hex");
    }

    it("shows that it has it, from a file or handed over", async () => {
      writeFileSync(path("code"), "or5t-8wxy-4zab\n", { mode: 0o600 });
      for (const how of [{ codeFile: path("code") }, { code: CODE }]) {
        const node = await asking();
        connect(node, how);
        await statement(node);
        expect(proofBy(node)).toBe(expectedProof(node));
      }
    });

    it("takes a corrected file without a restart, and repeats nothing of what is in it", async () => {
      const node = await asking();
      const { problems, lines } = connect(node, { codeFile: path("code") });
      const problem = (count: number): Promise<unknown> =>
        until(`problem ${count}`, () => problems()[count - 1]);
      expect(await problem(1)).toBe("enrolment-code-file");
      writeFileSync(path("code"), "0R5T-8WXY", { mode: 0o600 });
      expect(await problem(2)).toBe("enrolment-code-format");
      writeFileSync(path("code"), CODE);
      chmodSync(path("code"), 0o644);
      expect(await problem(3)).toBe("enrolment-code-file");
      expect(JSON.stringify(lines)).toContain(path("code"));
      expect(JSON.stringify(lines)).not.toMatch(/[0O]R5T/i);
      expect(node.peers.flatMap(({ enrolments }) => enrolments)).toEqual([]);
      chmodSync(path("code"), 0o600);
      await statement(node);
      expect(proofBy(node)).toBe(expectedProof(node));
    });
  });

  describe("that the node does not grant yet", () => {
    it.each([
      ["enrolment-waiting", `ask the node's operator to approve key ${toHex(deviceSigner.publicKey)}`],
      ["enrolment-code", "ask the node's operator for a new one-time code"],
      ["enrolment-rejected", `approve key ${toHex(deviceSigner.publicKey)}`],
    ])("says what to do about %s, once, and tries until it is granted", async (code, hint) => {
      let granted = false;
      const node: FakeNode = await asking({
        enrolment: async (peer, message) => {
          if (granted) return node.enrol(peer, message);
          peer.send({ type: "refusal", code, message: "not yet" });
          peer.socket.close(1008, code);
        },
      });
      const size = await on().sign(2);
      const { lines, problems, receipted, uplink } = connect(node);
      await until("many attempts", () => node.peers.length > 5);
      expect(problems()).toEqual([`node-refused:${code}`]);
      expect(lines.find(({ event }) => event === "node-problem")?.["message"]).toContain(hint);
      expect(lines.filter(({ event }) => event === "node-disconnected")).toEqual([]);
      expect(uplink.status).toMatchObject({ connected: false, problem: expect.stringContaining(hint) });
      granted = true;
      await until("a receipt", () => receipted.includes(size));
      expect(existsSync(record(node))).toBe(true);
    });

    it("waits longer each time", async () => {
      const node = await asking({
        enrolment: (peer) => {
          peer.send({ type: "refusal", code: "enrolment-waiting", message: "not yet" });
          peer.socket.close(1008);
        },
      });
      on().connect(
        node,
        { firstWaitMs: 20, mostWaitMs: 60_000 },
        { enrol: async () => ({ type: "enrolment", statement: new Uint8Array(1) }) },
      );
      await until("five attempts", () => node.peers.length >= 5);
      const [first, , , , fifth] = node.peers;
      // 20, 40, 80 and 160 ms at the least.
      expect((fifth?.atMs ?? 0) - (first?.atMs ?? 0)).toBeGreaterThanOrEqual(295);
    });
  });

  describe("by a node that lies", () => {
    const stranger = nativeSigner(new Uint8Array(32).fill(77));

    it.each<[string, string | RegExp, (node: FakeNode, peer: Peer, own: Uint8Array) => Promise<void>]>([
      [
        "says nothing of the statement",
        "enrolment-unanswered",
        async (_node, peer) => peer.send({ type: "welcome" }),
      ],
      [
        "signed that it declines",
        "enrolment-declined",
        async (node, peer, own) =>
          peer.send({ type: "welcome", countersignature: await node.countersign(own, DECISIONS.refused) }),
      ],
      [
        "countersigned another statement",
        "countersignature-statement",
        async (node, peer) => {
          const other = node.peers.find(({ number }) => number !== peer.number)?.enrolments[0];
          if (other === undefined) return peer.socket.terminate();
          peer.send({ type: "welcome", countersignature: await node.countersign(other.statement) });
        },
      ],
      [
        "had another node countersign",
        /^cose-/,
        async (node, peer, own) => {
          const countersignature = await node.countersign(own);
          const last = countersignature.length - 1;
          countersignature[last] = (countersignature[last] ?? 0) ^ 1;
          peer.send({ type: "welcome", countersignature });
        },
      ],
      [
        "asks again and again",
        "handshake-order",
        async (_node, peer) => peer.send({ type: "enrolmentRequest", nonce: peer.nonce }),
      ],
    ])("because it %s", async (_name, code, lie) => {
      await on().sign(2);
      const node: FakeNode = await asking({ enrolment: (peer, { statement: own }) => lie(node, peer, own) });
      const { problems } = connect(node);
      await until("a problem", () => problems().length);
      expect(problems()[0]).toMatch(code);
      expect(existsSync(record(node))).toBe(false);
      expect(node.batches).toEqual([]);
    });

    it("is told nothing before it has proven its key", async () => {
      const node = await on().startNode({
        key: stranger,
        opened: (peer) => peer.send({ type: "enrolmentRequest", nonce: new Uint8Array(32) }),
      });
      const { problems } = connect(node);
      await until("a problem", () => problems().length);
      expect(problems()[0]).toBe("handshake-order");
      expect(node.peers[0]?.types).toEqual(["open"]);
    });

    it("can do nothing with a countersignature that nobody asked for", async () => {
      const unasked = openable();
      const node = await on().startNode({ welcome: () => ({ countersignature: unasked }) });
      const size = await on().sign(2);
      const { receipted, problems } = connect(node);
      await until("a receipt", () => receipted.includes(size));
      expect(existsSync(record(node))).toBe(false);
      expect(problems()).toEqual([]);
    });
  });

  it("enrols again at a node that has forgotten it, and keeps the newer answer", async () => {
    const node = await asking();
    const { uplink, lines } = connect(node);
    const enrolments = (): number => lines.filter(({ event }) => event === "enrolled").length;
    await until("the first", () => enrolments() === 1);
    const before = readEnrolment(record(node));
    uplink.restart();
    await until("the second", () => enrolments() === 2);
    const after = readEnrolment(record(node));
    expect(equalBytes(before.statement, after.statement)).toBe(false);
    expect(toHex(openEnrolment(nativeSuite, after.statement).nodeNonce)).toBe(
      toHex(node.peers[1]?.nonce ?? new Uint8Array(0)),
    );
  });

  it("streams although its record cannot be kept, and says so", async () => {
    const node = await asking();
    // A file where the folder should be.
    writeFileSync(`${path("journal.sqlite")}.enrolments`, "");
    const size = await on().sign(2);
    const { receipted, lines } = connect(node);
    await until("a receipt", () => receipted.includes(size));
    expect(lines.filter(({ event }) => event === "enrolment-not-kept")).toHaveLength(1);
  });

  it("goes on with the recovery key after a power cut between its two files", async () => {
    const node = await asking();
    connect(node);
    const first = await statement(node);
    rmSync(path("key.recovery.pub"));
    const other = await asking();
    connect(other);
    expect(toHex((await statement(other)).recoveryKey)).toBe(toHex(first.recoveryKey));
    writeFileSync(path("key.recovery.pub"), "not a key\n");
    const third = await asking();
    const { problems } = connect(third);
    await until("a problem", () => problems().length);
    expect(problems()).toEqual(["recovery-key-format"]);
    expect(readFileSync(path("key.recovery.pub"), "utf8")).toBe("not a key\n");
  });
});

/** Bytes that stand where a countersignature would. */
function openable(): Uint8Array {
  return new Uint8Array(64).fill(1);
}
