import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { SerialLine } from "../../../drivers/line/serial.ts";
import { openPty } from "../../../drivers/simulated/telegram-pty.ts";
import { readImage } from "../../../firmware-bridge/simulated/mcuboot-image.ts";
import { attachMicrocontroller } from "../../../firmware-bridge/simulated/microcontroller.ts";
import { SmpConnection } from "../../../firmware-bridge/smp/connection.ts";
import { confirmImage, listImages, testImage } from "../../../firmware-bridge/smp/image-group.ts";
import { awaitAnswer, learnParameters, reset } from "../../../firmware-bridge/smp/os-group.ts";
import { uploadImage } from "../../../firmware-bridge/smp/upload.ts";
import { closeLater } from "../../kit/close-later.ts";
import { microcontroller, NEW } from "./kit.ts";

const HAS_SOCAT = spawnSync("socat", ["-V"]).status === 0;
const FORMAT = { baudRate: 115_200, dataBits: 8, parity: "none", stopBits: 1 } as const;

describe.runIf(HAS_SOCAT)("a microcontroller on a serial port", () => {
  it("is updated from the first message to the confirmation", async () => {
    const folder = mkdtempSync(join(tmpdir(), "kilowitness-smp-"));
    closeLater({ close: () => Promise.resolve(rmSync(folder, { recursive: true, force: true })) });
    const port = join(folder, "mcu");
    const pty = closeLater(await openPty(port, () => undefined));
    const mcu = microcontroller({ misbehaviours: ["log-noise", "short-accepts", "indefinite-maps"] });
    await attachMicrocontroller(mcu, closeLater(new SerialLine({ path: pty.path, ...FORMAT })));

    const connection = closeLater(await SmpConnection.over(new SerialLine({ path: port, ...FORMAT })));
    await learnParameters(connection);
    await uploadImage(connection, NEW);
    const hash = readImage(NEW)?.hash ?? new Uint8Array(0);
    await testImage(connection, hash);
    await expect(reset(connection)).resolves.toBe(true);
    await awaitAnswer(connection);
    await confirmImage(connection, hash);
    expect((await listImages(connection)).map(({ version, confirmed }) => [version, confirmed])).toEqual([
      ["1.1.0", true],
      ["1.0.0", false],
    ]);
    expect(mcu.boots).toBe(1);
  });
});
