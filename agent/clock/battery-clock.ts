import { lstatSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** What the machine says of a clock that runs on while it has no power. */
export type BatteryClock =
  /** It shows this, ms since 1970. */
  | { readonly kind: "shows"; readonly timeMs: number }
  /** There is none, or it has lost its time: after a power cut the system's clock is a guess. */
  | { readonly kind: "none" }
  /** The kernel lists none, but has one to start from: a PC's, or that of the host of a virtual machine. */
  | { readonly kind: "unlisted" };

export interface BatteryClockPlaces {
  /** Where Linux lists clocks: a folder each, with `since_epoch` in it. */
  readonly rtcFolder: string;
  /** There on boards that are described by a device tree, which tells of all that they have. */
  readonly deviceTree: string;
  readonly arch: string;
}

export const MACHINE: BatteryClockPlaces = {
  rtcFolder: "/sys/class/rtc",
  deviceTree: "/proc/device-tree",
  arch: process.arch,
};

/** x86 kernels read the PC's clock, or the host's, at the start, whether they list it or not. */
const PC: ReadonlySet<string> = new Set(["x64", "ia32"]);

/** What `rtcFolder` shows now. A clock whose battery is empty refuses to be read, or shows a time of long ago. */
export function readBatteryClock(places: BatteryClockPlaces = MACHINE): BatteryClock {
  const names = listed(places.rtcFolder);
  const times = (names ?? []).flatMap((name) => secondsOf(join(places.rtcFolder, name)));
  if (times.length > 0) return { kind: "shows", timeMs: Math.max(...times) * 1000 };
  if (names !== undefined && names.length > 0) return { kind: "none" };
  if (PC.has(places.arch)) return { kind: "unlisted" };
  return names === undefined && !isThere(places.deviceTree) ? { kind: "unlisted" } : { kind: "none" };
}

function listed(folder: string): string[] | undefined {
  try {
    return readdirSync(folder);
  } catch {
    return undefined;
  }
}

function secondsOf(folder: string): number[] {
  try {
    const text = readFileSync(join(folder, "since_epoch"), "utf8").trim();
    return /^\d{1,11}$/.test(text) ? [Number(text)] : [];
  } catch {
    return [];
  }
}

/** In a container the link is there although what it leads to is hidden. */
function isThere(path: string): boolean {
  try {
    lstatSync(path);
    return true;
  } catch {
    return false;
  }
}
