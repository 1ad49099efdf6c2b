import { describe, expect, it } from "vitest";
import { Problem } from "../../../attest/problem.ts";
import type { MicrocontrollerMisbehaviour } from "../../../firmware-bridge/simulated/microcontroller.ts";
import { smpMap } from "../../../firmware-bridge/smp/cbor.ts";
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
} from "./kit.ts";
import { NEW } from "./kit-images.ts";

const EVERY_STAGE = ["upload", "test", "restart", "check"];

describe("an update", () => {
  it("stores, tests, restarts, checks and confirms", async () => {
    const mcu = microcontroller();
    const { stages, onEvent } = recorder();
    const stored: number[] = [];
    const result = await update(mcu, {
      onEvent: (event) => {
        onEvent(event);
        if (event.kind === "progress") stored.push(event.storedBytes);
      },
    });
    expect(result).toMatchObject({
      outcome: "confirmed",
      before: { version: "1.0.0" },
      running: { version: "1.1.0", confirmed: true, active: true },
      upload: { compared: true, resumedAtBytes: 0 },
    });
    expect(stages).toEqual(EVERY_STAGE);
    expect(stored.at(-1)).toBe(NEW.length);
    expect([seen(mcu), mcu.boots]).toEqual(["new none", 1]);
  });

  it.each<readonly MicrocontrollerMisbehaviour[]>([
    ["short-accepts", "log-noise"],
    ["wrong-offset", "indefinite-maps"],
    ["bad-crc", "no-resume"],
    ["reset-in-upload"],
  ])("gets there in spite of %s and %s", async (...misbehaviours) => {
    const mcu = microcontroller({ misbehaviours });
    await expect(update(mcu)).resolves.toMatchObject({ outcome: "confirmed" });
    expect(seen(mcu)).toBe("new none");
  });

  it("waits for a reset that comes after its answer", async () => {
    let later = 0;
    const mcu = ownSystem((resets) => ({
      ...PARAMETERS,
      get 5() {
        later += 1;
        setTimeout(resets, 25);
        return smpMap({});
      },
    }));
    await expect(update(mcu, { times: { repeatMs: 20_000 } })).resolves.toMatchObject({
      outcome: "confirmed",
    });
    expect([seen(mcu), later, mcu.boots]).toEqual(["new none", 1, 1]);
  });

  it("repeats a reset that was never heard", async () => {
    let asked = 0;
    const mcu = ownSystem((resets) => ({
      ...PARAMETERS,
      get 5() {
        asked += 1;
        if (asked === 2) resets();
        return asked === 2 ? smpMap({}) : undefined;
      },
    }));
    await expect(update(mcu)).resolves.toMatchObject({
      outcome: "confirmed",
    });
    expect([seen(mcu), mcu.boots]).toEqual(["new none", 1]);
  });

  it("opens the line anew where a reset takes it away", async () => {
    const mcu = microcontroller();
    let opened = 0;
    const connect = async (): ReturnType<ReturnType<typeof connectTo>> => {
      opened += 1;
      // Not there yet at the second attempt.
      if (opened === 2) throw new Problem("line-not-found", "there is no such port");
      const boots = mcu.boots;
      const connection = await connectTo({
        receive: (bytes) => {
          const said = mcu.receive(bytes);
          if (mcu.boots !== boots) void connection.close();
          return said;
        },
      })();
      return connection;
    };
    await expect(update(mcu, { connect })).resolves.toMatchObject({
      outcome: "confirmed",
    });
    expect([seen(mcu), opened]).toEqual(["new none", 3]);
  });
});

describe("an update that is begun again", () => {
  const begun = {
    "half stored": (): Promise<unknown> => stoppedAfter(8),
    stored: (): Promise<unknown> => stoppedIn("test"),
    pending: (): Promise<unknown> => stoppedIn("restart"),
    "running unconfirmed": (): Promise<unknown> => update(mcu, { testOnly: true }),
    confirmed: (): Promise<unknown> => update(mcu),
  };
  const RESUMED: ReadonlyMap<string, readonly [least: number, most?: number]> = new Map([
    ["half stored", [1_000, 4_500]],
    ["stored", [NEW.length]],
  ]);
  let mcu = microcontroller();

  async function stoppedAfter(pieces: number): Promise<void> {
    const stop = new AbortController();
    let left = pieces;
    const onEvent = (): void => {
      left -= 1;
      if (left === 0) stop.abort();
    };
    expect(await codeOf(update(mcu, { signal: stop.signal, onEvent }))).toBe("update-stopped");
  }

  async function stoppedIn(stage: string): Promise<void> {
    const stop = new AbortController();
    const { stages, onEvent } = recorder();
    const seenStage = (event: Parameters<typeof onEvent>[0]): void => {
      onEvent(event);
      if (stages.at(-1) === stage) stop.abort();
    };
    expect(await codeOf(update(mcu, { signal: stop.signal, onEvent: seenStage }))).toBe("update-stopped");
  }

  it.each([
    ["half stored", "old none", EVERY_STAGE],
    ["stored", "old none", EVERY_STAGE],
    ["pending", "old test", ["restart", "check"]],
    ["running unconfirmed", "new revert", ["check"]],
    ["confirmed", "new none", ["done"]],
  ] as const)("goes on where the image is %s", async (point, left, todo) => {
    mcu = microcontroller();
    await begun[point]();
    expect(seen(mcu)).toBe(left);
    const { stages, onEvent } = recorder();
    const result = await update(mcu, { onEvent });
    expect(stages).toEqual(todo);
    expect(result.outcome).toBe(point === "confirmed" ? "already-confirmed" : "confirmed");
    expect(seen(mcu)).toBe("new none");
    const [least, most] = RESUMED.get(point) ?? [];
    if (least === undefined) expect(result.upload).toBeUndefined();
    else expect(result.upload?.resumedAtBytes).toBeGreaterThanOrEqual(least);
    if (most !== undefined) expect(result.upload?.resumedAtBytes).toBeLessThan(most);
  });
});

