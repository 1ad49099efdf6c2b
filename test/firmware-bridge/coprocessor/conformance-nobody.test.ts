import { describe, expect, it } from "vitest";
import { nativeSuite } from "../../../attest/native.ts";
import { checkCoprocessor } from "../../../firmware-bridge/coprocessor/conformance/conformance.ts";
import { SmpConnection } from "../../../firmware-bridge/smp/connection.ts";
import { closeLater } from "../../kit/close-later.ts";
import { lineTo } from "../smp/kit.ts";
import { bench } from "./kit.ts";

const QUICK = { timeoutMs: 15, attempts: 1 };

describe("a port where nobody answers", () => {
  it("is said so after two questions, and is not taken for firmware that does everything wrong", async () => {
    let questions = 0;
    const silent = (): Uint8Array => {
      questions += 1;
      return new Uint8Array();
    };
    const connection = closeLater(await SmpConnection.over(lineTo(silent), QUICK));
    const results = await checkCoprocessor(connection, { suite: nativeSuite });
    expect(results.map(({ outcome }) => outcome)).toEqual(["failed", "failed", "skipped"]);
    expect(results.at(-1)?.detail).toBe("not tried: an answer that can be read comes first");
    // Each with the newline that ends what may have been cut short.
    expect(questions).toBeLessThanOrEqual(4);
  });

  it("that is lost is asked nothing more", async () => {
    const connection = await SmpConnection.over(
      lineTo(() => new Uint8Array()),
      QUICK,
    );
    await connection.close();
    const results = await checkCoprocessor(connection, { suite: nativeSuite });
    expect(results.map(({ outcome }) => outcome)).toEqual(["failed", "skipped"]);
  });

  it("that is lost in the middle fails once, and nothing behind that is tried", async () => {
    const { mcu } = bench();
    const connection = await SmpConnection.over(
      lineTo((bytes) => mcu.receive(bytes)),
      QUICK,
    );
    const last = "sign: refuses an unknown type";
    const results = await checkCoprocessor(connection, {
      ...{ suite: nativeSuite, snapshots: 2, pauseMs: 1 },
      told: ({ name }) => void (name === last && connection.close()),
    });
    const behind = results.slice(results.findIndex(({ name }) => name === last) + 1);
    expect(behind).toMatchObject([
      { outcome: "failed", detail: expect.stringContaining("line") },
      { name: "everything else", outcome: "skipped", detail: "not tried: the line is gone" },
    ]);
  });
});
