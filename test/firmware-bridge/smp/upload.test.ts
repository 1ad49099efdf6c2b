import { describe, expect, it } from "vitest";
import type { MicrocontrollerMisbehaviour } from "../../../firmware-bridge/simulated/microcontroller.ts";
import { SmpServer } from "../../../firmware-bridge/simulated/smp-server.ts";
import { decodeSmpMap, smpMap } from "../../../firmware-bridge/smp/cbor.ts";
import { SmpConnection } from "../../../firmware-bridge/smp/connection.ts";
import { encodeConsoleFrame } from "../../../firmware-bridge/smp/console-frame.ts";
import { listImages } from "../../../firmware-bridge/smp/image-group.ts";
import { decodeMessage, encodeMessage } from "../../../firmware-bridge/smp/message.ts";
import { learnParameters } from "../../../firmware-bridge/smp/os-group.ts";
import {
  type UploadOptions,
  type UploadProgress,
  type UploadResult,
  uploadImage,
} from "../../../firmware-bridge/smp/upload.ts";
import { closeLater } from "../../kit/close-later.ts";
import { bytesOf, connect, lineTo, microcontroller, NEW, OLD, QUICK, type Wire } from "./kit.ts";

const SOON: UploadOptions = { firstTimeoutMs: 15 };

function stored(mcu: ReturnType<typeof microcontroller>, slot: 0 | 1, image: Uint8Array): boolean {
  return Buffer.from(mcu.slots.flash(slot)).subarray(0, image.length).equals(image);
}

/** A server that answers every piece with the next of these numbers, or with what is made of the request. */
async function answering(
  next: (off: number, length: number, first: boolean) => Readonly<Record<string, number | boolean>>,
): Promise<SmpConnection> {
  const server = new SmpServer({
    groups: new Map([
      [
        1,
        ({ fields }) => {
          const [off, data] = [fields.get("off"), fields.get("data")];
          if (typeof off !== "number" || !(data instanceof Uint8Array)) throw new Error("no piece");
          return smpMap(next(off, data.length, fields.has("len")));
        },
      ],
    ]),
    ...{ bufferBytes: 1_000, indefiniteMaps: false, original: false },
  });
  const line = lineTo((bytes) => {
    const answers = server.receive(bytes).flatMap((message) => server.answer(message) ?? []);
    return Buffer.concat(answers.map((answer) => encodeConsoleFrame(encodeMessage(answer))));
  });
  return closeLater(await SmpConnection.over(line, QUICK));
}