describe("an image that is stored up to its hash and not to its signature", () => {
  it("is not taken for stored", async () => {
    const mcu = microcontroller();
    mcu.slots.write(1, 0, NEW.subarray(0, NEW.length - 70));
    expect(mcu.slots.image(1)?.hash).toEqual(HASH);
    await expect(update(mcu)).resolves.toMatchObject({ outcome: "confirmed", upload: { resumedAtBytes: 0 } });
    expect(seen(mcu)).toBe("new none");
  });
});

describe("a new image that fails", () => {
  it("its owner's check gives way to the old one", async () => {
    const mcu = microcontroller();
    const { stages, onEvent } = recorder();
    const check = (): Promise<void> => Promise.reject(new Error("measures nothing"));
    await expect(update(mcu, { check, onEvent })).rejects.toThrow(
      /^test.*: the new image failed its check, and the old image \(1\.0\.0\) runs again; .*got measures nothing/,
    );
    expect(stages).toEqual([...EVERY_STAGE, "going-back"]);
    expect([seen(mcu), mcu.boots]).toEqual(["old none", 2]);
  });

  it("to answer the echo gives way to the old one", async () => {
    const mcu = ownSystem((resets) => ({
      ...PARAMETERS,
      0: smpMap({ r: "" }),
      get 5() {
        resets();
        return smpMap({});
      },
    }));
    await expect(update(mcu)).rejects.toMatchObject({ code: "update-check", cause: { code: "update-echo" } });
    expect(seen(mcu)).toBe("old none");
  });

  it("and cannot be reset is said to be there still", async () => {
    let asked = 0;
    const mcu = ownSystem((resets) => ({
      ...PARAMETERS,
      get 5() {
        asked += 1;
        if (asked === 1) resets();
        return asked === 1 ? smpMap({}) : undefined;
      },
    }));
    const check = (): Promise<void> => Promise.reject(new Error("measures nothing"));
    expect(await codeOf(update(mcu, { check, times: { returnMs: 80 } }))).toBe("update-stuck");
    expect(seen(mcu)).toBe("new revert");
  });

  it("and confirmed itself is said to stay", async () => {
    const check = (): Promise<void> => Promise.reject(new Error("measures nothing"));
    const { mcu, confirmsItself } = microcontrollerThatConfirms();
    expect(await codeOf(update(confirmsItself, { check }))).toBe("update-stays");
    expect(seen(mcu)).toBe("new none");
    const { confirmsItself: good } = microcontrollerThatConfirms();
    await expect(update(good)).resolves.toMatchObject({ outcome: "self-confirmed" });
  });

  it("to start is known by the old one's running", async () => {
    const mcu = microcontroller();
    const { onEvent, stages } = recorder();
    // A bootloader without the image's key: it never swaps.
    const refuses = (event: Parameters<typeof onEvent>[0]): void => {
      onEvent(event);
      if (stages.at(-1) === "restart") mcu.slots.erase(1);
    };
    expect(await codeOf(update(mcu, { onEvent: refuses }))).toBe("update-not-started");
    expect(seen(mcu)).toBe("old none");
  });

  it("by losing its power before the confirmation runs the old one, and is not confirmed", async () => {
    const mcu = microcontroller({ misbehaviours: ["power-loss-between-test-and-confirm"] });
    expect(await codeOf(update(mcu))).toBe("update-not-started");
    expect(seen(mcu)).toBe("old none");
    await expect(update(mcu)).resolves.toMatchObject({
      outcome: "confirmed",
      upload: { resumedAtBytes: NEW.length },
    });
  });

  it("to be reset by its predecessor is left to a power cut", async () => {
    const mcu = ownSystem(() => PARAMETERS);
    expect(await codeOf(update(mcu))).toBe("update-no-reset");
    mcu.restart();
    expect(seen(mcu)).toBe("new revert");
    await expect(update(mcu)).resolves.toMatchObject({ outcome: "confirmed" });
  });

  it("to start because a bootloader waits for updates gives way to the old one", async () => {
    const mcu = microcontroller();
    const bootloader = microcontroller({ image: NEW, recovery: true });
    // Swapped, and then a question was taken for a call into the recovery: the new image has not run yet.
    const trapped: Answering = {
      receive: (bytes) => {
        if (mcu.boots !== 1) return mcu.receive(bytes);
        const said = bootloader.receive(bytes);
        if (bootloader.boots > 0) mcu.restart();
        return said;
      },
    };
    expect(await codeOf(update(trapped))).toBe("update-not-started");
    expect([seen(mcu), mcu.boots]).toEqual(["old none", 2]);
  });

  it("to answer at all after its restart is left to a power cut", async () => {
    const mcu = microcontroller();
    const dead: Answering = {
      receive: (bytes) => (mcu.boots === 0 ? mcu.receive(bytes) : new Uint8Array(0)),
    };
    await expect(update(dead, { times: { returnMs: 80 } })).rejects.toMatchObject({
      code: "update-no-return",
      detail: { hint: expect.stringContaining("take its power away") },
    });
    mcu.restart();
    expect(seen(mcu)).toBe("old none");
  });
});

function microcontrollerThatConfirms(): {
  readonly mcu: ReturnType<typeof microcontroller>;
  readonly confirmsItself: Answering;
} {
  const mcu = microcontroller();
  const receive = (bytes: Uint8Array): Uint8Array => {
    const said = mcu.receive(bytes);
    mcu.slots.confirm();
    return said;
  };
  return { mcu, confirmsItself: { receive } };
}
