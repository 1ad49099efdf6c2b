import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { stripVTControlCharacters } from "node:util";
import fc from "fast-check";
import { afterEach, describe, expect, it } from "vitest";
import { enrolCommand } from "../../agent/cli/enrol.ts";
import { enrolmentUri, qrLines } from "../../agent/cli/enrol-qr.ts";
import { readCodeFile } from "../../agent/identity/code-file.ts";
import { toHex } from "../../attest/bytes.ts";
import { nativeSigner } from "../../attest/native.ts";
import { createKey } from "../../runtime/key-file.ts";
import { temporaryFolder } from "./kit.ts";
import { type Outcome, runHere } from "./outlet/run-command.ts";
import { runAgent } from "./outlet/running-agent.ts";

type Decoder = (pixels: Uint8ClampedArray, width: number, height: number) => { readonly data: string } | null;
/** A reader by other authors than the writer's. */
const decode: Decoder = createRequire(import.meta.url)("jsqr");

const DEVICE = "ab".repeat(32);
const NODE_A = { url: "wss://a.example.org/stream", key: "0a".repeat(32) };
const NODE_B = { url: "wss://b.example.org", key: "0b".repeat(32) };
const MODULE_PIXELS = 4;
/** Around what is drawn, as much of the terminal's own background. */
const MARGIN = 2;

let closers: (() => Promise<unknown> | unknown)[] = [];
afterEach(async () => {
  for (const close of closers.reverse()) await close();
  closers = [];
});

interface Terminal {
  readonly ink: "black" | "white";
  readonly background: "black" | "white";
}

/** What a camera sees of the lines, a grey value for each module. */
function seen(lines: readonly string[], terminal: Terminal): number[][] {
  const grey = { black: 0, white: 255 } as const;
  const width = Math.max(...lines.map((line) => stripVTControlCharacters(line).length)) + 2 * MARGIN;
  const blank = (): number[] => Array<number>(width).fill(grey[terminal.background]);
  const rows = lines.flatMap((line) => {
    // Colours of its own hold whatever the terminal's are.
    const own = line.startsWith("\u001b[38;5;16;48;5;231m") && line.endsWith("\u001b[0m");
    const { ink, background } = own ? ({ ink: "black", background: "white" } as const) : terminal;
    const [upper, lower] = [blank(), blank()];
    [...stripVTControlCharacters(line)].forEach((character, column) => {
      upper[column + MARGIN] = grey["▀█".includes(character) ? ink : background];
      lower[column + MARGIN] = grey["▄█".includes(character) ? ink : background];
    });
    return [upper, lower];
  });
  return [blank(), blank(), ...rows, blank(), blank()];
}

function scanned(lines: readonly string[], terminal: Terminal): string | undefined {
  const modules = seen(lines, terminal);
  const [width, height] = [(modules[0]?.length ?? 0) * MODULE_PIXELS, modules.length * MODULE_PIXELS];
  const pixels = new Uint8ClampedArray(width * height * 4).fill(255);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const value = modules[Math.floor(y / MODULE_PIXELS)]?.[Math.floor(x / MODULE_PIXELS)] ?? 255;
      pixels.fill(value, (y * width + x) * 4, (y * width + x) * 4 + 3);
    }
  }
  return decode(pixels, width, height)?.data;
}

const DARK: Terminal = { ink: "white", background: "black" };
const LIGHT: Terminal = { ink: "black", background: "white" };

describe("the QR code in a terminal", () => {
  it.each([
    ["colour", DARK],
    ["colour", LIGHT],
    ["dark", DARK],
    ["light", LIGHT],
  ] as const)("is read in the way %s by another library, from %j", (way, terminal) => {
    const uri = enrolmentUri("example-network", DEVICE);
    const lines = qrLines(uri, way);
    expect(scanned(lines, terminal)).toBe(uri);
    expect(scanned(lines.slice(0, -9), terminal)).not.toBe(uri);
  });

  it("fits into 80 columns, with four light modules around it, for every network and device", () => {
    const printable = fc.string({
      unit: fc.integer({ min: 0x21, max: 0x7e }).map((code) => String.fromCharCode(code)),
      ...{ minLength: 1, maxLength: 64 },
    });
    const device = fc.uint8Array({ minLength: 32, maxLength: 32 }).map(toHex);
    fc.assert(
      fc.property(printable, device, (network, key) => {
        const uri = enrolmentUri(network, key);
        const lines = qrLines(uri, "light");
        expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(80);
        for (const line of [...lines.slice(0, 2), ...lines.slice(-2)]) expect(line.trim()).toBe("");
        for (const line of lines) expect(line).toMatch(/^ {4}.* {4}$/);
        expect(scanned(lines, LIGHT)).toBe(uri);
        expect(new URL(uri).searchParams.get("network")).toBe(network);
      }),
      { numRuns: 15 },
    );
  });

  it("refuses what does not fit", () => {
    expect(() => qrLines("x".repeat(500), "light")).toThrow(/80 columns/);
  });
});

interface Place {
  readonly folder: string;
  readonly deviceKey: string;
  enrol(...args: readonly string[]): Promise<Outcome>;
}

