import { once } from "node:events";
import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { pathToFileURL } from "node:url";
import { vi } from "vitest";
import type { CounterSettings } from "../../../firmware-bridge/pulse/counter-messages.ts";

/** Edges as [level, ns], printed one after the other with a pause between; at the end, `exit` ends the program. */
export interface LineScript {
  readonly edges: readonly (readonly [active: boolean, timeNs: bigint])[];
  readonly everyMs?: number;
  readonly exit?: { readonly code: number; readonly words: string };
  /** Printed as it is, before the edges. */
  readonly text?: string;
}

const MS = 1_000_000n;

/** `count` pulses of 30 ms, 60 ms apart, that ended a while ago. */
export function pulses(count: number, endNs: bigint = process.hrtime.bigint()): LineScript["edges"] {
  return Array.from({ length: count }, (_, index) => {
    const beganNs = endNs - BigInt(count - index) * 60n * MS;
    return [[true, beganNs] as const, [false, beganNs + 30n * MS] as const];
  }).flat();
}

/** The options that the real programs have, with the number of words that each takes; others are refused. */
const OPTIONS = {
  1: [
    ...["--active-low", "--line-buffered", "--rising-edge", "--falling-edge", "--silent"],
    ...["--bias=", "--num-events=", "--format="],
  ],
  2: [
    ...["--active-low", "--banner", "--by-name", "--localtime", "--quiet", "--strict", "--unquoted", "--utc"],
    ...["--bias=", "--chip=", "--consumer=", "--debounce-period=", "--edges=", "--event-clock=", "--format="],
    ...["--idle-timeout=", "--num-events="],
  ],
} as const;

/** A program in the place of gpiomon that checks its options and prints what the socket tells it, in the format asked for. */
function gpiomonText(version: 1 | 2, socket: string): string {
  const named = version === 1 ? "gpiomon (libgpiod) v1.6.3" : "gpiomon v2.2.4 (libgpiod v2.2.4)";
  return `#!${process.execPath}
const { connect } = require("node:net");
const [options, words] = [[], []];
for (const word of process.argv.slice(2)) (word.startsWith("--") ? options : words).push(word);
if (options.includes("--version")) { console.log(${JSON.stringify(`${named}\nLicense: none`)}); process.exit(0); }
const known = ${JSON.stringify(OPTIONS[version])};
const odd = options.find((one) => !known.some((name) => name.endsWith("=") ? one.startsWith(name) : one === name));
if (odd !== undefined || words.length !== ${version === 1 ? 2 : 1}) { console.error("gpiomon: try --help: " + odd); process.exit(1); }
const format = options.find((one) => one.startsWith("--format=")).slice(9);
const line = connect(${JSON.stringify(socket)});
line.write(JSON.stringify(process.argv.slice(2)) + "\\n");
// Whoever plays knows of this one before anybody believes that it watches.
if (options.includes("--banner")) line.once("data", () => console.log("Monitoring line '" + words[0] + "'..."));
const print = ([active, ns]) => {
  const [s, n] = [ns.slice(0, -9) || "0", ns.slice(-9).padStart(9, "0")];
  const values = ${
    version === 1
      ? `{ "%e": active ? "1" : "0", "%s": s, "%n": String(Number(n)) }`
      : `{ "%e": active ? "1" : "2", "%S": s + "." + n }`
  };
  console.log(format.replace(/%[a-zA-Z]/g, (found) => values[found] ?? found));
};
${PLAY}
play(line, print, (text) => process.stdout.write(text));
`;
}

/** As {@link gpiomonText}, as far as the options, and then nothing. */
function hangingText(version: 1 | 2, socket: string): string {
  return `#!${process.execPath}
if (process.argv.includes("--version")) { console.log("gpiomon v${version}.9.9"); process.exit(0); }
const line = require("node:net").connect(${JSON.stringify(socket)});
line.write(JSON.stringify(process.argv.slice(2)) + "\\n");
`;
}

/** Reads scripts off the socket and plays them one after the other, at their own pace. */
const PLAY = `
function play(line, edge, text) {
  let rest = "";
  let turn = Promise.resolve();
  line.setEncoding("utf8").on("data", (data) => {
    const scripts = (rest + data).split("\\n");
    rest = scripts.pop();
    for (const script of scripts) if (script !== "") turn = turn.then(() => run(JSON.parse(script)));
  });
  async function run({ edges, everyMs, exit, text: words }) {
    if (words !== undefined) text(words);
    for (const one of edges) {
      if (everyMs > 0) await new Promise((resolve) => setTimeout(resolve, everyMs));
      edge(one);
    }
    line.write("played\\n");
    if (exit === undefined) return;
    if (exit.words !== "") process.stderr.write(exit.words + "\\n");
    setTimeout(() => process.exit(exit.code), 10);
  }
}`;

function onoffText(socket: string): string {
  return `
import { connect } from "node:net";
${PLAY}
export class Gpio {
  constructor(...words) {
    this.line = connect(${JSON.stringify(socket)});
    this.line.write(JSON.stringify(words) + "\\n");
  }
  watch(callback) {
    play(this.line, ([active]) => callback(null, active ? 1 : 0), (text) => callback(new Error(text)));
  }
  unexport() { this.line.destroy(); }
}`;
}

