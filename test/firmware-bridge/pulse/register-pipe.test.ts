import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { RegisterFile } from "../../../firmware-bridge/pulse/register-file.ts";

const folder = mkdtempSync(join(tmpdir(), "kilowitness-register-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const BASIS = "gpiochip0:17 1000/1 0";

describe("a pipe in the place of the register file", () => {
  it("is looked into without waiting for somebody who writes into it", async () => {
    const path = join(folder, "pipe");
    execFileSync("mkfifo", [path]);
    expect(await RegisterFile.peek(path)).toBeUndefined();
    await expect(RegisterFile.open(path, BASIS, 0)).rejects.toMatchObject({
      code: expect.stringMatching(/^pulse-register-/),
    });
  });

  it("that came while it was counted into ends the counting", async () => {
    const path = join(folder, "register");
    const register = await RegisterFile.open(path, BASIS, 1_000);
    await register.save(1, 2_000);
    rmSync(path);
    execFileSync("mkfifo", [path]);
    await expect(register.save(2, 3_000)).rejects.toMatchObject({
      code: "pulse-register-file",
      detail: { where: path, got: "something else is in its place now" },
    });
    await register.close();
  });
});
