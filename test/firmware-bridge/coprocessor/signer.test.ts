import { describe, expect, it } from "vitest";
import { openCheckpoint } from "../../../attest/checkpoint.ts";
import { nativeSigner, nativeSuite } from "../../../attest/native.ts";
import { lineSchema } from "../../../drivers/line/address.ts";
import { CoprocessorLines } from "../../../firmware-bridge/coprocessor/lines.ts";
import type { CoprocessorMisbehaviour } from "../../../firmware-bridge/simulated/coprocessor.ts";
import type { GroupHandler } from "../../../firmware-bridge/simulated/smp-server.ts";
import type { SmpMap, SmpValue } from "../../../firmware-bridge/smp/cbor.ts";
import { lineTo } from "../smp/kit.ts";
import { type Bench, bench, driverOf, NOWHERE, OPTIONS, openSigner, PLACE, polled, SEED } from "./kit.ts";
import { DEVICE_OBJECTS, deviceMessages, messageOf } from "./objects.ts";

const own = nativeSigner(SEED);
const messages = await deviceMessages(own);
const message = messages.get("enrolment") ?? new Uint8Array(0);

function opened(misbehaviour: CoprocessorMisbehaviour, more: Parameters<typeof bench>[0] = {}): Bench {
  return bench({ bufferBytes: 256, misbehaviours: [misbehaviour], ...more });
}

describe("a signer in a coprocessor", () => {
  it.each([128, 256, 384, 1_024])(
    "signs what a device signs, with buffers of %i bytes",
    async (bufferBytes) => {
      const { signer, notices } = await openSigner(bench({ bufferBytes }));
      expect(signer.assuranceTier).toBe(2);
      expect(signer.publicKey).toEqual(own.publicKey);
      for (const [name, one] of messages)
        expect(Buffer.from(await signer.sign(one)).toString("hex"), name).toBe(
          Buffer.from(own.sign(one)).toString("hex"),
        );
      expect(notices).toEqual([]);
    },
  );

  it("makes objects that a node opens", async () => {
    const { signer } = await openSigner(bench());
    const checkpoint = (await DEVICE_OBJECTS["checkpoint"]?.(signer)) ?? new Uint8Array(0);
    const expected = { deviceKey: own.publicKey, logId: new Uint8Array(32).fill(1) };
    expect(openCheckpoint(nativeSuite, checkpoint, expected)).toMatchObject({ timeQuality: 4 });
  });

  it("signs while the front end is read on the same line", async () => {
    const place = bench({ bufferBytes: 256 });
    const driver = driverOf(place);
    const meter = polled(driver.open(driver.schema.parse(OPTIONS)));
    const { signer } = await openSigner(place);
    await meter.identify();
    const [signature, snapshot, again] = await Promise.all([
      ...[signer.sign(message), meter.read(), signer.sign(message)],
    ] as const);
    expect(snapshot).toMatchObject({ readings: [{ channel: "grid" }] });
    expect(signature).toEqual(again);
    expect(place.opened()).toBe(1);
  });

  it("verifies what it asked for, whatever becomes of the caller's bytes meanwhile", async () => {
    const { signer } = await openSigner(bench());
    const mine = message.slice();
    const signing = signer.sign(mine);
    mine.fill(0);
    expect(nativeSuite.verifySignature(own.publicKey, message, await signing)).toBe(true);
  });

  it.each<CoprocessorMisbehaviour>(["forgets-message", "short-pieces", "lost-signatures"])(
    "gets its signature all the same: %s",
    async (misbehaviour) => {
      const { signer, notices } = await openSigner(opened(misbehaviour));
      expect(await signer.sign(message)).toEqual(own.sign(message));
      expect(await signer.sign(message)).toEqual(own.sign(message));
      expect(notices).toEqual([]);
    },
  );

  it("goes on after a restart of the microcontroller", async () => {
    const place = bench();
    const { signer, notices } = await openSigner(place);
    await signer.sign(message);
    place.mcu.restart();
    expect(await signer.sign(message)).toEqual(own.sign(message));
    expect(notices).toEqual([]);
  });

  it("goes on after a restart into firmware that takes shorter messages", async () => {
    const [before, after] = [bench({ bufferBytes: 1_024 }), bench({ bufferBytes: 128 })];
    let now = before;
    const lines = new CoprocessorLines(() => lineTo((bytes) => now.mcu.receive(bytes)), {
      timeoutMs: 40,
    });
    const { signer } = await openSigner({ ...before, lines });
    const long = [...messages.values()].reduce((a, b) => (b.length > a.length ? b : a));
    await signer.sign(long);
    now = after;
    await expect(signer.sign(long)).rejects.toMatchObject({ code: "signer-silent" });
    expect(await signer.sign(long)).toEqual(await own.sign(long));
  });

  it("says when somebody else uses the key", async () => {
    const { signer, notices } = await openSigner(opened("used-elsewhere"));
    await signer.sign(message);
    expect(notices).toMatchObject([{ code: "signer-used-elsewhere", detail: { got: "2" } }]);
  });
});

