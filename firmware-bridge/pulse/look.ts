import { constants } from "node:fs";
import { access, copyFile, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { describeProblem, Problem } from "../../attest/problem.ts";
import type { CounterSettings } from "./counter-messages.ts";
import { CountingProcess } from "./counting-process.ts";
import type { PulseReading, PulseSource } from "./pulse-source.ts";

/**
 * Counts on from a register file without writing into it: on a copy, which is gone afterwards. What is counted so is counted
 * by nobody, so that the stretch since the last count stays one of downtime.
 */
export class PulseLook implements PulseSource {
  readonly #settings: CounterSettings;
  #folder: string | undefined;
  #counting: CountingProcess | undefined;

  constructor(settings: CounterSettings) {
    this.#settings = settings;
  }

  /** @throws Problem `pulse-…`, as counting does, also where the file could not be written or made */
  async start(): Promise<void> {
    const { registerFile } = this.#settings;
    const isThere = await requireWritable(registerFile);
    this.#folder = await mkdtemp(join(tmpdir(), "kilowitness-pulses-"));
    const copy = join(this.#folder, "register");
    if (isThere) await copyFile(registerFile, copy);
    this.#counting = new CountingProcess({ ...this.#settings, registerFile: copy });
    try {
      await this.#counting.start();
    } catch (cause) {
      const { code, message } = describeProblem(cause);
      throw new Problem(code, message.replaceAll(copy, registerFile), { cause });
    }
  }

  async read(): Promise<PulseReading> {
    if (this.#counting === undefined) throw new Problem("pulse-not-counting", "nobody counts at present");
    return await this.#counting.read();
  }

  async stop(): Promise<void> {
    await this.#counting?.stop();
    if (this.#folder !== undefined) await rm(this.#folder, { recursive: true, force: true });
  }
}

/** Whether the register file is there. */
async function requireWritable(path: string): Promise<boolean> {
  const isThere = await access(path).then(
    () => true,
    () => false,
  );
  const wanted = isThere ? constants.R_OK | constants.W_OK : constants.W_OK | constants.X_OK;
  try {
    await access(isThere ? path : dirname(path), wanted);
  } catch (cause) {
    throw new Problem("pulse-register-file", "the register file could not be written", {
      where: path,
      got: describeProblem(cause).message,
      hint: "it has to be in a folder that the agent may write to, such as its state folder",
      cause,
    });
  }
  return isThere;
}
