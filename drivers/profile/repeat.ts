import { Problem } from "../../attest/problem.ts";
import type { Profile, ProfileChannel, ProfileCheck, ProfilePoint, ProfileSnapshot } from "./profile.ts";

/** outlet[9-16]Energy: one entry for each number from 9 to 16. */
const NUMBERED = /^(.*)\[(\d{1,3})-(\d{1,3})\](.*)$/;
const MOST_REPEATED = 128;

/**
 * The profile with every entry that has a range of numbers in its name as often as the range says: outlet[9-16] becomes
 * outlet9 to outlet16. In the entry # stands for the number, and an address moves on by `stride` from one to the next.
 * A check is repeated with its channel.
 *
 * @throws Problem `profile-invalid` when a range is empty or too long, or two entries get one name
 */
export function repeated(profile: Profile, file: string): Profile {
  const { snapshots, points, channels, checks } = profile;
  const all = <T extends object>(entries: Readonly<Record<string, T>>): Record<string, T> =>
    numberedEntries(entries, file);
  return {
    ...profile,
    snapshots: all<ProfileSnapshot>(snapshots),
    points: all<ProfilePoint>(points),
    channels: all<ProfileChannel>(channels),
    checks: checks.flatMap((check) => numberedCheck(check, file)),
  };
}

interface Numbers {
  readonly first: number;
  readonly last: number;
  nameOf(number: number): string;
}

function numbersOf(name: string, file: string): Numbers | undefined {
  const parts = NUMBERED.exec(name);
  if (parts === null) return undefined;
  const [, before = "", from = "", to = "", after = ""] = parts;
  const [first, last] = [Number(from), Number(to)];
  if (first <= last && last - first < MOST_REPEATED)
    return { first, last, nameOf: (number) => `${before}${number}${after}` };
  throw new Problem("profile-invalid", "no such range of numbers", {
    where: `${file}: ${name}`,
    expected: `[first-last] with at most ${MOST_REPEATED} numbers`,
  });
}

function numberedEntries<T extends object>(
  entries: Readonly<Record<string, T>>,
  file: string,
): Record<string, T> {
  const all = new Map<string, T>();
  const put = (name: string, entry: T): void => {
    if (all.has(name))
      throw new Problem("profile-invalid", "two entries get one name", { where: `${file}: ${name}` });
    all.set(name, entry);
  };
  for (const [name, entry] of Object.entries(entries)) {
    const numbers = numbersOf(name, file);
    if (numbers === undefined) put(name, entry);
    else
      for (const [at, one] of copies(entry, numbers).entries()) put(numbers.nameOf(numbers.first + at), one);
  }
  return Object.fromEntries(all);
}

function numberedCheck(check: ProfileCheck, file: string): ProfileCheck[] {
  const numbers = numbersOf(check.channel, file);
  if (numbers === undefined) return [check];
  return copies(check, numbers).map((one, at) => ({ ...one, channel: numbers.nameOf(numbers.first + at) }));
}

function copies<T extends object>(entry: T, { first, last }: Numbers): T[] {
  return Array.from({ length: last - first + 1 }, (_, at) => moved(withNumber(entry, first + at), at));
}

/** # is replaced in texts only, so the shape stays what the schema has checked. */
function withNumber<T>(value: T, number: number): T {
  if (typeof value === "string") return value.replaceAll("#", String(number)) as T;
  if (Array.isArray(value)) return value.map((item: unknown) => withNumber(item, number)) as T;
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, withNumber(item, number)])) as T;
}

function moved<T extends object>(entry: T, index: number): T {
  if (!("address" in entry) || !("stride" in entry)) return entry;
  const { address, stride } = entry;
  return typeof address === "number" && typeof stride === "number"
    ? { ...entry, address: address + index * stride }
    : entry;
}