describe("an upload", () => {
  it("stores the image in the slot that does not run, and tells how far it is", async () => {
    const mcu = microcontroller();
    const connection = await connect(mcu);
    const progress: UploadProgress[] = [];
    const result = await uploadImage(connection, NEW, { onProgress: (one) => progress.push(one) });
    expect(result).toEqual({ resumedAtBytes: 0, restarts: 0, compared: true });
    expect(stored(mcu, 1, NEW)).toBe(true);
    expect(stored(mcu, 0, OLD)).toBe(true);
    expect(progress.at(-1)).toEqual({ storedBytes: NEW.length, totalBytes: NEW.length });
    const steps = progress.map(({ storedBytes }) => storedBytes);
    expect(steps).toEqual([...steps].sort((a, b) => a - b));
    expect((await listImages(connection)).map((slot) => slot.version)).toEqual(["1.0.0", "1.1.0"]);
  });

  it("fills messages up to what the microcontroller takes, and never beyond", async () => {
    for (const bufferBytes of [200, 260, 261, 262, 300, 384, 1_000, 4_000]) {
      const lengths: number[] = [];
      const toDevice = (bytes: Uint8Array): Uint8Array => {
        const text = Buffer.from(bytes).toString("latin1");
        const packet = Buffer.concat(text.split("\n").map((line) => Buffer.from(line.slice(2), "base64")));
        lengths.push(packet.readUInt16BE(0) - 2);
        return bytes;
      };
      const mcu = microcontroller({ bufferBytes });
      const connection = await connect(mcu, { wire: { toDevice } });
      await learnParameters(connection);
      await uploadImage(connection, NEW);
      expect(stored(mcu, 1, NEW)).toBe(true);
      expect(Math.max(...lengths)).toBeLessThanOrEqual(bufferBytes - 4);
      expect(Math.max(...lengths)).toBeGreaterThan(bufferBytes - 8);
    }
  });

  it("says what it is in its first piece alone", async () => {
    const requests: string[][] = [];
    const toDevice = (bytes: Uint8Array): Uint8Array => {
      const text = Buffer.from(bytes).toString("latin1");
      const packet = Buffer.concat(text.split("\n").map((line) => Buffer.from(line.slice(2), "base64")));
      requests.push([...decodeSmpMap(decodeMessage(packet.subarray(2, -2)).body).keys()]);
      return bytes;
    };
    const connection = await connect(microcontroller(), { wire: { toDevice } });
    await uploadImage(connection, NEW, { upgradeOnly: true });
    expect(requests[0]).toEqual(["len", "off", "sha", "data", "upgrade"]);
    expect(new Set(requests.slice(1).map((keys) => keys.join()))).toEqual(new Set(["off,data"]));
  });

  it.each<readonly [string, readonly MicrocontrollerMisbehaviour[], number]>([
    ["takes half of every piece", ["short-accepts"], 0],
    ["loses pieces and asks for them again", ["wrong-offset"], 0],
    ["does not answer now and then", ["silence"], 0],
    ["answers with wrong CRCs", ["bad-crc"], 0],
    ["resets in the middle", ["reset-in-upload"], 1],
    ["ends maps with a break", ["indefinite-maps"], 0],
    ["logs between its lines", ["log-noise"], 0],
    ["cannot resume", ["no-resume"], 0],
    [
      "does all of it",
      ["short-accepts", "wrong-offset", "silence", "bad-crc", "indefinite-maps", "log-noise"],
      0,
    ],
  ])("to a microcontroller that %s stores the whole image", async (_, misbehaviours, restarts) => {
    const mcu = microcontroller({ misbehaviours });
    const result = await uploadImage(await connect(mcu), NEW, SOON);
    expect(stored(mcu, 1, NEW)).toBe(true);
    expect(stored(mcu, 0, OLD)).toBe(true);
    expect(result.restarts).toBe(restarts);
  });

  it("to MCUboot's recovery goes into the slot that runs", async () => {
    const mcu = microcontroller({ recovery: true });
    const connection = await connect(mcu);
    await learnParameters(connection);
    expect(await uploadImage(connection, NEW)).toEqual({ resumedAtBytes: 0, restarts: 0, compared: false });
    expect(stored(mcu, 0, NEW)).toBe(true);
    expect((await listImages(connection)).map((slot) => slot.version)).toEqual(["1.1.0"]);
  });

  it("gets its pieces through a console that drops long messages", async () => {
    const toDevice = (bytes: Uint8Array): Uint8Array | undefined => (bytes.length > 200 ? undefined : bytes);
    const mcu = microcontroller();
    await uploadImage(await connect(mcu, { wire: { toDevice } }), NEW, SOON);
    expect(stored(mcu, 1, NEW)).toBe(true);
  });
});

describe("an upload over a line that loses messages", () => {
  it("keeps its pieces long once one as long was answered", async () => {
    const lengths: number[] = [];
    const toDevice = (bytes: Uint8Array): Uint8Array | undefined => {
      if (bytes[0] !== 0x0a) lengths.push(bytes.length);
      return lengths.length % 4 === 0 ? undefined : bytes;
    };
    const mcu = microcontroller();
    await uploadImage(await connect(mcu, { wire: { toDevice } }), NEW, SOON);
    expect(stored(mcu, 1, NEW)).toBe(true);
    expect(Math.min(...lengths.slice(0, -2))).toBeGreaterThan(Math.max(...lengths) - 12);
  });
});

describe("an upload whose last answer is lost", () => {
  async function lastLost(mcu: ReturnType<typeof microcontroller>): Promise<UploadResult> {
    let lost = 0;
    const fromDevice = (bytes: Uint8Array): Uint8Array | undefined => {
      if (lost > 0 || !stored(mcu, 1, NEW)) return bytes;
      lost += 1;
      return undefined;
    };
    const result = await uploadImage(await connect(mcu, { wire: { fromDevice } }), NEW, SOON);
    expect(lost).toBe(1);
    return result;
  }

  it("is found whole by a microcontroller that compares", async () => {
    const mcu = microcontroller();
    expect(await lastLost(mcu)).toMatchObject({ restarts: 1, compared: true });
    expect(stored(mcu, 1, NEW)).toBe(true);
  });

  it("is made again by one that does not", async () => {
    const mcu = microcontroller({ misbehaviours: ["no-resume"] });
    expect(await lastLost(mcu)).toMatchObject({ restarts: 1 });
    expect(stored(mcu, 1, NEW)).toBe(true);
  });
});

