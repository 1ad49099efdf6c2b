import { describe, expect, it } from "vitest";
import { readImage } from "../../../firmware-bridge/simulated/mcuboot-image.ts";
import type { SimulatedMicrocontroller } from "../../../firmware-bridge/simulated/microcontroller.ts";
import { type SmpValue, smpMap } from "../../../firmware-bridge/smp/cbor.ts";
import type { SmpConnection } from "../../../firmware-bridge/smp/connection.ts";
import { confirmImage, eraseSlot, listImages, testImage } from "../../../firmware-bridge/smp/image-group.ts";
import { reset } from "../../../firmware-bridge/smp/os-group.ts";
import { uploadImage } from "../../../firmware-bridge/smp/upload.ts";
import { connect, microcontroller, NEW, OLD, type Wire } from "./kit.ts";

const hashOf = (image: Uint8Array): Uint8Array => readImage(image)?.hash ?? new Uint8Array(0);
const NEW_HASH = hashOf(NEW);
const OLD_HASH = hashOf(OLD);

/** "0 1.0.0 active confirmed" for each slot. */
async function state(connection: SmpConnection): Promise<string[]> {
  const slots = await listImages(connection);
  const flags = ["active", "confirmed", "pending", "permanent"] as const;
  return slots.map((slot) => [slot.slot, slot.version, ...flags.filter((flag) => slot[flag])].join(" "));
}

async function withNew(mcu: SimulatedMicrocontroller, wire?: Wire): Promise<SmpConnection> {
  await uploadImage(await connect(mcu), NEW);
  return connect(mcu, wire === undefined ? {} : { wire });
}

describe("the images", () => {
  it("are listed with their flags", async () => {
    const connection = await connect(microcontroller());
    const flags = { bootable: true, pending: false, confirmed: true, active: true, permanent: false };
    const running = { image: 0, slot: 0, version: "1.0.0", ...flags };
    expect(await listImages(connection)).toMatchObject([running]);
    expect((await listImages(connection)).map((slot) => slot.hash && Buffer.from(slot.hash))).toEqual([
      Buffer.from(OLD_HASH),
    ]);
  });

  it("of MCUboot's recovery are listed without hash and flags", async () => {
    const connection = await connect(microcontroller({ recovery: true }));
    expect(await state(connection)).toEqual(["0 1.0.0"]);
    expect((await listImages(connection))[0]?.hash).toBeUndefined();
  });

  it("are tested, run, confirmed and stay", async () => {
    const mcu = microcontroller();
    const connection = await withNew(mcu);
    await testImage(connection, NEW_HASH);
    expect(await state(connection)).toEqual(["0 1.0.0 active confirmed", "1 1.1.0 pending"]);
    await reset(connection);
    expect(await state(connection)).toEqual(["0 1.1.0 active", "1 1.0.0 confirmed"]);
    await confirmImage(connection, NEW_HASH);
    await reset(connection);
    expect(await state(connection)).toEqual(["0 1.1.0 active confirmed", "1 1.0.0"]);
  });

  it("go back where a test is not confirmed", async () => {
    const mcu = microcontroller();
    const connection = await withNew(mcu);
    await testImage(connection, NEW_HASH);
    await reset(connection);
    await reset(connection);
    expect(await state(connection)).toEqual(["0 1.0.0 active confirmed", "1 1.1.0"]);
  });
});

describe("a test", () => {
  it("of an image that no slot has is refused", async () => {
    const connection = await connect(microcontroller());
    await expect(testImage(connection, NEW_HASH)).rejects.toMatchObject({ code: "smp-image-hash-not-found" });
    await expect(testImage(connection, OLD_HASH)).rejects.toMatchObject({ code: "smp-image-test-active" });
    await expect(testImage(connection, new Uint8Array(31))).rejects.toMatchObject({ code: "smp-hash" });
  });

  it("whose answer is lost is found to hold by looking", async () => {
    let states = 0;
    const fromDevice = (bytes: Uint8Array): Uint8Array | undefined => {
      // Nothing is said to a bare newline.
      states += bytes.length === 0 ? 0 : 1;
      return states === 1 ? undefined : bytes;
    };
    const connection = await withNew(microcontroller(), { fromDevice });
    const slots = await testImage(connection, NEW_HASH);
    expect(slots.find((slot) => slot.slot === 1)?.pending).toBe(true);
    expect(states).toBe(2);
  });

  it("that was never heard is told not to hold", async () => {
    let requests = 0;
    const toDevice = (bytes: Uint8Array): Uint8Array | undefined => {
      requests += 1;
      return requests === 1 ? undefined : bytes;
    };
    const connection = await withNew(microcontroller(), { toDevice });
    await expect(testImage(connection, NEW_HASH)).rejects.toMatchObject({
      code: "smp-image-state",
      message: expect.stringContaining("slot 0: 1.0.0 active confirmed, slot 1: 1.1.0"),
    });
  });
});

