import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { eventually, run } from "../kit/programs.ts";
import { type Ended, expectRefusal, LAUNCHER } from "./complaints.ts";
import { Site } from "./site.ts";

/** Programs are started one after the other here, and each of them has its own deadline. */
vi.setConfig({ testTimeout: 180_000, hookTimeout: 180_000 });

describe("what a user sees when a file is wrong", () => {
  let folder = "";
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), "kw-errors-"));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  function file(name: string, text: string): string {
    const path = join(folder, name);
    writeFileSync(path, text);
    return path;
  }

  const SOUND = `network: test
key: device.key
journal: journal.sqlite
devices:
  - { id: roof, driver: sunspec, host: 127.0.0.1, port: 502 }
nodes:
  - { url: "ws://127.0.0.1:8787", key: "${"ab".repeat(32)}" }
`;

  describe("the configuration", () => {
    const cases: readonly (readonly [name: string, text: string, code: string, says: readonly string[]])[] = [
      [
        "an unknown key",
        SOUND.replace("host:", "hots:"),
        "config-invalid",
        ["devices.0.hots", "unknown key", "expected one of host,", 'did you mean "host"?'],
      ],
      [
        "an unknown key at the top",
        `${SOUND}jurnal: a\n`,
        "config-invalid",
        ["jurnal", "unknown key", 'did you mean "journal"?'],
      ],
      [
        "an unknown driver",
        SOUND.replace("sunspec", "sunspek"),
        "config-invalid",
        ["devices.0.driver", "no such driver", "expected one of the", 'got "sunspek"', 'mean "sunspec"?'],
      ],
      [
        "a value of the wrong kind",
        SOUND.replace("port: 502", "port: five"),
        "config-invalid",
        ["devices.0.port", "not allowed", "expected", 'got "five"'],
      ],
      [
        "a missing key",
        SOUND.replace("journal: journal.sqlite\n", ""),
        "config-invalid",
        ["journal", "required key is missing"],
      ],
      [
        "a node key that is none",
        SOUND.replace("ab".repeat(32), "abc"),
        "config-invalid",
        ["nodes.0.key", "expected", 'got "abc"'],
      ],
      [
        "no YAML",
        "devices: [\n  a: b\n c }",
        "config-syntax",
        ["line", "not valid YAML", "check indentation"],
      ],
      ["an empty file", "", "config-invalid", ["top level", "expected"]],
    ];

    it.each(cases)("%s: agent, probe and prove say the same", async (_name, text, code, says) => {
      const path = file("agent.yaml", text);
      for (const command of ["agent", "probe", "prove"]) {
        const ended = await run([command, "--config", path]);
        expectRefusal(ended, { command, exit: 2, code, says: [path, ...says] });
        expect(ended.stdout).toBe("");
      }
    });

    it("a file that is not there", async () => {
      const path = join(folder, "gone.yaml");
      for (const command of ["agent", "probe", "prove", "node"]) {
        expectRefusal(await run([command, "--config", path]), {
          ...{ command, exit: 2, code: "config-read" },
          says: [path, "cannot be read", "got ENOENT", "--config"],
        });
      }
    });

    it("under the supervisor: once, and not again and again", async () => {
      const ended = await run(["agent", "--supervise", "--config", file("agent.yaml", "a: b\n")]);
      expectRefusal(ended, { command: "agent", exit: 2, code: "config-invalid", says: ["agent.yaml"] });
    });

    it("of the node", async () => {
      const path = file("node.yaml", "network: test\nkey: k\nstore: s\ndevices: open\nlisten: { prot: 1 }\n");
      const says = [path, "listen.prot", 'did you mean "port"?'];
      expectRefusal(await run(["node", "--config", path]), {
        command: "node",
        exit: 2,
        code: "config-invalid",
        says,
      });
    });
  });

  it("a key file that exists, or a folder that does not", async () => {
    const path = file("taken.key", "");
    expectRefusal(await run(["keygen", path]), {
      ...{ command: "keygen", exit: 1, code: "key-exists" },
      says: [path, "exists already", "choose another path"],
    });
    const nowhere = join(folder, "no", "such", "a.key");
    expectRefusal(await run(["keygen", nowhere]), {
      ...{ command: "keygen", exit: 1, code: "key-write" },
      says: [nowhere, "cannot be written", "got ENOENT", "check that the folder exists"],
    });
  });

  it("nothing to prove from: no key, no journal", async () => {
    const config = file("agent.yaml", SOUND);
    expectRefusal(await run(["prove", "--config", config]), {
      ...{ command: "prove", exit: 1, code: "key-read" },
      says: [
        join(folder, "device.key"),
        "there is no key file",
        "the agent makes the file at its first start",
      ],
    });
    await run(["keygen", join(folder, "device.key")]);
    expectRefusal(await run(["prove", "--config", config]), {
      ...{ command: "prove", exit: 1, code: "database-open" },
      says: [join(folder, "journal.sqlite"), "cannot be opened", "check the path"],
    });
  });

  it("a command line that nobody understands", async () => {
    for (const args of [["agnet"], ["agent"], ["agent", "--confg", "a"], ["verify"], ["inspect"]]) {
      const ended = await run(args);
      expect(ended.code, args.join(" ")).toBe(2);
      expect(ended.stderr).toMatch(/^error: /);
      expect(ended.stdout).toBe("");
    }
    const { stderr } = await run(["agent", "--config", "a", "--supervice"]);
    expect(stderr).toContain("Did you mean --supervise?");
  });

  it("a Node.js that is too old", (context) => {
    const path = (process.env["PATH"] ?? "").split(":").filter((entry) => !entry.includes("node_modules"));
    const env = { ...process.env, PATH: path.join(":") };
    const found = spawnSync("/usr/bin/env", ["node", "--version"], { env, encoding: "utf8" }).stdout.trim();
    const [, major = 0, minor = 0] = /^v(\d+)\.(\d+)/.exec(found) ?? [];
    if (found === "") context.skip("no other Node.js is installed");
    if (Number(major) > 22 || (Number(major) === 22 && Number(minor) >= 14))
      context.skip(`the system's own Node.js is new enough: ${found}`);
    for (const args of [["--help"], ["agent", "--config", "a"], []]) {
      const ended = spawnSync("/usr/bin/env", ["node", LAUNCHER, ...args], { env, encoding: "utf8" });
      expect(ended.status).toBe(1);
      expect(ended.stdout).toBe("");
      expect(ended.stderr.split("\n")).toHaveLength(2);
      expect(ended.stderr).toContain(`expected 22.14 or newer, got ${found.slice(1)}`);
      expect(ended.stderr).toContain("npm");
    }
  });

  const HELP: readonly (readonly [command: string, says: readonly string[]])[] = [
    ["probe", ["--config", "examples/agent.yaml", "display", "Exit status: 0", "nothing is written"]],
    [
      "agent",
      ["--config", "--supervise", "made on first start", "SIGTERM", "Exit status: 0", "probe --config"],
    ],
    ["prove", ["--channel", "--from", "--to", "--out", "ISO 8601", "Examples:"]],
    ["verify", ["--trust", "device:KEY", "never from the sender", "Exit status: 0", "Examples:"]],
    ["inspect", ["--hex", "--encode", "Nothing is verified", "Exit status: 0", "Examples:"]],
    ["node", ["--config", "examples/node.yaml"]],
    ["keygen", ["0600", "must not exist", "--trust device:KEY"]],
  ];

  it.each(HELP)("help of %s says what an installer needs", async (command, says) => {
    const ended = await run([command, "--help"]);
    expect(ended).toMatchObject({ code: 0, stderr: "" });
    for (const text of says) expect(ended.stdout.replaceAll(/\s+/g, " ")).toContain(text);
  });

  it("help of the whole begins with what to do on a gateway, in order", async () => {
    const { stdout, code } = await run(["--help"]);
    expect(code).toBe(0);
    const at = HELP.slice(0, 4).map(([command]) => stdout.indexOf(`kilowitness ${command}`));
    expect(at).toEqual([...at].sort((a, b) => a - b));
    expect(Math.min(...at)).toBeGreaterThan(0);
  });
});

