import { execFile } from "node:child_process";

/** What a command printed, and its exit status. */
export interface Outcome {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** Words with which the runtime runs one command alone, as the launcher does: that which the named function of the module makes. */
export function commandAlone(module: string, name: string): readonly string[] {
  const script = `const { ${name} } = await import(${JSON.stringify(module)});
    await ${name}().parseAsync(process.argv.slice(1), { from: "user" });`;
  return ["--input-type=module", "-e", script, "--"];
}

/** Runs the runtime with these words to its end. */
export function outcomeOf(words: readonly string[]): Promise<Outcome> {
  return new Promise((resolve) => {
    execFile(process.execPath, words, (error, out, err) =>
      resolve({ code: typeof error?.code === "number" ? error.code : 0, out, err }),
    );
  });
}