describe("a confirmation", () => {
  it("is refused where another image runs, and changes nothing", async () => {
    const mcu = microcontroller();
    const connection = await withNew(mcu);
    await expect(confirmImage(connection, NEW_HASH)).rejects.toMatchObject({ code: "smp-image-not-running" });
    expect(mcu.slots.swap).toBe("none");
  });

  it("that meets a power loss does not take the untested image for good", async () => {
    const mcu = microcontroller({ misbehaviours: ["power-loss-between-test-and-confirm"] });
    const connection = await withNew(mcu);
    await testImage(connection, NEW_HASH);
    await reset(connection);
    expect(await state(connection)).toEqual(["0 1.1.0 active", "1 1.0.0 confirmed"]);
    await expect(confirmImage(connection, NEW_HASH)).rejects.toMatchObject({ code: "smp-image-not-running" });
    expect(await state(connection)).toEqual(["0 1.0.0 active confirmed", "1 1.1.0"]);
    await testImage(connection, NEW_HASH);
    await reset(connection);
    await confirmImage(connection, NEW_HASH);
    expect(await state(connection)).toEqual(["0 1.1.0 active confirmed", "1 1.0.0"]);
  });
});

describe("a confirmation that meets a power loss on the way", () => {
  it("does not take the untested image for good either", async () => {
    const mcu = microcontroller();
    const connection = await withNew(mcu);
    await testImage(connection, NEW_HASH);
    await reset(connection);
    let requests = 0;
    const toDevice = (bytes: Uint8Array): Uint8Array => {
      requests += 1;
      // Between the look and the confirmation: the old image hears it.
      if (requests === 2) mcu.restart();
      return bytes;
    };
    const unlucky = await connect(mcu, { wire: { toDevice } });
    await expect(confirmImage(unlucky, NEW_HASH)).rejects.toMatchObject({ code: "smp-image-not-running" });
    expect(mcu.slots.swap).toBe("none");
    expect(await state(connection)).toEqual(["0 1.0.0 active confirmed", "1 1.1.0"]);
  });
});

describe("a list of images", () => {
  it.each<readonly [string, Readonly<Record<string, SmpValue>>, string]>([
    ["without images", {}, "images"],
    ["that is none", { images: 1 }, "images"],
    ["with an item that is no map", { images: [1] }, "item 0"],
    ["without a version", { images: [smpMap({ slot: 0 })] }, "item 0: version"],
    ["with a slot below 0", { images: [smpMap({ slot: -1, version: "1" })] }, "item 0: slot"],
    ["with a hash as text", { images: [smpMap({ slot: 0, version: "1", hash: "ab" })] }, "item 0: hash"],
    ["with a flag as number", { images: [smpMap({ slot: 0, version: "1", active: 1 })] }, "item 0: active"],
  ])("%s is refused", async (_, answer, where) => {
    const mcu = microcontroller({ groups: new Map([[1, () => smpMap(answer)]]) });
    await expect(listImages(await connect(mcu))).rejects.toMatchObject({
      code: "smp-answer",
      message: expect.stringContaining(`${where}: an answer`),
    });
  });
});

describe("an erasure", () => {
  it("empties the slot that does not run, and no other", async () => {
    const connection = await withNew(microcontroller());
    await expect(eraseSlot(connection, 0)).rejects.toMatchObject({ code: "smp-image-no-free-slot" });
    await expect(eraseSlot(connection, 5)).rejects.toMatchObject({ code: "smp-image-invalid-slot" });
    await eraseSlot(connection);
    expect(await state(connection)).toEqual(["0 1.0.0 active confirmed"]);
  });

  it("is refused while a test is pending", async () => {
    const connection = await withNew(microcontroller());
    await testImage(connection, NEW_HASH);
    await expect(eraseSlot(connection, 1)).rejects.toMatchObject({ code: "smp-image-no-free-slot" });
  });
});
