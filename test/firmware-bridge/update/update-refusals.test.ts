import { describe, expect, it } from "vitest";
import { equalBytes } from "../../../attest/bytes.ts";
import { verifyImage } from "../../../firmware-bridge/image/verify-image.ts";
import { slotOf } from "../../../firmware-bridge/simulated/image-slots.ts";
import { smpMap } from "../../../firmware-bridge/smp/cbor.ts";
import { confirmRunning } from "../../../firmware-bridge/update/confirm.ts";
import { buildImage, publicKeyOf, SEED } from "../image/build.ts";
import {
  type Answering,
  codeOf,
  connectTo,
  HASH,
  microcontroller,
  ownSystem,
  PARAMETERS,
  recorder,
  seen,
  update,
  verified,
} from "./kit.ts";
import { bytesOf, NEW, OLD, OTHER, signed } from "./kit-images.ts";

describe("an update is refused, with nothing changed,", () => {
  it("where the image has no room", async () => {
    const mcu = microcontroller({ slotBytes: 4_096 });
    const flash = mcu.slots.flash(1).slice();
    await expect(update(mcu)).rejects.toMatchObject({
      code: "update-no-room",
      detail: { got: `${NEW.length} bytes` },
    });
    expect([seen(mcu), equalBytes(flash, mcu.slots.flash(1))]).toEqual(["old none", true]);
  });

  it("where another image waits", async () => {
    const mcu = microcontroller();
    mcu.slots.write(1, 0, OTHER);
    mcu.slots.setPending("test");
    expect(await codeOf(update(mcu))).toBe("update-other-pending");
    expect(seen(mcu)).toBe("old test");
  });

  it("where another image is under test", async () => {
    const mcu = microcontroller();
    await update(mcu, { image: verified(OTHER), testOnly: true });
    expect(await codeOf(update(mcu))).toBe("update-under-test");
    expect(seen(mcu)).toBe("other revert");
  });

  it("where it would stay without a test", async () => {
    const mcu = microcontroller();
    mcu.slots.write(1, 0, NEW);
    mcu.slots.setPending("permanent");
    expect(await codeOf(update(mcu))).toBe("update-permanent");
    expect(seen(mcu)).toBe("old permanent");
  });

  it("where the bootloader cannot go back, unless that is asked for", async () => {
    const mcu = ownSystem((resets) => ({
      ...PARAMETERS,
      8: smpMap({ mode: 2 }),
      get 5() {
        resets();
        mcu.slots.confirm();
        return smpMap({});
      },
    }));
    await expect(update(mcu)).rejects.toMatchObject({
      code: "update-no-way-back",
      detail: { got: "overwrite only" },
    });
    expect([seen(mcu), mcu.slots.image(1)]).toEqual(["old none", undefined]);
    await expect(update(mcu, { noWayBack: true })).resolves.toMatchObject({ outcome: "self-confirmed" });
  });

  it("where the bootloader's mode is one that nobody knows", async () => {
    const mcu = ownSystem(() => ({ ...PARAMETERS, 8: smpMap({ mode: 99 }) }));
    await expect(update(mcu)).rejects.toMatchObject({
      code: "update-no-way-back",
      detail: { got: "mode 99" },
    });
  });

  it("where the hash is one that is not sent here", async () => {
    const trust = { publicKey: publicKeyOf(SEED), variant: "pure" } as const;
    const image = verifyImage(buildImage({ variant: "pure", body: bytesOf(100, 4) }), trust);
    const mcu = microcontroller();
    expect(await codeOf(update(mcu, { image }))).toBe("update-hash-length");
    expect(mcu.slots.image(1)).toBeUndefined();
  });

  it("after the upload where what is listed is not what was sent", async () => {
    const mcu = microcontroller();
    const swaps = (): void => {
      if (mcu.slots.image(1)?.whole !== true) return;
      mcu.slots.erase(1);
      mcu.slots.write(1, 0, OTHER);
    };
    expect(await codeOf(update(mcu, { onEvent: swaps }))).toBe("update-hash");
    expect(seen(mcu)).toBe("old none");
  });
});

const SLOT_BYTES = 16 * 1024;

