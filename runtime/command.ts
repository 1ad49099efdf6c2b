import { describeProblem } from "../attest/problem.ts";

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

/**
 * Resolves at the first SIGTERM or SIGINT, or when the parent process that listens is gone. A second signal ends the
 * process at once, as if nobody had waited.
 */
export function stopRequested(): Promise<void> {
  return new Promise((resolve) => {
    for (const signal of ["SIGTERM", "SIGINT"] as const) process.once(signal, () => resolve());
    process.once("disconnect", () => resolve());
  });
}

/** Ends the channel to a listening parent, which would keep a stopped program alive. */
export function leaveParent(): void {
  if (process.connected) process.disconnect();
}
