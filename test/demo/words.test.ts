import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { proofPathOf, verifyWords } from "../../bin/demo/evidence.ts";
import type { Frame } from "../../bin/demo/frame.ts";
import { LastLines } from "../../bin/demo/last-lines.ts";
import { frameLines, frameSentence } from "../../bin/demo/view.ts";

const channel = { number: 1, role: "grid", accepted: 7, held: 0, rejected: 0, acceptedAtMs: 1000 };

const FRAME: Frame = {
  title: "a simulated home",
  elapsedMs: 61_000,
  clock: "12:57",
  sealed: [],
  node: "ws://127.0.0.1:40000",
  nowMs: 5000,
  status: {
    event: "status",
    atMs: 5000,
    deviceKey: "00".repeat(32),
    epoch: 1,
    intervalMs: 5000,
    devices: [{ id: "inverter", online: false, problem: "no answer within 3000 ms" }],
    channels: [
      { ...channel, name: "grid", activePowerMw: -1_234_000, importMwh: 8_300_055_000, exportMwh: 0 },
      { ...channel, name: "cells", role: "storage", activePowerMw: 350_000, stateOfChargePpm: 543_210 },
    ],
    log: { size: 30, durable: 29, signed: 28 },
    nodes: [{ url: "ws://x", nodeKey: "", connected: true, receiptedSize: 20, lastReceiptMs: 4200 }],
  },
};

describe("the live view", () => {
  it("fits a terminal of any width", () => {
    fc.assert(
      fc.property(fc.integer({ min: 20, max: 240 }), (columns) => {
        for (const line of frameLines(FRAME, columns)) expect(line.length).toBeLessThanOrEqual(columns);
      }),
    );
  });

  it.each([60, 140])("says power with its direction, registers and counts at %i columns", (columns) => {
    const text = frameLines(FRAME, columns).join("\n");
    expect(text).toContain("exporting 1.234 kW");
    expect(text).toContain("8,300.055 kWh");
    expect(text).toContain("charging 350 W, 54.3 % full");
    expect(text).toContain("30 leaves: 29 durable, 28 signed, 20 receipted");
    expect(text).toContain("last receipt 800 ms ago");
    expect(text).toContain("inverter: no answer within 3000 ms");
    expect(text.replace(/\s+/g, " ")).toContain("interval 5 s (usually 900 s)");
  });

  it("says the same in one line for a log", () => {
    expect(frameSentence(FRAME)).toMatch(/^1:01 \| grid exporting 1\.234 kW \| readings 14 accepted/);
  });

  it("has something to say before the agent has", () => {
    const text = frameLines({ ...FRAME, status: undefined }, 80).join("\n");
    expect(text).toContain("the agent is starting");
  });
});

describe("the last lines of a process", () => {
  it("gives the newest warning of a log with its code, not what went well after it", () => {
    const lines = new LastLines();
    lines.add('{"level":"warn","event":"a","message":"older","code":"old"}');
    lines.add('{"level":"error","event":"b","message":"disk is full","code":"disk-full"}');
    lines.add('{"level":"info","event":"c","message":"fine"}');
    expect(lines.lastProblem).toBe("disk is full (disk-full)");
  });

  it("gives plain text as it is, and nothing when nothing went wrong", () => {
    const lines = new LastLines();
    lines.add('{"level":"info","event":"started"}');
    expect(lines.lastProblem).toBeUndefined();
    lines.add("kilowitness agent: cannot start (config-read)");
    expect(lines.lastProblem).toBe("kilowitness agent: cannot start (config-read)");
  });

  it("keeps only the newest", () => {
    const lines = new LastLines();
    lines.add("first");
    for (let at = 0; at < 100; at += 1) lines.add('{"level":"info"}');
    expect(lines.lastProblem).toBeUndefined();
  });
});

describe("the words around a proof", () => {
  it("names one file for each channel", () => {
    expect(proofPathOf("a/proof.kwp", "p1-v5")).toBe("a/proof-p1-v5.kwp");
    expect(proofPathOf("proof", "a b/c")).toBe("proof-a-b-c");
  });

  it("quotes a path for the shell", () => {
    const keys = { deviceKey: "aa", nodeKey: "bb" };
    expect(verifyWords("it's here.kwp", keys)).toBe(
      "npx kilowitness verify 'it'\\''s here.kwp' --trust device:aa --trust node:bb",
    );
  });
});
