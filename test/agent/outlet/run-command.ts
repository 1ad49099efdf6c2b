import type { Command } from "commander";
import { vi } from "vitest";

/** What a command printed, and its exit status. */
export interface Outcome {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** Runs a command within the test's own process. */
export async function runHere(command: Command, ...args: readonly string[]): Promise<Outcome> {
  let [out, err] = ["", ""];
  const spies = [
    vi.spyOn(process.stdout, "write").mockImplementation((text) => {
      out += String(text);
      return true;
    }),
    vi.spyOn(process.stderr, "write").mockImplementation((text) => {
      err += String(text);
      return true;
    }),
  ];
  const before = process.exitCode;
  process.exitCode = 0;
  try {
    await command.parseAsync([...args], { from: "user" });
    return { code: Number(process.exitCode), out, err };
  } finally {
    process.exitCode = before;
    for (const spy of spies) spy.mockRestore();
  }
}