describe("MCUboot's recovery", () => {
  /** The recovery up to the first reset with a whole image in slot 0, the firmware from then on. */
  function recovering(image: Uint8Array): Answering & { readonly running: () => string } {
    const recovery = microcontroller({ image, recovery: true });
    let firmware = microcontroller();
    let isUp = false;
    return {
      running: () => (isUp ? seen(firmware) : "recovery"),
      receive: (bytes) => {
        if (isUp) return firmware.receive(bytes);
        const said = recovery.receive(bytes);
        if (recovery.boots > 0 && recovery.slots.image(0)?.whole === true) {
          isUp = true;
          firmware = microcontroller({ image: recovery.slots.flash(0) });
        }
        return said;
      },
    };
  }

  it("is refused unless it is asked for", async () => {
    const mcu = microcontroller({ recovery: true });
    await expect(update(mcu)).rejects.toMatchObject({
      code: "update-recovery",
      detail: { hint: expect.stringContaining("--recovery") },
    });
    expect(mcu.slots.image(0)?.version).toBe("1.0.0");
  });

  it("is known although it lists the image that it would start as one that runs", async () => {
    const mcu = microcontroller({ recovery: true, recoveryStates: true });
    expect(await codeOf(update(mcu))).toBe("update-recovery");
    expect(seen(mcu)).toBe("old none");
    // Here it would say that the new image runs, which it never did.
    const wouldRun = microcontroller({ image: NEW, recovery: true, recoveryStates: true });
    expect(await codeOf(update(wouldRun))).toBe("update-recovery");
  });

  it("confirms no image, although it would take the confirmation", async () => {
    const slots = [slotOf(SLOT_BYTES, NEW), slotOf(SLOT_BYTES, OLD)] as const;
    const flash = { slots, swap: "revert" as const };
    const mcu = microcontroller({ flash, recovery: true, recoveryStates: true });
    expect(await codeOf(update(mcu))).toBe("update-recovery");
    const connection = await connectTo(mcu)();
    expect(await codeOf(confirmRunning(connection))).toBe("update-recovery");
    expect(seen(mcu)).toBe("new revert");
  });

  it.each([
    ["an old image", signed([1, 0, 0, 0], bytesOf(3_000, 1))],
    ["no image", new Uint8Array(0)],
  ])("with %s is written over and left", async (_, image) => {
    const mcu = recovering(image);
    const { stages, onEvent } = recorder();
    await expect(update(mcu, { recovery: true, onEvent })).resolves.toMatchObject({
      outcome: "confirmed",
      running: { version: "1.1.0" },
    });
    expect([mcu.running(), stages]).toEqual(["new none", ["recovery", "done"]]);
  });

  it("that is broken off is begun again", async () => {
    const mcu = recovering(new Uint8Array(0));
    const stop = new AbortController();
    const onEvent = ({ kind }: { readonly kind: string }): void => {
      if (kind === "progress") stop.abort();
    };
    expect(await codeOf(update(mcu, { recovery: true, signal: stop.signal, onEvent }))).toBe(
      "update-stopped",
    );
    await expect(update(mcu, { recovery: true })).resolves.toMatchObject({ outcome: "confirmed" });
    expect(mcu.running()).toBe("new none");
  });
});

describe("a confirmation", () => {
  it("keeps the image that runs, if it is the one that is meant", async () => {
    const mcu = microcontroller();
    await update(mcu, { testOnly: true });
    const connection = await connectTo(mcu)();
    expect(await codeOf(confirmRunning(connection, verified(OTHER).digest))).toBe("update-other-image");
    expect(seen(mcu)).toBe("new revert");
    await expect(confirmRunning(connection, HASH)).resolves.toMatchObject({ already: false });
    await expect(confirmRunning(connection)).resolves.toMatchObject({ already: true });
    expect(seen(mcu)).toBe("new none");
    await connection.close();
  });

  it("is none in the recovery", async () => {
    const connection = await connectTo(microcontroller({ recovery: true }))();
    expect(await codeOf(confirmRunning(connection))).toBe("update-recovery");
    await connection.close();
  });
});