describe("an upload that was broken off", () => {
  async function broken(mcu: ReturnType<typeof microcontroller>, at: number): Promise<void> {
    const abort = new AbortController();
    const onProgress = ({ storedBytes }: UploadProgress): void => {
      if (storedBytes >= at) abort.abort();
    };
    const upload = uploadImage(await connect(mcu), NEW, { onProgress, signal: abort.signal });
    await expect(upload).rejects.toMatchObject({ code: "smp-aborted" });
  }

  it("goes on where it was", async () => {
    const mcu = microcontroller();
    await broken(mcu, 2_000);
    expect(stored(mcu, 1, NEW)).toBe(false);
    const result = await uploadImage(await connect(mcu), NEW);
    expect(result.resumedAtBytes).toBeGreaterThanOrEqual(2_000);
    expect(result.compared).toBe(true);
    expect(stored(mcu, 1, NEW)).toBe(true);
  });

  it.each<readonly [string, { resume?: boolean }, readonly MicrocontrollerMisbehaviour[]]>([
    ["where that is asked", { resume: false }, []],
    ["where the microcontroller cannot resume", {}, ["no-resume"]],
  ])("begins anew %s", async (_, options, misbehaviours) => {
    const mcu = microcontroller({ misbehaviours });
    await broken(mcu, 2_000);
    expect(await uploadImage(await connect(mcu), NEW, options)).toMatchObject({ resumedAtBytes: 0 });
    expect(stored(mcu, 1, NEW)).toBe(true);
  });

  it("begins anew with another image", async () => {
    const mcu = microcontroller();
    await broken(mcu, 2_000);
    const other = NEW.map((byte, at) => (at > 100 && at < 200 ? byte ^ 1 : byte));
    expect(await uploadImage(await connect(mcu), other)).toMatchObject({ resumedAtBytes: 0 });
    expect(stored(mcu, 1, other)).toBe(true);
  });
});

describe("an upload that cannot be", () => {
  it.each<readonly [string, Uint8Array, string]>([
    ["nothing", new Uint8Array(0), "smp-upload-empty"],
    ["no image", bytesOf(500), "smp-image-bad-magic"],
    ["a short file", NEW.subarray(0, 20), "smp-image-short-header"],
    ["more than the slot holds", Uint8Array.from([...NEW, ...bytesOf(20_000)]), "smp-image-too-large"],
  ])("is refused: %s", async (_, image, code) => {
    await expect(uploadImage(await connect(microcontroller()), image)).rejects.toMatchObject({ code });
  });

  it("is refused while a test is pending", async () => {
    const mcu = microcontroller();
    const connection = await connect(mcu);
    await uploadImage(connection, NEW);
    mcu.slots.setPending("test");
    await expect(uploadImage(connection, NEW)).rejects.toMatchObject({ code: "smp-image-no-free-slot" });
  });

  it("is refused where messages are too short", async () => {
    const connection = await connect(microcontroller({ bufferBytes: 100 }));
    await learnParameters(connection);
    await expect(uploadImage(connection, NEW)).rejects.toMatchObject({ code: "smp-upload-no-room" });
  });

  it("ends after so much silence", async () => {
    let requests = 0;
    const wire: Wire = {
      toDevice: (bytes) => {
        requests += bytes[0] === 0x0a ? 0 : 1;
        return requests > 5 ? undefined : bytes;
      },
    };
    const upload = uploadImage(await connect(microcontroller(), { wire }), NEW, { attempts: 3 });
    await expect(upload).rejects.toMatchObject({ code: "smp-timeout" });
    expect(requests).toBe(5 + 3);
  });

  it("ends where the microcontroller asks for the beginning again and again: zephyr issue 44219", async () => {
    let pieces = 0;
    const connection = await answering(() => {
      pieces += 1;
      return { rc: 0, off: 0 };
    });
    await expect(uploadImage(connection, NEW)).rejects.toMatchObject({ code: "smp-upload-stalled" });
    expect(pieces).toBe(6);
  });

  it("ends where it always falls back at the same place", async () => {
    let pieces = 0;
    const connection = await answering((off, length) => {
      pieces += 1;
      return { off: off + length > 1_000 ? 0 : off + length };
    });
    await expect(uploadImage(connection, NEW)).rejects.toMatchObject({ code: "smp-upload-stalled" });
    expect(pieces).toBeLessThan(60);
  });

  it("ends where the microcontroller claims more than it was given", async () => {
    const beyond = await answering((off, length) => ({ off: off + length + 1 }));
    await expect(uploadImage(beyond, NEW, { resume: false })).rejects.toMatchObject({
      code: "smp-upload-offset",
    });
    const later = await answering((off, length, first) => ({ off: off + length + (first ? 0 : 1) }));
    await expect(uploadImage(later, NEW)).rejects.toMatchObject({ code: "smp-upload-offset" });
    const longer = await answering(() => ({ off: NEW.length + 1 }));
    await expect(uploadImage(longer, NEW)).rejects.toMatchObject({ code: "smp-upload-offset" });
  });

  it("ends where what is stored is not what was sent", async () => {
    const connection = await answering((off, length) => ({
      off: off + length,
      ...(off + length === NEW.length ? { match: false } : {}),
    }));
    await expect(uploadImage(connection, NEW)).rejects.toMatchObject({ code: "smp-upload-mismatch" });
  });

  it("ends where an answer has no offset", async () => {
    const connection = await answering(() => ({}));
    await expect(uploadImage(connection, NEW)).rejects.toMatchObject({ code: "smp-answer" });
  });
});
