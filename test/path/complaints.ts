import { spawn, spawnSync } from "node:child_process";
import { chmodSync, globSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect } from "vitest";
import { eventually, jsonLines, type Program } from "../kit/programs.ts";
import type { Site } from "./site.ts";

export const LAUNCHER: string = fileURLToPath(new URL("../../bin/kilowitness.js", import.meta.url));

export interface Ended {
  readonly code: number | undefined;
  readonly stdout: string;
  readonly stderr: string;
}

/** What a program that could not do its work must say: one line, its place, a stable code, and no stack. */
export interface Refusal {
  readonly command: string;
  readonly exit: number;
  readonly code: string;
  /** Parts of the line, in this order: what, where, expected, got, what to do. */
  readonly says: readonly string[];
}

export function expectRefusal(ended: Ended, { command, exit, code, says }: Refusal): void {
  const lines = ended.stderr.split("\n").filter((line) => line !== "" && !line.startsWith("{"));
  expect(lines).toHaveLength(1);
  const [line = ""] = lines;
  expect(line).toMatch(new RegExp(`^kilowitness ${command}: `));
  expect(line).toContain(`(${code})`);
  expectInOrder(line, says);
  expect(ended.code).toBe(exit);
}

export function expectInOrder(line: string, says: readonly string[]): void {
  let at = 0;
  for (const part of says) {
    const found = line.indexOf(part, at);
    expect(found, `"${part}" in: ${line}`).toBeGreaterThanOrEqual(0);
    at = found + part.length;
  }
}

type LogLine = Readonly<Record<string, unknown>>;

/** The log line with this code, once it is there. */
export function complaint(program: Program, code: string, fields: LogLine = {}): Promise<LogLine> {
  return eventually(`a line with code ${code}`, 60_000, () => complaints(program, code, fields).at(0)).catch(
    (error: unknown) => {
      throw new Error(`${String(error)} in:\n${program.stderr}`);
    },
  );
}

/** All log lines with this code and these fields: a complaint stands there once, however often it goes wrong. */
export function complaints(program: Program, code: string, fields: LogLine = {}): LogLine[] {
  const wanted = Object.entries({ code, ...fields });
  return logLines(program).filter((line) => wanted.every(([key, value]) => line[key] === value));
}

/** What the program has logged so far. */
export function logLines(program: Program): LogLine[] {
  return jsonLines(completeLines(program.stderr));
}

/** The last line may still be on its way. */
function completeLines(text: string): string {
  return text.slice(0, text.lastIndexOf("\n") + 1);
}

/** Ten more readings are sealed from here on, whatever else does not work. */
export async function expectSealing(site: Site): Promise<void> {
  const before = site.journalLeaves().length;
  await eventually("ten more leaves", 60_000, () => site.journalLeaves().length >= before + 10 || undefined);
}

/** Of a device that answers, however busy the machine is: that it is slow is not what goes wrong here. */
export const PATIENT = "timeoutMs: 20000";

/** A site of the simulated inverter and whatever else is said here; no node unless one was started. */
export function configure(site: Site, devices: readonly string[] = []): void {
  const nodes =
    site.nodeKey === ""
      ? ""
      : `nodes: [{ url: "ws://127.0.0.1:${site.nodePort}", key: "${site.nodeKey}" }]\n`;
  const roof = `{ id: roof, driver: sunspec, host: 127.0.0.1, port: ${site.inverterPort}, intervalMs: 200, ${PATIENT} }`;
  writeFileSync(
    site.path("agent.yaml"),
    `network: path-test
key: device.key
journal: journal.sqlite
intervalSeconds: 2
commitSeconds: 0.3
checkpointSeconds: 0.5
${nodes}devices:
${[roof, ...devices].map((device) => `  - ${device}\n`).join("")}`,
  );
}

/** SIGTERM, and a clean end. */
export async function stops(agent: Program): Promise<void> {
  expect(await agent.kill("SIGTERM")).toBe(0);
}

const NOBODY = 65_534;

/** Why no program can be run as another user here; undefined when it can. */
export function whyNotAsNobody(): string | undefined {
  if (process.getuid?.() !== 0) return "only root can start a program as another user";
  const { status } = spawnSync(process.execPath, [LAUNCHER, "--version"], { uid: NOBODY, gid: NOBODY });
  return status === 0 ? undefined : "the project lies where another user cannot read it";
}

/** Runs a command to its end, or for `forMs`, as a user who owns nothing. */
export function runAsNobody(args: readonly string[], terms: Partial<Terms> = {}): Promise<Ended> {
  return runWith(process.execPath, [LAUNCHER, ...args], {
    uid: NOBODY,
    gid: NOBODY,
    forMs: 60_000,
    ...terms,
  });
}

interface Terms {
  /** Asked to stop after so long. */
  readonly forMs: number;
  /** Or as soon as standard error has all of these. */
  readonly said?: readonly string[];
}

/** Runs any program to its end, or asks it to stop. */
export function runWith(
  command: string,
  args: readonly string[],
  { forMs, said, ...options }: Terms & { readonly uid?: number; readonly gid?: number },
): Promise<Ended> {
  const child = spawn(command, args, { stdio: ["ignore", "pipe", "pipe"], ...options });
  const timer = setTimeout(() => !asked && child.kill("SIGTERM"), forMs);
  let stdout = "";
  let stderr = "";
  // A second signal would end it at once.
  let asked = false;
  child.stdout.on("data", (chunk) => {
    stdout += String(chunk);
  });
  child.stderr.on("data", (chunk) => {
    stderr += String(chunk);
    if (!asked && said?.every((text) => stderr.includes(text)) === true) asked = child.kill("SIGTERM");
  });
  return new Promise((resolve) => {
    child.on("close", (code) => {
      clearTimeout(timer);
      resolve({ code: code ?? undefined, stdout, stderr });
    });
  });
}

/** Lets other users into the site's folder, to read and to write. */
export function openToAll(site: Site): void {
  chmodSync(site.folder, 0o777);
}

/** Debian's libfaketime; undefined when it is not installed. */
export function fakeTimeLibrary(): string | undefined {
  return globSync("/usr/lib/*/faketime/libfaketime.so.1")[0];
}
