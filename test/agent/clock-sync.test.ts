import { chmodSync, mkdirSync, utimesSync, writeFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type BatteryClock, readBatteryClock } from "../../agent/clock/battery-clock.ts";
import {
  readAdjtimex,
  readChrony,
  readNtpq,
  readTimedatectl,
  type SyncAnswer,
} from "../../agent/clock/sync-answers.ts";
import { SyncPrograms } from "../../agent/clock/sync-programs.ts";
import { SystemClock } from "../../agent/clock/system-clock.ts";
import { DAY_MS } from "./clock-kit.ts";
import { START_MS, temporaryFolder } from "./kit.ts";

const COMPARED_S = START_MS / 1000 - 200;

/** A line of `chronyc -c tracking` with fields changed by their place. */
function chrony(changes: Readonly<Record<number, string>> = {}): string {
  const fields = `A29FC87B,162.159.200.123,4,${COMPARED_S}.123456789,-0.000012345,0.000034,0.000020,-12.345,0.001,0.05,0.012,0.002,64.2,Normal`;
  return `${fields
    .split(",")
    .map((field, index) => changes[index] ?? field)
    .join(",")}\n`;
}

// As ntpd 4.2.8 prints it; its reference time was seen beside "Mon, May 4 2020 12:06:11.033" two hours ahead of UTC.
const NTPQ = `associd=0 status=0615 leap_none, sync_ntp, 1 event, clock_sync,
version="ntpd 4.2.8p15", processor="x86_64", leap=00, stratum=4,
precision=-24, rootdelay=13.442, rootdisp=17.497, refid=10.71.0.253,
reftime=e25a6793.087b11c2  Mon, May  4 2020 12:06:11.033, tc=8, mintc=3, offset=+0.233599, frequency=+32.658`;

describe("what programs say of the clock", () => {
  it("of chronyd: offset, half the root delay and the root dispersion", () => {
    const { synchronised, errorMs, comparedMs } = readChrony(chrony()) ?? { synchronised: false };
    expect(synchronised).toBe(true);
    expect(errorMs).toBeCloseTo(0.012345 + 6 + 2, 6);
    expect(comparedMs).toBeCloseTo(START_MS - 200_000 + 123.456789, 3);
  });

  it.each([
    ["not synchronised", { 0: "00000000", 1: "", 2: "0", 13: "Not synchronised" }],
    ["its own clock", { 0: "7F7F0101", 2: "10" }],
    ["stratum 16", { 2: "16" }],
    ["stratum 0", { 2: "0" }],
  ])("of chronyd that follows nobody: %s", (_, changes) => {
    expect(readChrony(chrony(changes))?.synchronised).toBe(false);
  });

  it("of chronyd, with an account that cannot be", () => {
    for (const changes of [{ 10: "-3" }, { 11: "-0.5" }])
      expect(readChrony(chrony(changes))?.errorMs).toBe(Number.POSITIVE_INFINITY);
  });

  it("of ntpd: milliseconds, and a reference time that counts from 1900 or from 2036", () => {
    const answer = readNtpq(NTPQ);
    expect(answer?.errorMs).toBeCloseTo(0.233599 + 6.721 + 17.497, 6);
    expect(answer).toMatchObject({ synchronised: true, comparedMs: Date.UTC(2020, 4, 4, 10, 6, 11) });
    expect(readNtpq(NTPQ.replace("e25a6793", "00000010"))?.comparedMs).toBe(Date.UTC(2036, 1, 7, 6, 28, 32));
    expect(readNtpq(NTPQ.replace("leap=00", "leap=11"))?.synchronised).toBe(false);
    expect(readNtpq(NTPQ.replace("10.71.0.253", "LOCAL(0)"))?.synchronised).toBe(false);
  });

  it("of systemd and of the kernel", () => {
    expect([readTimedatectl("yes\n"), readTimedatectl("no\n")]).toEqual([
      { synchronised: true },
      { synchronised: false },
    ]);
    expect(readAdjtimex("    maxerror:     2500 us\n")).toEqual({ synchronised: true });
    expect(readAdjtimex("     maxerror: 16000000\n")).toEqual({ synchronised: false });
  });

  it("understands nothing else", () => {
    const readers = [readChrony, readTimedatectl, readNtpq, readAdjtimex];
    const texts = [
      ...["", "506 Cannot talk to daemon\n", "yes no", chrony({ 3: "nan" }), chrony({ 4: "1e999" })],
      ...[
        chrony({ 0: "xyz" }),
        `${chrony()},1`,
        NTPQ.replace("reftime", "rftime"),
        NTPQ.replace("17.497", "-"),
      ],
      ...["maxerror: x", "ntpq: read: Connection refused"],
    ];
    for (const text of texts) for (const read of readers) expect(read(text)).toBeUndefined();
    fc.assert(
      fc.property(fc.string(), fc.constantFrom(...readers), (text, read) => {
        fc.pre(text.trim() !== "yes" && text.trim() !== "no");
        expect(read(text)).toBeUndefined();
      }),
    );
  });
});

