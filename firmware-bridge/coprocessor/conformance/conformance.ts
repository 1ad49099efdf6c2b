import { equalBytes } from "../../../attest/bytes.ts";
import type { Suite } from "../../../attest/suite.ts";
import { Checklist, type CheckResult, Skipped } from "../../../drivers/kit/checklist.ts";
import type { SmpConnection, SmpRequest } from "../../smp/connection.ts";
import { GROUP } from "../../smp/message.ts";
import { awaitAnswer, echo, learnParameters, reset } from "../../smp/os-group.ts";
import { type CoprocessorDescription, describeCoprocessor } from "../describe.ts";
import { type CoprocessorKey, readKey } from "../signing.ts";
import { type CoprocessorSnapshot, readSnapshot } from "../snapshot.ts";
import { refusedWith } from "./checks.ts";
import { checkMetering } from "./metering.ts";
import { checkSigning } from "./signing.ts";

export interface CoprocessorCheckOptions {
  /** What verifies its signatures; `nativeSuite` in programs. */
  readonly suite: Suite;
  readonly snapshots?: number;
  readonly pauseMs?: number;
  /** Whether it may be restarted, to see what survives. */
  readonly restart?: boolean;
  /** How long nothing is asked after a restart, ms. */
  readonly settleMs?: number;
  /** How long a signature may take, ms. */
  readonly signTimeoutMs?: number;
  /** Each result as soon as it is there. */
  readonly told?: (result: CheckResult) => void;
}

const SNAPSHOTS = 10;
const PAUSE_MS = 250;
const SETTLE_MS = 5_000;
const SIGN_MS = 10_000;
const RESTART_ATTEMPTS = 24;
const UNKNOWN: SmpRequest = {
  ...{ name: "a command that there is not", operation: "read", group: GROUP.application, command: 63 },
};

/**
 * Holds firmware against docs/coprocessor-protocol.md, from outside: what it answers, and what it must refuse. It has its key sign
 * some statements that mean nothing; no node takes them. Tied to no test runner.
 */
export async function checkCoprocessor(
  connection: SmpConnection,
  options: CoprocessorCheckOptions,
): Promise<readonly CheckResult[]> {
  const { suite, snapshots = SNAPSHOTS, pauseMs = PAUSE_MS } = options;
  const { settleMs = SETTLE_MS, signTimeoutMs = SIGN_MS } = options;
  const list = new Checklist(options.told);
  await checkServer(connection, list);
  const described = await checkMetering(connection, list, { snapshots, pauseMs });
  if (described === undefined) return list.results;
  const key = await checkSigning(connection, list, { suite, signTimeoutMs });
  await list.run("describes a channel, or has a key", () =>
    described.channels.length > 0 || key !== undefined ? undefined : "neither: it is of no use",
  );
  if (options.restart === true) await checkRestart(connection, list, { described, key, settleMs });
  return list.results;
}

async function checkServer(connection: SmpConnection, list: Checklist): Promise<void> {
  const said = "kilowitness checks";
  await list.run("echo: gives back what it is sent", async () => {
    const back = await echo(connection, said);
    return back === said ? undefined : `sent ${JSON.stringify(said)}, got ${JSON.stringify(back)}`;
  });
  await list.run("parameters: says how long a message may be", async () => {
    if ((await learnParameters(connection)) === undefined)
      throw new Skipped("it does not know the command: messages to it are at most 256 bytes");
    return undefined;
  });
  await list.run("refuses an unknown command of its group", () =>
    refusedWith("smp-not-supported", () => connection.ask(UNKNOWN)),
  );
}

interface Before {
  readonly described: CoprocessorDescription;
  readonly key: CoprocessorKey | undefined;
  readonly settleMs: number;
}

async function checkRestart(
  connection: SmpConnection,
  list: Checklist,
  { described, key, settleMs }: Before,
): Promise<void> {
  const meters = described.channels.length > 0;
  let before: CoprocessorSnapshot | undefined;
  const restarted = await list.run("restart: comes back", async () => {
    before = meters ? (await readSnapshot(connection)).snapshot : undefined;
    await reset(connection);
    await new Promise((resolve) => setTimeout(resolve, settleMs));
    await awaitAnswer(connection, { attempts: RESTART_ATTEMPTS });
    return undefined;
  });
  if (!restarted) return;
  await list.run("restart: is the same device", async () => {
    const { identity } = await describeCoprocessor(connection);
    return identity.serial === described.identity.serial ? undefined : `serial number ${identity.serial}`;
  });
  if (before !== undefined) await checkCountAfter(connection, list, before);
  if (key !== undefined)
    await list.run("restart: has the same key, and counts anew", () => keyAfter(connection, key));
}

async function checkCountAfter(
  connection: SmpConnection,
  list: Checklist,
  before: CoprocessorSnapshot,
): Promise<void> {
  let after: CoprocessorSnapshot | undefined;
  await list.run("restart: another start, and its counter begins anew", async () => {
    after = (await readSnapshot(connection)).snapshot;
    if (after.boot === before.boot) return `boot is ${after.boot} as before`;
    return after.atMs < before.atMs || after.number <= before.number ? undefined : "ms and seq went on";
  });
  await list.run("restart: no register has fallen", () => {
    if (after === undefined) throw new Skipped("nothing was read");
    for (const { reading } of after.channels) {
      const known = before.channels.find((one) => one.reading.channel === reading.channel)?.reading;
      for (const key of ["importMwh", "exportMwh"] as const)
        if ((reading[key] ?? 0) < (known?.[key] ?? 0))
          return `channel ${reading.channel}: ${key} fell from ${known?.[key]} to ${reading[key]}`;
    }
    return undefined;
  });
}

async function keyAfter(connection: SmpConnection, before: CoprocessorKey): Promise<string | undefined> {
  const now = await readKey(connection);
  if (!equalBytes(now.publicKey, before.publicKey)) return "another key";
  if (now.boot === before.boot) return `boot is ${now.boot} as before`;
  return now.signatures === 0 ? undefined : `n is ${now.signatures}, and nothing was signed since`;
}