describe("a coprocessor that counts or stands otherwise than it should", () => {
  const bytes = (answer: unknown, fields: Readonly<Record<string, SmpValue>>): SmpMap =>
    new Map([...(answer instanceof Map ? answer : []), ...Object.entries(fields)]);

  it("is told of where it counts no signature", async () => {
    const exchanged = (_command: number, answer: ReturnType<GroupHandler>): SmpMap => bytes(answer, { n: 0 });
    const { signer, notices } = await openSigner(bench({ bufferBytes: 1_024, exchanged }));
    await signer.sign(message);
    expect(notices).toMatchObject([{ code: "signer-used-elsewhere", detail: { got: "0" } }]);
  });

  it("gets each piece again that it does not answer", async () => {
    let asked = 0;
    const { signer } = await openSigner(
      bench({
        bufferBytes: 128,
        exchanged: (command, answer) => {
          const piece = command === 3 && answer instanceof Map && !answer.has("sig");
          asked += piece ? 1 : 0;
          return piece && asked % 2 === 1 ? undefined : answer;
        },
      }),
    );
    expect(await signer.sign(message)).toEqual(own.sign(message));
    expect(asked).toBeGreaterThan(6);
  });

  it("gets no further piece where it has more than it was given", async () => {
    const { signer } = await openSigner(
      bench({
        bufferBytes: 256,
        exchanged: (command, answer) => (command === 3 ? bytes(answer, { off: message.length - 1 }) : answer),
      }),
    );
    await expect(signer.sign(message)).rejects.toMatchObject({
      ...{ code: "signer-refused", cause: { code: "coprocessor-answer" } },
    });
  });

  it.each([
    ["of small order", new Uint8Array(32)],
    ["that is no point", new Uint8Array(32).fill(0xff)],
  ])("is not opened with a key %s", async (_name, pub) => {
    const place = bench({
      exchanged: (command, answer) => (command === 2 ? bytes(answer, { pub }) : answer),
    });
    await expect(openSigner(place)).rejects.toMatchObject({ code: "signer-key" });
  });
});

describe("no signature leaves", () => {
  it.each<[CoprocessorMisbehaviour, string]>([
    ["wrong-signature", "signer-fault"],
    ["other-key", "signer-key-changed"],
    ["silent-signer", "signer-silent"],
    ["takes-nothing", "signer-refused"],
  ])("where the coprocessor misbehaves: %s", async (misbehaviour, code) => {
    const { signer } = await openSigner(opened(misbehaviour));
    await expect(signer.sign(message)).rejects.toMatchObject({ code });
  });

  it("of another board that has not been asked for its name", async () => {
    const board = bench({ misbehaviours: ["other-key"] });
    const { signer, notices } = await openSigner(board);
    // The other board has a count of its own, of which nothing is to be said.
    board.coprocessor.boot += 1;
    board.coprocessor.misbehave("used-elsewhere");
    // Whatever the key, a log's checkpoint may be signed.
    const checkpoint = messages.get("checkpoint") ?? new Uint8Array(0);
    await expect(signer.sign(checkpoint)).rejects.toMatchObject({ code: "signer-key-changed" });
    expect(notices).toEqual([]);
  });

  it("of what is no object of a device", async () => {
    const { signer } = await openSigner(bench());
    const receipt = await messageOf("receipt", own.publicKey);
    for (const one of [receipt, new Uint8Array(32).fill(1)])
      await expect(signer.sign(one)).rejects.toMatchObject({
        code: "signer-refused",
        cause: { code: "coprocessor-not-signable" },
      });
    for (const length of [0, 1_025])
      await expect(signer.sign(new Uint8Array(length))).rejects.toMatchObject({ code: "signer-message" });
  });

  it("after the deadline, however often the line answers", async () => {
    const { signer } = await openSigner(opened("silent-signer"), {
      ...{ deadlineMs: 500, signing: { timeoutMs: 20, signTimeoutMs: 15_000, attempts: 3 } },
    });
    await expect(signer.sign(message)).rejects.toMatchObject({ code: "signer-silent" });
  });

  it("once it is closed", async () => {
    const { signer } = await openSigner(bench());
    await signer.close();
    await signer.close();
    await expect(signer.sign(message)).rejects.toMatchObject({ code: "signer-closed" });
  });
});

describe("no signer opens", () => {
  const other = nativeSigner(new Uint8Array(32).fill(8)).publicKey;
  it.each([
    ["on another key than the known one", {}, { publicKey: other }, "signer-key-changed"],
    ["where the coprocessor has no key", { keyless: true }, {}, "signer-refused"],
    ["where the firmware has no group 64", { groups: false }, {}, "signer-unsupported"],
    ["where it signs less than a device needs", { maxMessageBytes: 512 }, {}, "signer-refused"],
  ] as const)("%s", async (_name, mcu, options, code) => {
    await expect(openSigner(bench(mcu), options)).rejects.toMatchObject({ code });
  });

  it("where nobody answers", async () => {
    const { lines } = bench();
    const line = lines.lease(lineSchema.parse(NOWHERE));
    await expect(openSigner(bench(), { line })).rejects.toMatchObject({ code: "signer-silent" });
  });

  it("and keep the line", async () => {
    const place = bench();
    await expect(openSigner(place, { publicKey: other })).rejects.toThrow();
    await openSigner(place, { line: place.lines.lease(lineSchema.parse(PLACE)) });
    expect(place.opened()).toBe(2);
  });
});
