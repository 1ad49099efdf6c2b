import { randomBytes } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { signEnrolment } from "../../attest/enrolment.ts";
import { codeProof, normaliseEnrolmentCode } from "../../attest/enrolment-code.ts";
import { hmacSha256, nativeSigner, nativeSuite } from "../../attest/native.ts";
import { describeProblem } from "../../attest/problem.ts";
import type { LocalSigner } from "../../attest/signature.ts";
import { type DeskContext, enrolDevice } from "../../network/enrolment/desk.ts";
import { codeKeyOf, newEnrolmentCode } from "../../network/enrolment/one-time-code.ts";
import { makeCode, type Office } from "../../network/enrolment/operator.ts";
import { EnrolmentRecords, type SharedDatabase } from "../../network/enrolment/records.ts";
import { RateLimit } from "../../network/limits/rate-limit.ts";
import { openLogger } from "../../runtime/log.ts";
import { NETWORK, seedOf } from "../kit/device.ts";
import { openStore } from "./fixture.ts";

const NODE = nativeSigner(seedOf(200));
const HOUR_MS = 3_600_000;

/** A node's desk with a clock that the test moves. */
class Desk {
  nowMs = 1_700_000_000_000;
  readonly records: EnrolmentRecords;
  readonly context: DeskContext;
  readonly office: Office;

  constructor(shared: SharedDatabase = openStore(), waiting = { total: 1000, perSource: 1000 }) {
    this.records = new EnrolmentRecords(shared, waiting);
    const nowMs = (): number => this.nowMs;
    const logger = openLogger("node", "silent");
    const wrongCodes = new RateLimit({ periodMs: HOUR_MS / 10, burst: 10, names: 64, nowMs });
    const { records } = this;
    this.context = { network: NETWORK, suite: nativeSuite, signer: NODE, records, wrongCodes, nowMs, logger };
    this.office = { records, suite: nativeSuite, nowMs, logger, dismiss: () => undefined };
  }

  async code(hours: number): Promise<string> {
    return Object(await makeCode(this.office, { label: "", hours })).code;
  }

  /** "enrolled", or the code of the refusal. */
  async ask(signer: LocalSigner, code?: string, source = "192.0.2.1"): Promise<string> {
    const nodeNonce = new Uint8Array(randomBytes(32));
    const statement = await signEnrolment(nativeSuite, signer, {
      ...{ network: NETWORK, nodeKey: NODE.publicKey, nodeNonce, manifestHash: new Uint8Array(32).fill(3) },
      ...{ assuranceTier: 0, softwareVersion: "t", nextKeyHash: new Uint8Array(32).fill(4) },
      recoveryKey: nativeSigner(seedOf(90)).publicKey,
    });
    const proof =
      code === undefined ? {} : { codeProof: codeProof(hmacSha256, nativeSuite, code, statement) };
    const request = { deviceKey: signer.publicKey, nodeNonce, statement, source, ...proof };
    return enrolDevice(this.context, request).then(
      () => "enrolled",
      (thrown: unknown) => describeProblem(thrown).code,
    );
  }

  /** Numbers of the devices that wait, by their seeds. */
  waiting(): number {
    return this.records.counts().waiting;
  }
}

function signerOf(number: number): LocalSigner {
  const seed = new Uint8Array(32);
  new DataView(seed.buffer).setUint32(0, number + 1);
  return nativeSigner(seed);
}