describe("asking programs", () => {
  let folder = "";
  let flag = "";
  let remove = (): void => undefined;
  const { PATH = "" } = process.env;

  beforeEach(() => {
    ({ folder, remove } = temporaryFolder());
    flag = join(folder, "timesync", "synchronized");
    process.env["PATH"] = `${folder}${delimiter}${PATH}`;
    // So that no program of this machine has a say.
    for (const name of ["chronyc", "timedatectl", "ntpq", "adjtimex"]) program(name, "exit 1");
  });
  afterEach(() => {
    process.env["PATH"] = PATH;
    remove();
  });

  function program(name: string, script: string): void {
    writeFileSync(join(folder, name), `#!/bin/sh\n${script}\n`);
    chmodSync(join(folder, name), 0o755);
  }

  async function both(deadlineMs?: number): Promise<readonly SyncAnswer[][]> {
    const programs = new SyncPrograms(flag, deadlineMs);
    return [[...(await programs.ask(new AbortController().signal))], [...programs.askAtOnce(2000)]];
  }

  it("hears nothing where they fail, are missing, or have nothing to say", async () => {
    expect(await both()).toEqual([[], []]);
    process.env["PATH"] = join(folder, "nowhere");
    expect(await both()).toEqual([[], []]);
  });

  it("asks chronyd for its tracking, and systemd only where nobody else answers", async () => {
    program("timedatectl", `[ "$*" = "show -p NTPSynchronized --value" ] && echo yes`);
    const kernel = [{ synchronised: true }];
    expect(await both()).toEqual([kernel, kernel]);
    program("chronyc", `[ "$*" = "-n -c tracking" ] && printf '%s' '${chrony()}'`);
    const tracking = [readChrony(chrony())];
    expect(await both()).toEqual([tracking, tracking]);
  });

  it("takes systemd-timesyncd's mark for the time of the last comparison, and its absence for none", async () => {
    program("timedatectl", "echo yes");
    mkdirSync(join(folder, "timesync"));
    expect(await both()).toEqual([[], []]);
    writeFileSync(flag, "");
    utimesSync(flag, COMPARED_S, COMPARED_S);
    const marked = [{ synchronised: true, comparedMs: COMPARED_S * 1000 }];
    expect(await both()).toEqual([marked, marked]);
  });

  it("waits for none that hangs, and reads no flood", async () => {
    program("chronyc", "exec sleep 60");
    program("adjtimex", "yes maxerror: 1");
    program("ntpq", `cat <<'END'\n${NTPQ}\nEND`);
    const programs = new SyncPrograms(flag, 300);
    expect(await programs.ask(new AbortController().signal)).toEqual([readNtpq(NTPQ)]);
    expect(programs.askAtOnce(200)).toEqual([]);
  });

  it("ends what is still running when the agent stops", async () => {
    program("chronyc", "exec sleep 60");
    const stopped = new AbortController();
    const asked = new SyncPrograms(flag, 60_000).ask(stopped.signal);
    stopped.abort();
    expect(await asked).toEqual([]);
  });
});

