import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { toHex } from "../../attest/bytes.ts";
import { buildSettlementProof } from "../../attest/flexibility/proof-build.ts";
import { verifyCommand } from "../../network/cli/verify.ts";
import { EVENT_MS, HOUR_MS, lived, type World } from "../attest/flexibility/proof-kit.ts";
import { nodeA, nodeB } from "../attest/proof-kit.ts";

describe("kilowitness verify, of a settlement proof", () => {
  let folder = "";
  const keys = new Map<string, string>();

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "kw-verify-"));
    await write("event.kws", await lived());
    await write("late.kws", await lived({ receiptedMs: EVENT_MS - HOUR_MS + 1 }));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  async function write(name: string, world: World): Promise<void> {
    const { commitmentSeq } = world;
    const bytes = buildSettlementProof(world.source(), { commitmentSeq, list: await world.list() });
    writeFileSync(join(folder, name), bytes);
    writeFileSync(join(folder, `cut-${name}`), bytes.slice(0, -1));
    keys.set("device", toHex(world.log.signer.publicKey));
  }

  /** What it prints, and its exit status. */
  async function verify(
    ...words: readonly string[]
  ): Promise<{ readonly out: string; readonly status: unknown }> {
    const [name = "", ...options] = words;
    const chunks: string[] = [];
    const spy = vi
      .spyOn(process.stdout, "write")
      .mockImplementation((chunk) => chunks.push(String(chunk)) > 0);
    const before = process.exitCode;
    try {
      await verifyCommand().parseAsync([join(folder, name), ...options], { from: "user" });
      return { out: chunks.join(""), status: process.exitCode };
    } finally {
      spy.mockRestore();
      process.exitCode = before;
    }
  }

  const trust = (): string[] => {
    const nodes = [nodeA, nodeB].map(({ publicKey }) => `node:${toHex(publicKey)}`);
    return ["--trust", `device:${keys.get("device") ?? ""}`, ...nodes];
  };

  it("says in words and in JSON what was delivered, and ends with 0", async () => {
    const words = await verify("event.kws", ...trust());
    expect([words.status, words.out.split("\n")[0]]).toEqual([
      0,
      "valid, and it counts: delivered, witnessed",
    ]);
    const { out, status } = await verify("event.kws", "--json", ...trust());
    expect(status).toBe(0);
    expect(JSON.parse(out)).toMatchObject({
      claim: "settlement",
      counts: true,
      settled: { result: "delivered" },
    });
  });

  it("ends with 1 for what does not count, and with 0 where nobody was named", async () => {
    const late = await verify("late.kws", ...trust());
    expect([late.status, late.out.split("\n")[0]]).toEqual([
      ...[1, "valid, but it DOES NOT COUNT (commitment-late): delivered"],
    ]);
    const unknown = await verify("late.kws");
    expect(unknown.status).toBe(0);
    expect(unknown.out).toMatch(/^consistent, signed by an unknown key/);
  });

  it("ends with 1 for a file that is cut", async () => {
    const cut = await verify("cut-event.kws", ...trust());
    expect([cut.status, cut.out.slice(0, 29)]).toEqual([1, "NOT VALID (settlement-format)"]);
    expect(JSON.parse((await verify("cut-event.kws", "--json")).out)).toMatchObject({
      fault: "settlement-format",
    });
  });
});
