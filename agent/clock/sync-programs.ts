import { execFile, spawnSync } from "node:child_process";
import { existsSync, statSync } from "node:fs";
import { dirname } from "node:path";
import {
  type AnswerReader,
  readAdjtimex,
  readChrony,
  readNtpq,
  readTimedatectl,
  type SyncAnswer,
} from "./sync-answers.ts";

/** Asks whoever looks after the system's clock. All answers that were understood, in no order. */
export interface SyncSource {
  ask(signal: AbortSignal): Promise<readonly SyncAnswer[]>;
  /** The same, before anything else goes on, within the time given. */
  askAtOnce(withinMs: number): readonly SyncAnswer[];
}

interface SyncProgram {
  readonly command: string;
  readonly args: readonly string[];
  readonly read: AnswerReader;
}

const PROGRAMS: readonly SyncProgram[] = [
  { command: "chronyc", args: ["-n", "-c", "tracking"], read: readChrony },
  { command: "ntpq", args: ["-n", "-c", "rv", "127.0.0.1"], read: readNtpq },
  { command: "adjtimex", args: [], read: readAdjtimex },
];
/** Asked only where nobody else answers: systemd starts a service for it, and writes a line for each start. */
const LAST_RESORT: SyncProgram = {
  ...{ command: "timedatectl", args: ["show", "-p", "NTPSynchronized", "--value"], read: readTimedatectl },
};
/** systemd-timesyncd touches it at each synchronisation, and every boot begins without it (systemd-timesyncd(8)). */
const TIMESYNC_FLAG = "/run/systemd/timesync/synchronized";
/** All of them answer from memory; one that hangs is ended. */
const DEADLINE_MS = 3000;
const MOST_BYTES = 65_536;

/** The programs of this machine: those that are missing, fail, hang or print anything else say nothing. */
export class SyncPrograms implements SyncSource {
  readonly #flag: string;
  readonly #deadlineMs: number;

  constructor(flag: string = TIMESYNC_FLAG, deadlineMs: number = DEADLINE_MS) {
    this.#flag = flag;
    this.#deadlineMs = deadlineMs;
  }

  async ask(signal: AbortSignal): Promise<readonly SyncAnswer[]> {
    const run = async (program: SyncProgram): Promise<readonly SyncAnswer[]> => {
      const text = await this.#run(program, signal).catch(() => "");
      return answersIn(program, text);
    };
    const answers = [...this.#flagged(), ...(await Promise.all(PROGRAMS.map(run))).flat()];
    return answers.length > 0 || this.#hasTimesync() ? answers : run(LAST_RESORT);
  }

  askAtOnce(withinMs: number): readonly SyncAnswer[] {
    const answers = [...this.#flagged()];
    const endMs = performance.now() + withinMs;
    for (const program of this.#hasTimesync() ? PROGRAMS : [...PROGRAMS, LAST_RESORT]) {
      const timeout = Math.floor(endMs - performance.now());
      if (answers.length > 0 || timeout < 1) break;
      const { stdout } = spawnSync(program.command, program.args, {
        ...settings(timeout),
        stdio: ["ignore", "pipe", "ignore"],
      });
      answers.push(...answersIn(program, stdout ?? ""));
    }
    return answers;
  }

  #run({ command, args }: SyncProgram, signal: AbortSignal): Promise<string> {
    return new Promise((resolve) => {
      const options = { ...settings(this.#deadlineMs), signal };
      const child = execFile(command, args, options, (error, stdout) =>
        resolve(error === null ? stdout : ""),
      );
      child.unref();
    });
  }

  /** systemd-timesyncd runs, or has since the start: its mark says all there is to say. */
  #hasTimesync(): boolean {
    return existsSync(dirname(this.#flag));
  }

  #flagged(): SyncAnswer[] {
    try {
      return [{ synchronised: true, comparedMs: Math.floor(statSync(this.#flag).mtimeMs) }];
    } catch {
      return [];
    }
  }
}

function answersIn({ read }: SyncProgram, text: string): readonly SyncAnswer[] {
  const answer = read(text);
  return answer === undefined ? [] : [answer];
}

function settings(timeout: number): {
  readonly encoding: "utf8";
  readonly timeout: number;
  readonly killSignal: "SIGKILL";
  readonly maxBuffer: number;
  readonly env: NodeJS.ProcessEnv;
} {
  const env = { ...process.env, LC_ALL: "C" };
  return { encoding: "utf8", timeout, killSignal: "SIGKILL", maxBuffer: MOST_BYTES, env };
}