describe("battery clocks", () => {
  let folder = "";
  let remove = (): void => undefined;
  beforeEach(() => {
    ({ folder, remove } = temporaryFolder());
  });
  afterEach(() => remove());

  function read(arch: string, deviceTree = join(folder, "none")): BatteryClock {
    return readBatteryClock({ rtcFolder: join(folder, "rtc"), deviceTree, arch });
  }

  function clock(name: string, sinceEpoch: string): void {
    mkdirSync(join(folder, "rtc", name), { recursive: true });
    writeFileSync(join(folder, "rtc", name, "since_epoch"), sinceEpoch);
  }

  it("shows the latest of those that can be read", () => {
    clock("rtc0", "12\n");
    clock("rtc1", "1793534430\n");
    clock("rtc2", "");
    expect(read("arm64")).toEqual({ kind: "shows", timeMs: START_MS });
  });

  it("is there but has lost its time where none can be read", () => {
    clock("rtc0", "");
    expect([read("arm64"), read("x64")]).toEqual([{ kind: "none" }, { kind: "none" }]);
  });

  it("is not there on a board that lists none, whether the kernel knows of such clocks or not", () => {
    expect(read("arm64", folder)).toEqual({ kind: "none" });
    mkdirSync(join(folder, "rtc"));
    expect(read("arm64")).toEqual({ kind: "none" });
  });

  it("need not be listed by a PC, or by the host of a virtual machine", () => {
    expect(read("arm64")).toEqual({ kind: "unlisted" });
    mkdirSync(join(folder, "rtc"));
    expect(read("x64")).toEqual({ kind: "unlisted" });
  });
});

/** A system clock whose parts are told what to show; everything is asked at its time. */
class Rig {
  wall = START_MS;
  monotonic = 1000;
  battery: BatteryClock = { kind: "none" };
  answers: readonly SyncAnswer[] = [];
  asked = 0;
  hangs = false;
  readonly clock: SystemClock;

  constructor(change: (rig: Rig) => void = () => undefined) {
    change(this);
    const ask = (): readonly SyncAnswer[] => {
      this.asked += 1;
      return this.answers;
    };
    this.clock = new SystemClock({
      sync: {
        ask: () => (this.hangs ? new Promise(() => undefined) : Promise.resolve(ask())),
        askAtOnce: ask,
      },
      batteryClock: () => this.battery,
      wallMs: () => this.wall,
      monotonicMs: () => this.monotonic,
      sinceBootMs: () => this.monotonic,
    });
  }

  get knows(): readonly [synchronised: boolean, set: boolean] {
    return [this.clock.synchronised(), this.clock.batteryClock()];
  }

  async pass(ms: number): Promise<void> {
    for (const end = this.monotonic + ms; this.monotonic < end; ) {
      const step = Math.min(1000, end - this.monotonic);
      this.monotonic += step;
      this.wall += step;
      this.clock.look();
      await Promise.resolve();
      await Promise.resolve();
      await new Promise(setImmediate);
    }
  }
}

