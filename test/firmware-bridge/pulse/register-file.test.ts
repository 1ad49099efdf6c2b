import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { RegisterFile } from "../../../firmware-bridge/pulse/register-file.ts";

const BASIS = "gpiochip0:17 1000/1 pulses/kWh from 0 mWh";
const COPY_BYTES = 4096;

let folder = "";
let path = "";

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "pulse-register-"));
  path = join(folder, "register");
});

afterEach(() => {
  vi.restoreAllMocks();
  rmSync(folder, { recursive: true, force: true });
});

function opened(basis = BASIS): Promise<RegisterFile> {
  return RegisterFile.open(path, basis, 1_000);
}

/** What a register file of these bytes shows, or the code it is refused with. */
async function shown(bytes: Uint8Array): Promise<number | string> {
  writeFileSync(path, bytes);
  try {
    const register = await opened();
    await register.close();
    return register.count;
  } catch (error) {
    return error instanceof Error && "code" in error ? String(error.code) : "no code";
  }
}

async function savedBytes(counts: readonly number[]): Promise<Buffer> {
  const register = await opened();
  for (const count of counts) await register.save(count, 2_000);
  await register.close();
  return readFileSync(path);
}

describe("a register file", () => {
  it("is made with a count of 0 and known to be new", async () => {
    const register = await opened();
    expect([register.count, register.savedBeforeMs, register.mended]).toEqual([0, undefined, false]);
    await register.close();
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(statSync(path).size).toBe(2 * COPY_BYTES);
  });

  it("shows what was saved last, and when", async () => {
    await savedBytes([3, 7, 8]);
    const register = await opened();
    expect([register.count, register.savedBeforeMs, register.mended]).toEqual([8, 2_000, false]);
    await register.close();
  });

  it("has not saved what the disk took a part of", async () => {
    const register = await opened();
    await register.save(5, 2_000);
    const probe = await open(path, "r+");
    const handles: FileHandle = Object.getPrototypeOf(probe);
    await probe.close();
    vi.spyOn(handles, "write").mockResolvedValueOnce({ bytesWritten: 100, buffer: "" });
    await expect(register.save(6, 3_000)).rejects.toMatchObject({ code: "pulse-register-file" });
    expect(register.count).toBe(5);
    await register.save(6, 4_000);
    expect(register.count).toBe(6);
    await register.close();
  });

  it("that somebody has deleted is made anew with the next count", async () => {
    const register = await opened();
    await register.save(5, 2_000);
    rmSync(path);
    await register.save(6, 3_000);
    await register.save(7, 4_000);
    await register.close();
    const again = await opened();
    expect([again.count, again.savedBeforeMs, again.mended]).toEqual([7, 4_000, false]);
    await again.close();
  });

  it("in whose place something else is now is refused, and that is left as it is", async () => {
    const register = await opened();
    rmSync(path);
    writeFileSync(path, "something else");
    await expect(register.save(6, 3_000)).rejects.toMatchObject({
      ...{ code: "pulse-register-file", message: expect.stringContaining("something else is in its place") },
    });
    expect(register.count).toBe(0);
    await register.close();
    expect(readFileSync(path, "utf8")).toBe("something else");
  });

  it("does not grow", async () => {
    expect((await savedBytes([1, 22, 333, 4444, 55_555])).length).toBe(2 * COPY_BYTES);
  });

  it("shows the last count with either copy damaged in any way, and is whole again after the next save", async () => {
    const bytes = await savedBytes([3, 7, 8]);
    await fc.assert(
      fc.asyncProperty(
        fc.nat(1),
        fc.uint8Array({ minLength: COPY_BYTES, maxLength: COPY_BYTES }),
        async (copy, noise) => {
          const damaged = Buffer.from(bytes);
          damaged.set(noise, copy * COPY_BYTES);
          writeFileSync(path, damaged);
          const register = await opened();
          expect([register.count, register.mended]).toEqual([8, true]);
          await register.save(9, 3_000);
          await register.close();
          const again = await opened();
          expect([again.count, again.mended]).toEqual([9, false]);
          await again.close();
        },
      ),
      { numRuns: 20 },
    );
  });

  it("shows the last count with any byte of what is written in a copy changed", async () => {
    const bytes = await savedBytes([1234]);
    const written = bytes.subarray(0, COPY_BYTES).toString("latin1").trimEnd().length;
    for (let at = 0; at < written; at += 1) {
      const damaged = Buffer.from(bytes);
      damaged[at] = (damaged[at] ?? 0) ^ 1;
      expect(await shown(damaged)).toBe(1234);
    }
  });

  it.each([
    ["empty", new Uint8Array()],
    ["zeros", new Uint8Array(2 * COPY_BYTES)],
  ])("is refused when it is %s, and left as it is", async (_name, bytes) => {
    expect(await shown(bytes)).toBe("pulse-register-damaged");
    expect(new Uint8Array(readFileSync(path))).toEqual(bytes);
  });

  it("is refused for another line or another constant", async () => {
    await savedBytes([5]);
    await expect(opened("gpiochip0:18 1000/1 pulses/kWh from 0 mWh")).rejects.toMatchObject({
      code: "pulse-register-other",
    });
  });

  it("says when its folder is not there", async () => {
    path = join(folder, "gone", "register");
    await expect(opened()).rejects.toMatchObject({ code: "pulse-register-file" });
  });

  it("does not take a half-made one for a new one", async () => {
    writeFileSync(`${path}.new`, "half");
    const register = await opened();
    expect(register.count).toBe(0);
    await register.close();
  });
});

