import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { CountingProcess } from "../../../firmware-bridge/pulse/counting-process.ts";
import { FakeLine } from "./fake-line.ts";

let line: FakeLine;
beforeEach(async () => {
  line = new FakeLine();
  await line.open();
  line.installGpiomon(2);
});
afterEach(() => line.close());

const TIMES = { firstRetryMs: 60_000, longestRetryMs: 60_000, answerMs: 60_000 };

describe("a counting process that was killed", { timeout: 60_000 }, () => {
  it("is said to have been, once and in one sentence, until there is another one", async () => {
    const counting = new CountingProcess(line.settings(), TIMES);
    await counting.start();
    const asked = counting.read();
    process.kill(counting.pid ?? Number.NaN, "SIGKILL");
    // Answered or not: behind it there is none.
    await asked.catch(() => undefined);
    const refused = {
      code: "pulse-not-counting",
      message: "nobody counts at present, got ended with SIGKILL; counting is taken up again by itself",
    };
    await expect
      .poll(() => counting.read().catch((error: unknown) => error), { timeout: 20_000 })
      .toMatchObject(refused);
    await counting.stop();
  });
});