describe("the system clock", () => {
  const good: SyncAnswer = { synchronised: true, errorMs: 8, comparedMs: START_MS - 60_000 };

  it("is known at the start where somebody says that it is synchronised", () => {
    expect(new Rig((rig) => Object.assign(rig, { answers: [good] })).knows).toEqual([true, false]);
    expect(new Rig().knows).toEqual([false, false]);
  });

  it("is borne out by a battery clock that shows the same, at any time of its drift", async () => {
    const rig = new Rig((fresh) => {
      fresh.battery = { kind: "shows", timeMs: START_MS - 900 };
    });
    expect([rig.knows, rig.asked]).toEqual([[false, true], 0]);
    await rig.pass(10_000);
    expect(rig.knows).toEqual([false, true]);
    rig.wall += 65_000;
    expect(rig.knows).toEqual([false, false]);
  });

  it("is not borne out by a battery clock that starts in 2000 while the system starts from a saved time", () => {
    const shows = { kind: "shows", timeMs: Date.UTC(2000, 0, 1) } as const;
    expect(new Rig((rig) => Object.assign(rig, { battery: shows })).knows).toEqual([false, false]);
  });

  it.each([
    [
      "compared in the future: the clock was set back under it",
      { ...good, comparedMs: START_MS + 3000 },
      [false, false],
    ],
    ["compared long ago", { ...good, comparedMs: START_MS - DAY_MS }, [false, true]],
    ["compared too long ago to remember", { ...good, comparedMs: START_MS - 31 * DAY_MS }, [false, false]],
    ["off by more than a server may be", { ...good, errorMs: 1501 }, [false, true]],
    ["with an error that cannot be", { ...good, errorMs: Number.POSITIVE_INFINITY }, [false, true]],
    ["never compared", { ...good, synchronised: false }, [false, false]],
    ["by the kernel alone", { synchronised: true }, [true, false]],
  ] as const)("believes programs as far as that can be: %s", (_, answer, knows) => {
    expect(new Rig((rig) => Object.assign(rig, { answers: [answer] })).knows).toEqual(knows);
  });

  it("is synchronised by the best of several answers", () => {
    const answers = [{ synchronised: false }, { ...good, errorMs: 5000 }, good];
    expect(new Rig((rig) => Object.assign(rig, { answers })).clock.synchronised()).toBe(true);
  });

  it("asks seldom: each 16 s until somebody stands behind it, then each 4 min", async () => {
    const rig = new Rig();
    await rig.pass(160_000);
    expect(rig.asked).toBe(11);
    rig.answers = [{ synchronised: true }];
    await rig.pass(16_000);
    rig.asked = 0;
    await rig.pass(2_400_000);
    expect(rig.asked).toBe(10);
  });

  it("asks at once when the clock was set, and believes nobody who has not compared it since", async () => {
    const rig = new Rig((fresh) => Object.assign(fresh, { answers: [good] }));
    await rig.pass(20_000);
    rig.asked = 0;
    rig.wall += 600_000;
    expect(rig.knows).toEqual([false, false]);
    await rig.pass(3000);
    expect(rig.asked).toBe(3);
    expect(rig.knows).toEqual([false, false]);
    rig.answers = [{ ...good, comparedMs: rig.wall - 4000 }];
    await rig.pass(1000);
    expect(rig.clock.synchronised()).toBe(true);
  });

  it("believes no answer from before the clock was set, not even of the kernel", async () => {
    const rig = new Rig((fresh) => Object.assign(fresh, { answers: [{ synchronised: true }] }));
    rig.wall += 600_000;
    rig.monotonic += 1000;
    rig.clock.look();
    expect(rig.clock.synchronised()).toBe(false);
    await rig.pass(1000);
    expect(rig.clock.synchronised()).toBe(true);
  });

  it("forgets what was answered when nobody answers any more", async () => {
    const rig = new Rig((fresh) => Object.assign(fresh, { answers: [{ synchronised: true }] }));
    await rig.pass(20_000);
    rig.answers = [];
    await rig.pass(240_000);
    expect(rig.clock.synchronised()).toBe(false);
    const stuck = new Rig((fresh) =>
      Object.assign(fresh, { answers: [{ synchronised: true }], hangs: true }),
    );
    await stuck.pass(600_000);
    expect(stuck.clock.synchronised()).toBe(true);
    await stuck.pass(1000);
    expect(stuck.clock.synchronised()).toBe(false);
  });
});