describe("a one-time code", () => {
  it("is 12 characters in groups that stay the same however they are typed", () => {
    const seen = new Set<string>();
    for (let i = 0; i < 500; i++) {
      const code = newEnrolmentCode();
      expect(code).toMatch(/^[0-9A-HJKMNP-TV-Z]{4}(?:-[0-9A-HJKMNP-TV-Z]{4}){2}$/);
      expect(normaliseEnrolmentCode(code)).toBe(code.replaceAll("-", ""));
      expect(codeKeyOf(code.toLowerCase().replaceAll("-", " "))).toEqual(codeKeyOf(code));
      seen.add(code);
    }
    expect(seen.size).toBe(500);
    // Of 6,000 characters every one of the alphabet's 32 comes.
    expect(new Set([...seen].join("")).size).toBe(33);
  });

  it("is worth nothing any more at the very ms of its end", async () => {
    const desk = new Desk();
    const code = await desk.code(2);
    desk.nowMs += 2 * HOUR_MS;
    expect(await desk.ask(signerOf(1), code)).toBe("enrolment-code");
    desk.nowMs -= 1;
    expect(await desk.ask(signerOf(1), code)).toBe("enrolled");
  });

  it("is found among as many as there can be, and no more can be made", async () => {
    const desk = new Desk();
    const codes: string[] = [];
    for (let i = 0; i < 10; i++)
      codes.push(...(await Promise.all(Array.from({ length: 100 }, () => desk.code(2)))));
    await expect(desk.code(2)).rejects.toMatchObject({ code: "enrolment-codes-full" });
    expect(await desk.ask(signerOf(1), codes[617])).toBe("enrolled");
    await desk.code(2);
    desk.nowMs += 8 * 24 * HOUR_MS;
    await desk.code(2);
    expect(desk.records.codes()).toHaveLength(1);
  });

  it("is not stored, only its hash", async () => {
    const store = openStore();
    const desk = new Desk(store);
    const code = normaliseEnrolmentCode(await desk.code(2));
    const [row] = store.database.prepare("SELECT * FROM enrolment_code").all();
    expect(Object.values(Object(row)).map(String).join()).not.toContain(code);
  });
});

describe("wrong codes", () => {
  it("are looked at ten times an hour for one address, and then not even the right one is", async () => {
    const desk = new Desk();
    const code = await desk.code(72);
    const answers: string[] = [];
    for (let i = 0; i < 12; i++) answers.push(await desk.ask(signerOf(i), newEnrolmentCode()));
    expect(answers).toEqual([...Array(10).fill("enrolment-code"), ...Array(2).fill("enrolment-attempts")]);
    expect(await desk.ask(signerOf(1), code)).toBe("enrolment-attempts");
    expect(await desk.ask(signerOf(2), code, "192.0.2.2")).toBe("enrolled");
    desk.nowMs += HOUR_MS / 10;
    expect(await desk.ask(signerOf(3), newEnrolmentCode())).toBe("enrolment-code");
    expect(await desk.ask(signerOf(3), newEnrolmentCode())).toBe("enrolment-attempts");
  });

  it("leave nothing behind once they are too many", async () => {
    const desk = new Desk();
    for (let i = 0; i < 200; i++) await desk.ask(signerOf(i), newEnrolmentCode());
    expect(desk.waiting()).toBe(10);
  });
});

describe("keys that wait", () => {
  it("are the newest ones, each once, however many ask", async () => {
    const desk = new Desk(openStore(), { total: 20, perSource: 1000 });
    for (let i = 0; i < 60; i++) {
      desk.nowMs += 1;
      expect(await desk.ask(signerOf(i), undefined, `192.0.2.${i}`)).toBe("enrolment-waiting");
    }
    desk.nowMs += 1;
    await desk.ask(signerOf(45), undefined, "192.0.2.99");
    expect(desk.waiting()).toBe(20);
    const kept = Array.from({ length: 60 }, (_, i) => i).filter((i) =>
      desk.records.stateOf(signerOf(i).publicKey),
    );
    expect(kept).toEqual(Array.from({ length: 20 }, (_, i) => 40 + i));
    expect(desk.records.record(signerOf(45).publicKey)).toMatchObject({ source: "192.0.2.99" });
  });

  it("of one address push out only each other", async () => {
    const desk = new Desk(openStore(), { total: 1000, perSource: 5 });
    await desk.ask(signerOf(1000), undefined, "198.51.100.7");
    for (let i = 0; i < 50; i++) {
      desk.nowMs += 1;
      await desk.ask(signerOf(i));
    }
    expect(desk.waiting()).toBe(6);
    expect(desk.records.stateOf(signerOf(1000).publicKey)).toBe("waiting");
  });

  it("are not those that the operator has decided on", async () => {
    const desk = new Desk(openStore(), { total: 3, perSource: 3 });
    const [approved, rejected] = [signerOf(500).publicKey, signerOf(501).publicKey];
    await desk.records.decide(approved, { state: "approved", nowMs: 1 });
    await desk.records.decide(rejected, { state: "rejected", nowMs: 1 });
    for (let i = 0; i < 10; i++) await desk.ask(signerOf(i));
    expect(desk.records.counts()).toEqual({ waiting: 3, approved: 1, rejected: 1, enrolled: 0 });
  });
});

