import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { fromHex } from "../../../attest/bytes.ts";
import { OBJECT_TYPES } from "../../../attest/cose.ts";
import { portableSigner, portableSuite } from "../../../attest/portable.ts";
import { Problem } from "../../../attest/problem.ts";
import { decodeDescription } from "../../../firmware-bridge/coprocessor/describe.ts";
import { coprocessorDriver } from "../../../firmware-bridge/coprocessor/driver.ts";
import { coprocessorProblem } from "../../../firmware-bridge/coprocessor/problems.ts";
import * as protocol from "../../../firmware-bridge/coprocessor/protocol.ts";
import { decodeKey } from "../../../firmware-bridge/coprocessor/signing.ts";
import { decodeSnapshot } from "../../../firmware-bridge/coprocessor/snapshot.ts";
import { signableType } from "../../../firmware-bridge/simulated/coprocessor-context.ts";
import { REFUSAL } from "../../../firmware-bridge/simulated/coprocessor-signing.ts";
import { decodeSmpMap, type SmpMap, smpMap } from "../../../firmware-bridge/smp/cbor.ts";
import type { SmpRequest } from "../../../firmware-bridge/smp/connection.ts";
import { encodeConsoleFrame } from "../../../firmware-bridge/smp/console-frame.ts";
import { decodeMessage } from "../../../firmware-bridge/smp/message.ts";
import { answerProblem } from "../../../firmware-bridge/smp/problems.ts";
import { deviceMessages, messageOf } from "./objects.ts";
import { FLAT, PAGE, ROOT, requestBytes, rows } from "./page.ts";

const EXAMPLES = new Map(
  [...PAGE.matchAll(/```hex ([\w ]+)\n([0-9a-f\n]+)```/g)].map(([, name = "", hex = ""]) => [
    name,
    fromHex(hex.replaceAll("\n", ""), name),
  ]),
);

function example(name: string): Uint8Array {
  const bytes = EXAMPLES.get(name);
  if (bytes === undefined) throw new Error(`the page has no example ${name}`);
  return bytes;
}

/** The fields of an answer, which must be one to the request of that command. */
function answer(name: string, request: SmpRequest): SmpMap {
  const message = decodeMessage(example(name));
  expect(message).toMatchObject({ version: 2, operation: `${request.operation}Answer`, group: 64 });
  expect(message.command).toBe(request.command);
  return decodeSmpMap(message.body);
}

/** Lines of the console as the page writes them: markers and newline in hexadecimal, base64 between. */
function encodeLines(message: Uint8Array): string[] {
  const text = Buffer.from(encodeConsoleFrame(message)).toString("latin1");
  return text
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => `${line.charCodeAt(0) === 6 ? "06 09" : "04 14"} "${line.slice(2)}" 0a\n`);
}