/** A configured gateway whose agent does not run. */
function place(nodes: readonly object[] = [NODE_A]): Place {
  const { folder, remove } = temporaryFolder();
  closers.push(remove);
  const deviceKey = toHex(nativeSigner(createKey(join(folder, "device.key")).seed).publicKey);
  const config = join(folder, "agent.yaml");
  const devices = [{ id: "roof", driver: "sunspec", host: "127.0.0.1" }];
  writeFileSync(
    config,
    JSON.stringify({ network: "test", key: "device.key", journal: "j.sqlite", devices, nodes }),
  );
  return { folder, deviceKey, enrol: (...args) => runHere(enrolCommand(), "--config", config, ...args) };
}

describe("kilowitness enrol", () => {
  it("shows a stopped gateway's key, network and nodes, and a code that says the same", async () => {
    const { deviceKey, enrol } = place();
    const { code, out, err } = await enrol("--qr", "light");
    expect({ code, err }).toEqual({ code: 0, err: "" });
    expect(out).toContain(`device key  ${deviceKey}\n`);
    expect(out).toContain(
      "node        wss://a.example.org/stream: how it stands is not known, no agent runs\n",
    );
    const drawn = out.split("\n").filter((line) => /^ {4}/.test(line) && !/[a-z]/.test(line));
    expect(scanned(drawn, LIGHT)).toBe(`kilowitness:enrol?network=test&device=${deviceKey}`);
  });

  it("asks the running agent how each node stands", async () => {
    const running = await runAgent({ keys: `nodes: [{url: "ws://127.0.0.1:9", key: "${NODE_A.key}"}]` });
    closers.push(() => running.close());
    for (;;) {
      if (running.lines.some(({ event }) => event === "node-problem")) break;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    const { out } = await runHere(enrolCommand(), "--config", running.config, "--json");
    expect(JSON.parse(out)).toMatchObject({
      ...{ network: "test", deviceKey: running.agent.status().deviceKey, agentRuns: true },
      nodes: [
        {
          nodeKey: NODE_A.key,
          enrolled: false,
          takes: false,
          problem: expect.stringContaining("ECONNREFUSED"),
        },
      ],
    });
  });

  it("stores a code as both sides hash it, for its owner alone, and says what to configure", async () => {
    const { folder, enrol } = place();
    const { code, out } = await enrol("--code", "abcd-efgh jkmo", "--qr", "none");
    const file = join(folder, "enrolment.code");
    expect(code).toBe(0);
    expect(readFileSync(file, "utf8")).toBe("ABCDEFGHJKM0\n");
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(out).toContain(`enrolmentCodeFile: ${file}`);
    expect(out).not.toContain("ABCDEFGHJKM0");
  });

  it("stores a code where the node's configuration says, and tells what the node has signed", async () => {
    const { folder, enrol } = place([{ ...NODE_A, enrolmentCodeFile: "secret/code" }, NODE_B]);
    mkdirSync(join(folder, "secret"));
    mkdirSync(join(folder, "j.sqlite.enrolments"));
    writeFileSync(join(folder, "j.sqlite.enrolments", NODE_B.key), "");
    const { out } = await enrol("--code", "7K3M9QXA2VTD", "--node", NODE_A.url, "--qr", "none");
    expect(readCodeFile(join(folder, "secret/code"))).toBe("7K3M9QXA2VTD");
    expect(out).not.toContain("add to that node");
    expect(out).toContain("a.example.org/stream: how it stands");
    expect(out).toContain("b.example.org: enrolled; how it stands");
  });

  it("takes the code from a file, and the node by its address or key where there are several", async () => {
    const { folder, enrol } = place([NODE_A, NODE_B]);
    writeFileSync(join(folder, "given"), "7K3M-9QXA-2VTD\n");
    const args = ["--code-file", join(folder, "given"), "--json"];
    const unclear = await enrol(...args);
    expect(unclear.code).toBe(1);
    expect(unclear.err).toMatch(/which node .*2 nodes.*\(enrol-node\)/);
    expect(existsSync(join(folder, "enrolment.code"))).toBe(false);
    for (const node of [NODE_B.url, NODE_B.key.toUpperCase()]) {
      const { out } = await enrol(...args, "--node", node);
      expect(JSON.parse(out).code).toMatchObject({ node: NODE_B.url });
    }
    expect(readFileSync(join(folder, "enrolment.code"), "utf8")).toBe("7K3M9QXA2VTD\n");
  });

  it.each([
    [["--code", "ABCD-EFGH"], "enrolment-code-format"],
    [["--code", "ABCD-EFGH-JKM!"], "enrolment-code-format"],
    [["--code", "7K3M9QXA2VTD", "--code-file", "x"], "enrolment-code-twice"],
    [["--code-file", "/nonexistent/code"], "enrolment-code-read"],
  ])("refuses %j and stores nothing", async (args, problem) => {
    const { folder, enrol } = place();
    const { code, out, err } = await enrol(...args);
    expect({ code, out }).toEqual({ code: 1, out: "" });
    expect(err).toContain(`(${problem})`);
    expect(existsSync(join(folder, "enrolment.code"))).toBe(false);
  });
});
