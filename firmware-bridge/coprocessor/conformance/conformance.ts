import { Problem } from "../../../attest/problem.ts";
import type { Suite } from "../../../attest/suite.ts";
import { Checklist, type CheckResult, Skipped } from "../../../drivers/kit/checklist.ts";
import type { SmpConnection, SmpRequest } from "../../smp/connection.ts";
import { GROUP } from "../../smp/message.ts";
import { echo, learnParameters } from "../../smp/os-group.ts";
import { STALE_AFTER_MS } from "../protocol.ts";
import { notTried, refusedWith } from "./checks.ts";
import { checkFraming } from "./framing.ts";
import { checkClockAfter, checkMetering } from "./metering.ts";
import { checkRestart } from "./restart.ts";
import { HOST_TIME, type HostTime } from "./seen.ts";
import { checkSigning } from "./signing.ts";

export interface CoprocessorCheckOptions {
  /** What verifies its signatures; `nativeSuite` in programs. */
  readonly suite: Suite;
  readonly snapshots?: number;
  readonly pauseMs?: number;
  /** How long registers are compared with power, ms; absent: they are not. */
  readonly watchMs?: number;
  /** How long a snapshot is waited for where there is none, or none that is new, ms. */
  readonly patienceMs?: number;
  /** Whether it may be restarted, to see what survives. */
  readonly restart?: boolean;
  /** How long nothing is asked after a restart, ms. */
  readonly settleMs?: number;
  /** How long a signature may take, ms. */
  readonly signTimeoutMs?: number;
  /** What its counter is held against; absent: this process's own. */
  readonly time?: HostTime;
  /** Each result as soon as it is there. */
  readonly told?: (result: CheckResult) => void;
}

const SNAPSHOTS = 10;
const PAUSE_MS = 250;
const SETTLE_MS = 5_000;
const SIGN_MS = 10_000;
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
  const { suite, settleMs = SETTLE_MS, signTimeoutMs = SIGN_MS } = options;
  const { patienceMs = STALE_AFTER_MS, time = HOST_TIME } = options;
  const list = new Checklist(options.told, () =>
    connection.lost ? "not tried: the line is gone" : undefined,
  );
  if (!(await checkServer(connection, list))) {
    await notTried(list, "everything else", "an answer that can be read");
    return list.results;
  }
  const { snapshots = SNAPSHOTS, pauseMs = PAUSE_MS, watchMs = 0 } = options;
  const series = { snapshots, pauseMs, watchMs, patienceMs, time };
  const metered = await checkMetering(connection, list, series);
  if (metered === undefined) {
    await notTried(list, "everything else of read, key and sign", "describe");
    return list.results;
  }
  const { described } = metered;
  const key = await checkSigning(connection, list, { suite, signTimeoutMs });
  await checkFraming(connection, list);
  await list.run("describes a channel, or has a key", () =>
    described.channels.length > 0 || key !== undefined ? undefined : "neither: it is of no use",
  );
  if (key !== undefined) await checkClockAfter(connection, list, { ...metered, time });
  if (options.restart === true)
    await checkRestart(connection, list, { described, key, settleMs, patienceMs, time });
  return list.results;
}

/** False where nobody is there, who would be asked everything else in vain. */
async function checkServer(connection: SmpConnection, list: Checklist): Promise<boolean> {
  const said = "kilowitness checks";
  let silences = 0;
  const noted = async <Answer>(answer: Promise<Answer>): Promise<Answer> =>
    answer.catch((error: unknown) => {
      if (isNobody(error)) silences += 1;
      throw error;
    });
  await list.run("echo: gives back what it is sent", async () => {
    const back = await noted(echo(connection, said));
    return back === said ? undefined : `sent ${JSON.stringify(said)}, got ${JSON.stringify(back)}`;
  });
  if (connection.lost) return false;
  await list.run("parameters: says how long a message may be", async () => {
    if ((await noted(learnParameters(connection))) === undefined)
      throw new Skipped("it does not know the command: messages to it are at most 256 bytes");
    return undefined;
  });
  if (connection.lost || silences === 2) return false;
  await list.run("refuses an unknown command of its group", () =>
    refusedWith("smp-not-supported", () => connection.ask(UNKNOWN)),
  );
  return true;
}

function isNobody(error: unknown): boolean {
  return error instanceof Problem && /^(?:line-|smp-timeout$)/.test(error.code);
}