describe("what is not durable", () => {
  it("is not handed out, and the code stays good", async () => {
    const store = openStore();
    let broken = false;
    const shared: SharedDatabase = {
      database: store.database,
      write: (change) => (broken ? Promise.reject(new Error("disk full")) : store.write(change)),
    };
    const desk = new Desk(shared);
    const code = await desk.code(2);
    broken = true;
    expect(await desk.ask(signerOf(1), code)).toBe("internal");
    broken = false;
    expect(desk.records.counts().enrolled).toBe(0);
    expect(await desk.ask(signerOf(1), code)).toBe("enrolled");
  });

  it("takes code and enrolment together or neither", async () => {
    const store = openStore();
    const desk = new Desk(store);
    const code = await desk.code(2);
    store.database.exec(
      "CREATE TRIGGER broken BEFORE INSERT ON enrolment BEGIN SELECT RAISE(ABORT, 'broken'); END",
    );
    expect(await desk.ask(signerOf(1), code)).toBe("store-write");
    expect(desk.records.codes()).toHaveLength(1);
    store.database.exec("DROP TRIGGER broken");
    expect(await desk.ask(signerOf(1), code)).toBe("enrolled");
    expect(desk.records.codes()).toHaveLength(0);
  });
});

describe("a mix of devices, codes and decisions", () => {
  const step = fc.oneof(
    fc.record({ kind: fc.constant("ask" as const), device: fc.nat(3), code: fc.option(fc.nat(2)) }),
    fc.record({ kind: fc.constantFrom("approved", "rejected", "remove"), device: fc.nat(3) }),
    fc.record({ kind: fc.constant("code" as const) }),
  );

  it("enrols by a code that nobody has used, or an approval, and in no other way", async () => {
    const store = openStore();
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 25 }), async (steps) => {
        store.database.exec("DELETE FROM enrolment; DELETE FROM enrolment_code");
        const desk = new Desk(store);
        const codes: string[] = [];
        const used = new Set<string>();
        const states = new Map<number, string>();
        for (const each of steps) {
          if (each.kind === "code") codes.push(await desk.code(1));
          else if (each.kind === "ask" && "code" in each) {
            const before = states.get(each.device);
            if (before === "enrolled") continue; // its connection never comes to the desk
            const code = each.code === null ? undefined : codes[each.code];
            const good =
              before === "approved" || (before !== "rejected" && code !== undefined && !used.has(code));
            const answer = await desk.ask(signerOf(each.device), code);
            expect(answer === "enrolled").toBe(good);
            if (good && before !== "approved") used.add(code ?? "");
            if (good) states.set(each.device, "enrolled");
            else if (before === undefined) states.set(each.device, "waiting");
          } else if ("device" in each) await decideOn(desk, states, { kind: each.kind, device: each.device });
        }
        for (let device = 0; device < 4; device++)
          expect(desk.records.stateOf(signerOf(device).publicKey)).toBe(states.get(device));
      }),
      { numRuns: 60 },
    );
  });

  async function decideOn(
    desk: Desk,
    states: Map<number, string>,
    { kind, device }: { readonly kind: string; readonly device: number },
  ): Promise<void> {
    const key = signerOf(device).publicKey;
    if (kind === "approved" || kind === "rejected") {
      const taken = await desk.records.decide(key, { state: kind, nowMs: desk.nowMs });
      expect(taken).toBe(states.get(device) !== "enrolled");
      if (taken) states.set(device, kind);
    } else {
      expect(await desk.records.remove(key)).toBe(states.delete(device));
    }
  }
});