/** One line of a machine that has no GPIO: programs and a module that count what a test says. */
export class FakeLine {
  readonly folder: string = mkdtempSync(join(tmpdir(), "pulse-"));
  readonly #server: Server = createServer((socket) => this.#connected(socket));
  readonly #sockets = new Set<Socket>();
  /** Of what watched the line last. */
  #socket: Socket | undefined;
  #leftToPlay = 0;
  readonly #waiting: ((words: unknown) => void)[] = [];
  readonly #seen: unknown[] = [];

  async open(): Promise<void> {
    this.#server.listen(this.#path);
    await once(this.#server, "listening");
  }

  /** From here on gpiomon is this one, and there is no other. */
  installGpiomon(version: 1 | 2): void {
    this.#install(gpiomonText(version, this.#path));
  }

  /** From here on gpiomon hangs: it knows its version, and says nothing else. */
  installHangingGpiomon(version: 1 | 2): void {
    this.#install(hangingText(version, this.#path));
  }

  /** From here on there is no gpiomon that could be run, and of other programs only these. */
  installNoGpiomon(others: readonly string[] = ["flock"]): void {
    const bin = join(this.folder, "others");
    mkdirSync(bin);
    const folders = (process.env["PATH"] ?? "").split(delimiter);
    for (const name of others) {
      const found = folders.map((folder) => join(folder, name)).find((path) => existsSync(path));
      if (found !== undefined) symlinkSync(found, join(bin, name));
    }
    vi.stubEnv("PATH", bin);
  }

  /** From here on a process that asks for onoff gets one that is none. */
  installOnoff(): void {
    const module = join(this.folder, "onoff.mjs");
    writeFileSync(module, onoffText(this.#path));
    const hooks = join(this.folder, "hooks.mjs");
    writeFileSync(
      hooks,
      `import { registerHooks } from "node:module";
      registerHooks({ resolve: (name, context, next) => name === "onoff"
        ? { url: ${JSON.stringify(pathToFileURL(module).href)}, shortCircuit: true, format: "module" }
        : next(name, context) });`,
    );
    vi.stubEnv("NODE_OPTIONS", `--import=${pathToFileURL(hooks).href}`);
  }

  /** With what a program or the module watches the line: resolves once for each. */
  watched(): Promise<unknown> {
    if (this.#seen.length > 0) return Promise.resolve(this.#seen.shift());
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  /** Resolves when what watched the line last has let go of it. */
  async released(): Promise<void> {
    const socket = this.#socket;
    // Whoever was killed has reset it, which is an end like any other.
    if (socket !== undefined && !socket.closed) await new Promise((resolve) => socket.once("close", resolve));
  }

  play({ edges, everyMs = 0, ...rest }: LineScript): void {
    this.#leftToPlay += 1;
    const script = { edges: edges.map(([active, ns]) => [active, String(ns)]), everyMs, ...rest };
    this.#socket?.write(`${JSON.stringify(script)}\n`);
  }

  /** Scripts of which a part has not left the program or the module yet. */
  get leftToPlay(): number {
    return this.#leftToPlay;
  }

  settings(more: Partial<CounterSettings> = {}): CounterSettings {
    return {
      ...{ chip: "gpiochip0", line: 17, activeLow: true, bias: "pull-up", through: "auto" },
      ...{
        minPulseMs: 20,
        minGapMs: 20,
        basis: "gpiochip0:17 1000/1",
        sysfsRoot: join(this.folder, "sysfs"),
      },
      registerFile: join(this.folder, "register"),
      ...more,
    };
  }

  async close(): Promise<void> {
    vi.unstubAllEnvs();
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
    // Who was killed with its guard may be about to write something.
    rmSync(this.folder, { recursive: true, force: true, maxRetries: 10 });
  }

  get #path(): string {
    return join(this.folder, "line");
  }

  #install(program: string): void {
    const bin = join(this.folder, "bin");
    mkdirSync(bin, { recursive: true });
    writeFileSync(join(bin, "gpiomon"), program);
    chmodSync(join(bin, "gpiomon"), 0o755);
    vi.stubEnv("PATH", `${bin}${delimiter}${process.env["PATH"] ?? ""}`);
  }

  #connected(socket: Socket): void {
    this.#sockets.add(socket);
    socket.on("error", () => undefined);
    socket.once("close", () => this.#sockets.delete(socket));
    let rest = "";
    socket.setEncoding("utf8").on("data", (data: string) => {
      const lines = (rest + data).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines)
        if (line === "played") this.#leftToPlay -= 1;
        else this.#watches(socket, JSON.parse(line));
    });
  }

  #watches(socket: Socket, words: unknown): void {
    this.#socket = socket;
    // An empty line: it is known here.
    socket.write("\n");
    const next = this.#waiting.shift();
    if (next === undefined) this.#seen.push(words);
    else next(words);
  }
}
