import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, vi } from "vitest";
import { proveCommand } from "../../agent/cli/prove.ts";
import { nativeSuite } from "../../attest/native.ts";
import { verifyProof } from "../../attest/proof-verify.ts";
import { type EnergyVerdict, type FlexibilityVerdict, judge, type Verdict } from "../../attest/verdict.ts";
import { Home, nodeSigner } from "./epochs-kit.ts";
import { deviceSigner, INTERVAL_MS, START_MS, temporaryFolder } from "./kit.ts";

export interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** `minute(2)` is 12:02; a home's first reading is 35 s behind `minute(0)`. */
export function minute(number: number): number {
  return START_MS - 30_000 + number * INTERVAL_MS;
}

export function iso(ms: number): string {
  return new Date(ms).toISOString();
}

/** `kilowitness prove` beside a home's journal, which may be in use meanwhile. */
export class Prover {
  readonly home: Home;
  readonly out: string;
  readonly #config: string;

  constructor(folder: string) {
    this.home = new Home(folder);
    this.out = join(folder, "out.kwp");
    this.#config = this.home.writeConfig();
  }

  /** Runs the command in this process. Throws what the command line's own checks throw. */
  async prove(...args: readonly string[]): Promise<Ended> {
    const said = { stdout: "", stderr: "" };
    for (const name of ["stdout", "stderr"] as const) {
      vi.spyOn(process[name], "write").mockImplementation((text) => {
        said[name] += String(text);
        return true;
      });
    }
    try {
      const all = ["--config", this.#config, "--out", this.out, ...args];
      await proveCommand().exitOverride().parseAsync(all, { from: "user" });
      return { code: Number(process.exitCode ?? 0), ...said };
    } finally {
      process.exitCode = 0;
      vi.restoreAllMocks();
    }
  }

  /** The one line that the command refuses with. */
  async refused(args: readonly string[], code: string): Promise<string> {
    const ended = await this.prove(...args);
    expect(ended).toMatchObject({ code: 1, stdout: "" });
    expect(ended.stderr).toContain(`(${code})\n`);
    expect(ended.stderr.trim().split("\n")).toHaveLength(1);
    expect(existsSync(this.out)).toBe(false);
    return ended.stderr;
  }

  /** The written file, as somebody judges it who trusts the device and its node. */
  energy(): EnergyVerdict {
    const found = this.#verdict();
    if (found.claim !== "energy") throw new Error("no proof of energy");
    return found;
  }

  flexibility(): FlexibilityVerdict {
    const found = this.#verdict();
    if (found.claim !== "flexibility") throw new Error("no proof of flexibility");
    return found;
  }

  #verdict(): Verdict {
    const policy = { deviceKeys: [deviceSigner.publicKey], nodeKeys: [nodeSigner.publicKey], witnesses: 1 };
    return judge(nativeSuite, verifyProof(nativeSuite, readFileSync(this.out)), policy);
  }
}

/** What to ask for: the meter's energy between two instants. */
export function span(fromMs: number, toMs: number): string[] {
  return ["--channel", "meter/grid", "--from", iso(fromMs), "--to", String(toMs)];
}

/** Gives each test of the surrounding suite a fresh home. */
export function eachWithHome(take: (prover: Prover, home: Home) => void): void {
  let remove = (): void => undefined;
  let prover: Prover | undefined;
  beforeEach(() => {
    const made = temporaryFolder();
    remove = made.remove;
    prover = new Prover(made.folder);
    take(prover, prover.home);
  });
  afterEach(() => {
    prover?.home.close();
    remove();
  });
}