describe("the examples of docs/coprocessor-protocol.md", () => {
  it.each([
    ["describe request", protocol.DESCRIBE],
    ["read request", protocol.READ],
    ["key request", protocol.KEY],
  ] as const)("have what is sent: %s", (name, request) => {
    expect(Buffer.from(example(name))).toEqual(Buffer.from(requestBytes(request)));
  });

  it("have a description", () => {
    expect(decodeDescription(answer("describe answer", protocol.DESCRIBE), "page")).toMatchObject({
      identity: { make: "Simulated", model: "SC-1", serial: "A-00042", firmware: "1.4.0" },
      channels: [
        { name: "grid", role: "grid", quantities: ["import", "export", "power"], resolutionMwh: 1000 },
      ],
    });
  });

  it("have a snapshot", () => {
    const fields = answer("read answer", protocol.READ);
    expect(fields.get("age")).toBe(40);
    const bytes = fields.get("s");
    if (!(bytes instanceof Uint8Array)) throw new Error("there is no snapshot");
    const reading = {
      ...{ channel: "grid", importMwh: 1_234_567_000, exportMwh: 89_000, activePowerMw: -1_500_000 },
      ...{ voltageMv: [230_100], currentMa: [6_700], frequencyMhz: 50_010 },
    };
    expect(decodeSnapshot(bytes)).toEqual({
      ...{ serial: "A-00042", boot: 17, atMs: 93_784, number: 1, channels: [{ role: "grid", reading }] },
    });
  });

  it("have a key and what it signed", () => {
    const { publicKey, ...rest } = decodeKey(answer("key answer", protocol.KEY), "page");
    // RFC 8032, 7.1, test 1.
    const seed = "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60";
    expect(publicKey).toEqual(portableSigner(fromHex(seed, "seed")).publicKey);
    expect(rest).toEqual({ maxMessageBytes: 1024, boot: 17, signatures: 0 });
    const message = example("message");
    expect(signableType(message, publicKey)).toBe(OBJECT_TYPES.hello);
    const signed = answer("sign2 answer", protocol.SIGN);
    const signature = signed.get("sig");
    expect(signed).toEqual(smpMap({ off: 230, sig: signature, boot: 17, n: 1 }));
    const bytes = signature instanceof Uint8Array ? signature : new Uint8Array(0);
    expect(portableSuite.verifySignature(publicKey, message, bytes)).toBe(true);
  });

  it("bring the message in two pieces", () => {
    const message = example("message");
    const first = smpMap({ len: 230, off: 0, data: message.subarray(0, 128) });
    expect(Buffer.from(example("sign1 request"))).toEqual(Buffer.from(requestBytes(protocol.SIGN, first)));
    expect(answer("sign1 answer", protocol.SIGN)).toEqual(smpMap({ off: 128 }));
    const second = smpMap({ off: 128, data: message.subarray(128) });
    expect(Buffer.from(example("sign2 request"))).toEqual(Buffer.from(requestBytes(protocol.SIGN, second)));
  });

  it("stand in lines of the console as they are sent", () => {
    const lines = [...encodeLines(example("sign2 request"))];
    const [, shown] = /```lines sign2 request\n([^`]+)```/.exec(PAGE) ?? [];
    expect(shown).toBe(lines.join(""));
    expect(lines).toHaveLength(2);
    const [one] = encodeLines(example("describe request"));
    expect(PAGE).toContain(`\`${one?.trimEnd()}\``);
  });

  it("are all of them looked at", () => {
    expect([...EXAMPLES.keys()]).toEqual([
      ...["describe request", "describe answer", "read request", "read answer", "key request", "key answer"],
      ...["message", "sign1 request", "sign1 answer", "sign2 request", "sign2 answer"],
    ]);
  });

  it("have a configuration that the driver takes", () => {
    const [, yaml = ""] = /```yaml\n([^`]+)```/.exec(PAGE) ?? [];
    const { id, driver, ...options } = parse(yaml).devices[0];
    expect([id, driver]).toEqual(["feeder", coprocessorDriver.name]);
    expect(coprocessorDriver.schema.safeParse(options).success).toBe(true);
  });
});

describe("docs/coprocessor-protocol.md", () => {
  it("numbers the commands as they are asked", () => {
    const requests = [protocol.DESCRIBE, protocol.READ, protocol.KEY, protocol.SIGN];
    const commands = rows(/^[0-3]$/).slice(0, 4);
    expect(commands.map((row) => row.slice(0, 3))).toEqual(
      requests.map(({ command, operation, name }) => [String(command), operation, name.split(" ")[1]]),
    );
  });

  it("numbers the errors as they are understood", () => {
    const errors = rows(/^[1-9]$/).filter(([, , , code = ""]) => code.startsWith("`coprocessor-"));
    const codes = errors.map(([number]) => {
      const error = smpMap({ err: smpMap({ group: 64, rc: Number(number) }) });
      const problem = coprocessorProblem(answerProblem(error, "page"));
      return problem instanceof Problem ? `\`${problem.code}\`` : "none";
    });
    expect(codes).toEqual(errors.map(([, , , code]) => code));
    expect(new Set(codes).size).toBe(8);
    const pairs = errors.map(([n, m]) => [Number(n), Number(m)]);
    for (const { rc, commonRc } of Object.values(REFUSAL)) expect(pairs).toContainEqual([rc, commonRc]);
    const next = answerProblem(smpMap({ err: smpMap({ group: 64, rc: 9 }) }), "page");
    expect(coprocessorProblem(next)).toMatchObject({ code: "smp-refused" });
  });

  it("names the types that are signed, and their lengths", async () => {
    const key = new Uint8Array(32).fill(3);
    const said = rows(/^`kilowitness\/1 /).map(([type = "", length]) => [type.slice(1, -1), Number(length)]);
    expect(said).toEqual(said.map(([type]) => [type, String(type).length]));
    const signed: string[] = [];
    for (const type of Object.keys(OBJECT_TYPES) as (keyof typeof OBJECT_TYPES)[])
      if (signableType(await messageOf(type, key), key) !== undefined) signed.push(OBJECT_TYPES[type]);
    expect(said.map(([type]) => type).sort()).toEqual(signed.sort());
    const lengths = [...(await deviceMessages(portableSigner(key))).values()].map(({ length }) => length);
    expect(FLAT).toContain(`types has ${Math.max(...lengths)} bytes today`);
  });

  it("names every code that the other end can say", () => {
    const folder = join(ROOT, "firmware-bridge/coprocessor");
    const sources = readdirSync(folder).filter((file) => file.endsWith(".ts"));
    const text = sources.map((file) => readFileSync(join(folder, file), "utf8")).join("\n");
    const codes = [...text.matchAll(/new Problem\(\s*"(coprocessor-[a-z-]+)"/g)].map(([, code = ""]) => code);
    expect(codes.length).toBeGreaterThan(5);
    expect([...new Set(codes)].filter((code) => !PAGE.includes(`\`${code}\``))).toEqual([]);
  });
});
