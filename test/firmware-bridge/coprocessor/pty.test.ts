import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { nativeSigner, nativeSuite } from "../../../attest/native.ts";
import { lineSchema } from "../../../drivers/line/address.ts";
import { SerialLine } from "../../../drivers/line/serial.ts";
import { openPty } from "../../../drivers/simulated/telegram-pty.ts";
import { coprocessorDriver } from "../../../firmware-bridge/coprocessor/driver.ts";
import { COPROCESSOR_FORMAT, coprocessorLines } from "../../../firmware-bridge/coprocessor/lines.ts";
import { CoprocessorSigner } from "../../../firmware-bridge/coprocessor/signer.ts";
import { attachMicrocontroller } from "../../../firmware-bridge/simulated/microcontroller.ts";
import { closeLater } from "../../kit/close-later.ts";
import { bench, GRID, polled, SEED } from "./kit.ts";
import { deviceMessages } from "./objects.ts";

const HAS_SOCAT = spawnSync("socat", ["-V"]).status === 0;

describe.runIf(HAS_SOCAT)("a coprocessor on a serial port", () => {
  it("meters and signs over one port", async () => {
    const folder = mkdtempSync(join(tmpdir(), "kilowitness-coprocessor-"));
    closeLater({ close: () => Promise.resolve(rmSync(folder, { recursive: true, force: true })) });
    const port = join(folder, "mcu");
    const pty = closeLater(await openPty(port, () => undefined));
    const { mcu } = bench({ bufferBytes: 384, indefinite: true });
    await attachMicrocontroller(mcu, closeLater(new SerialLine({ path: pty.path, ...COPROCESSOR_FORMAT })));

    const line = `serial://${port}`;
    const meter = polled(coprocessorDriver.open(coprocessorDriver.schema.parse({ line })));
    expect(await meter.identify()).toMatchObject({ make: "Simulated", serial: "4711" });
    const signer = closeLater(
      await CoprocessorSigner.open({
        line: coprocessorLines.lease(lineSchema.parse(line)),
        suite: nativeSuite,
      }),
    );
    const own = nativeSigner(SEED);
    const messages = [...(await deviceMessages(own)).values()];
    const signing = Promise.all(messages.map((message) => signer.sign(message)));
    const { readings } = await meter.read();
    expect(readings).toMatchObject([{ channel: "grid", importMwh: GRID.importMwh }]);
    expect(await signing).toEqual(messages.map((message) => own.sign(message)));
    mcu.restart();
    expect((await meter.read()).downtime).toHaveLength(1);
  });
});
