/** What a benchmark may be told beside its name. */
export interface Flags {
  /** `--long`: also the cases that take minutes. */
  readonly long: boolean;
  /** `--cpu-prof=FOLDER`: where CPU profiles of the program that is measured are written. */
  readonly profileFolder?: string;
}

const PROFILE = "--cpu-prof=";

export function flagsOf(args: readonly string[]): Flags {
  const profile = args.find((arg) => arg.startsWith(PROFILE));
  return {
    long: args.includes("--long"),
    ...(profile === undefined ? {} : { profileFolder: profile.slice(PROFILE.length) }),
  };
}
