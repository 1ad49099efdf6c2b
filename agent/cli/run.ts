import { describeProblem } from "../../attest/problem.ts";

/** Runs a command's work; a failure becomes one line on standard error and exit status 1, or 2 for configuration. */
export async function runCommand(name: string, work: () => void | Promise<void>): Promise<void> {
  try {
    await work();
  } catch (cause) {
    const { code, message } = describeProblem(cause);
    process.stderr.write(`kilowitness ${name}: ${message} (${code})\n`);
    process.exitCode = code.startsWith("config-") ? 2 : 1;
  }
}