/** What reached the operating system, in order. */
type Operation = { readonly at: number; readonly bytes: Buffer } | "synced";

async function tracedSaves(counts: readonly number[]): Promise<{ from: Buffer; trace: Operation[] }> {
  const from = await savedBytes([1]);
  const trace: Operation[] = [];
  const probe = await open(path, "r");
  const handle: FileHandle = Object.getPrototypeOf(probe);
  const write = handle.write;
  const datasync = handle.datasync;
  vi.spyOn(handle, "write").mockImplementation(function (
    this: FileHandle,
    ...given: Parameters<typeof write>
  ) {
    const [bytes, , , at]: readonly unknown[] = given;
    if (Buffer.isBuffer(bytes)) trace.push({ at: Number(at), bytes: Buffer.from(bytes) });
    return Reflect.apply(write, this, given);
  });
  vi.spyOn(handle, "datasync").mockImplementation(async function (this: FileHandle) {
    await Reflect.apply(datasync, this, []);
    trace.push("synced");
  });
  const register = await opened();
  for (const count of counts) await register.save(count, 2_000);
  await register.close();
  await probe.close();
  vi.restoreAllMocks();
  return { from, trace };
}

/** The file after a power cut: what was synced, and of every later write none, all, or a torn part. */
function afterCut(from: Buffer, trace: readonly Operation[], torn: readonly number[]): Buffer {
  const disk = Buffer.from(from);
  const lastSync = trace.lastIndexOf("synced");
  trace.forEach((operation, index) => {
    if (operation === "synced") return;
    const { at, bytes } = operation;
    const part = index < lastSync ? bytes.length : (torn[index % torn.length] ?? 0);
    disk.set(bytes.subarray(0, part), at);
  });
  return disk;
}

describe("a power cut at any instant", () => {
  it("never shows less than what was told, nor a count that never was", async () => {
    const counts = [2, 30, 400, 5000];
    const { from, trace } = await tracedSaves(counts);
    expect(trace.filter((operation) => operation === "synced")).toHaveLength(counts.length);
    const torn = fc.array(fc.constantFrom(0, 1, 40, 100, COPY_BYTES), { minLength: 1, maxLength: 5 });
    await fc.assert(
      fc.asyncProperty(fc.nat(trace.length), torn, async (length, parts) => {
        const before = trace.slice(0, length);
        const told = [1, ...counts][before.filter((operation) => operation === "synced").length] ?? 0;
        const left = await shown(afterCut(from, before, parts));
        expect([1, ...counts]).toContain(left);
        expect(left).toBeGreaterThanOrEqual(told);
      }),
      { numRuns: 150 },
    );
  });
});