describe("what a user sees of a proof that is none", () => {
  let site: Site;
  let proof: Buffer;

  beforeAll(async () => {
    site = new Site(mkdtempSync(join(tmpdir(), "kw-errors-")));
    await site.startDevices();
    const config = site.writeAgentConfig();
    writeFileSync(config, readFileSync(config, "utf8").replace(/^nodes:[\s\S]*/m, ""));
    const agent = site.startAgent();
    const { t0Ms, t1Ms } = await eventually("a closed interval", 60_000, async () => {
      const { stdout } = await run(["prove", "--config", site.path("agent.yaml"), "--json"]);
      const rows = stdout.split("\n").filter((line) => line.includes("roof/inverter"));
      return rows.length > 0 ? (JSON.parse(rows[0] ?? "") as { t0Ms: number; t1Ms: number }) : undefined;
    });
    await agent.kill("SIGTERM");
    const out = site.path("good.kwp");
    const span = ["--from", String(t0Ms), "--to", String(t1Ms), "--channel", "roof/inverter", "--out", out];
    expect((await run(["prove", "--config", site.path("agent.yaml"), ...span])).code).toBe(0);
    expect((await run(["verify", out])).code).toBe(0);
    proof = readFileSync(out);
  });
  afterAll(async () => {
    await site.close();
    rmSync(site.folder, { recursive: true, force: true });
  });

  async function expectFault(
    name: string,
    bytes: Uint8Array | string,
    fault: string | RegExp,
  ): Promise<void> {
    const path = site.path(name);
    writeFileSync(path, bytes);
    await expectFaultOf(path, fault);
  }

  async function expectFaultOf(path: string, fault: string | RegExp): Promise<void> {
    const words: Ended = await run(["verify", path]);
    const json: Ended = await run(["verify", path, "--json"]);
    expect(words).toMatchObject({ code: 1, stderr: "" });
    expect(json).toMatchObject({ code: 1, stderr: "" });
    expect(words.stdout.trim().split("\n")).toHaveLength(1);
    const said = JSON.parse(json.stdout);
    expect(said).toMatchObject({ verdict: "invalid", fault: expect.stringMatching(fault) });
    expect(words.stdout).toBe(`NOT VALID (${said.fault}): ${said.message}\n`);
  }

  it("a missing, empty, or text file", async () => {
    await expectFaultOf(site.path("gone.kwp"), /^proof-read$/);
    await expectFault("empty.kwp", "", /^proof-read$/);
    await expectFault("text.kwp", "This is no proof.\n", /^proof-format$/);
    await expectFaultOf(site.folder, /^proof-read$/);
  });

  it("a proof that was cut off, or has something behind it", async () => {
    for (const length of [1, 100, proof.length - 1])
      await expectFault("cut.kwp", proof.subarray(0, length), /^proof-format$/);
    await expectFault("long.kwp", Buffer.concat([proof, Buffer.of(0)]), /^proof-format$/);
  });

  it("a proof with one byte changed", async () => {
    for (const part of [0.2, 0.5, 0.8, 0.99]) {
      const damaged = Buffer.from(proof);
      const at = Math.floor(part * proof.length);
      damaged[at] = (damaged[at] ?? 0) ^ 0x10;
      await expectFault("changed.kwp", damaged, /^[a-z]+(-[a-z0-9]+)*$/);
    }
  });
});
