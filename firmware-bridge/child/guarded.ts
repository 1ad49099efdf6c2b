import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";

/** A command as a POSIX shell reads it. */
export function shellCommand(words: readonly string[]): string {
  return words.map((word) => `'${word.replaceAll("'", `'\\''`)}'`).join(" ");
}

/**
 * The command that runs the same program so that it is killed when the process that started it is gone, killed or not (prctl(2),
 * PR_SET_PDEATHSIG, by setpriv of util-linux; where that cannot do it, the program runs without). Its pid is that of the command.
 */
export function endsWithParent(command: readonly string[]): readonly [string, ...string[]] {
  const script = `setpriv --pdeathsig KILL true 2>/dev/null && set -- setpriv --pdeathsig KILL
exec "$@" ${shellCommand(command)}`;
  return ["/bin/sh", "-c", script];
}

/**
 * Starts a program that ends with this process, however this one ends: a shell waits at its standard input, which is a pipe that
 * nobody but this process has the other end of. Without it a gpiomon keeps its line until the next edge comes, which may be days.
 * Its standard output and error are the program's, its exit code is the program's, or 128 and the signal that ended it.
 */
export function spawnGuarded(command: readonly string[]): ChildProcessWithoutNullStreams {
  const child = spawn("/bin/sh", ["-c", guardOf(command)], { stdio: "pipe" });
  // A guard that is gone cannot be told anything; its end is seen elsewhere.
  child.stdin.on("error", () => undefined);
  // The program is the only one who still has this end of the pipe.
  child.stdout.once("close", () => endGuarded(child));
  return child;
}

/** Has the program end, by SIGTERM. Where somebody has killed the guard, it ends by itself, when nobody reads what it says next. */
export function endGuarded({ signalCode, stdin, stdout, stderr }: ChildProcessWithoutNullStreams): void {
  stdin.end();
  if (signalCode === null) return;
  stdout.destroy();
  stderr.destroy();
}

function guardOf(command: readonly string[]): string {
  return `${shellCommand(command)} </dev/null &
program=$!
exec >/dev/null
read -r _
kill "$program" 2>/dev/null
wait "$program" 2>/dev/null
`;
}
