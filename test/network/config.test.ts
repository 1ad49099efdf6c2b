import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { nodeConfigSchema } from "../../network/config.ts";
import { parseConfig, readConfigFile } from "../../runtime/config-file.ts";

const EXAMPLE = join(import.meta.dirname, "../../examples/node.yaml");
const LEAST = "network: n\nkey: k\nstore: s\ndevices: open\n";

/** Every key of a JSON schema, with what is said about it. */
function described(schema: unknown, path = ""): [string, unknown][] {
  if (typeof schema !== "object" || schema === null || !("properties" in schema)) return [];
  const properties: [string, object][] = Object.entries(schema.properties ?? {});
  return properties.flatMap(([name, property]) => [
    [`${path}${name}`, "description" in property ? property.description : undefined],
    ...described(property, `${path}${name}.`),
  ]);
}

describe("the configuration of a node", () => {
  it("has an example that is valid, and says the defaults", () => {
    const { key, store, network, devices, ...rest } = readConfigFile(EXAMPLE, nodeConfigSchema);
    expect({ key, store, network, devices }).toMatchObject({ devices: "open" });
    expect(rest).toEqual({
      ...{ listen: { host: "127.0.0.1", port: 8787 }, http: { host: "127.0.0.1", port: 8788 }, log: "info" },
      ...{ maxConnections: 1024, maxConnectionsPerAddress: 64, maxStoreMiB: 65_536 },
      ...{ maxWrongCodesPerHour: 10, maxCheckpointsPerMinute: 60 },
      ...{ peers: [], audits: { perHour: 0 }, maxEpochsPerDay: 2 },
      flexibility: { challengesPerWeek: 0, steps: 14, stepSeconds: 60, swingKw: 1 },
    });
    expect(parseConfig(LEAST, "x", nodeConfigSchema)).toMatchObject(rest);
  });

  it("has an example for others to reach, which keeps to the rules", () => {
    const { listen, http, devices } = readConfigFile(join(EXAMPLE, "../node-public.yaml"), nodeConfigSchema);
    const tls = { certificate: "tls.pem", key: "tls.key" };
    expect([listen, http]).toMatchObject([
      { host: "0.0.0.0", tls },
      { tls, tokens: "node.tokens" },
    ]);
    expect(devices).toBe("enrolled");
  });

  it("takes other addresses for HTTP with tokens and TLS", () => {
    const tls = { certificate: "c", key: "k" };
    const http = { host: "0.0.0.0", tokens: "t", tls };
    const text = `${LEAST}http: ${JSON.stringify(http)}\nlisten: ${JSON.stringify({ host: "0.0.0.0", tls })}\n`;
    const parsed = parseConfig(text.replace("open", "enrolled"), "x", nodeConfigSchema);
    expect(parsed).toMatchObject({ devices: "enrolled", http, listen: { tls } });
  });

  it("describes every key for editors", () => {
    const keys = described(z.toJSONSchema(nodeConfigSchema));
    expect(keys.map(([name]) => name)).toEqual(
      expect.arrayContaining(["network", "listen.port", "http.host"]),
    );
    expect(keys.filter(([, description]) => typeof description !== "string")).toEqual([]);
  });

  it.each([
    [
      "http: { host: 192.168.1.4 }",
      "x: http.host: others can reach this address, so it needs http.tokens and http.tls",
    ],
    [
      "http: { host: 0.0.0.0, tokens: t }",
      "x: http.host: others can reach this address, so it needs http.tls",
    ],
    ["http: { host: '::', tls: { certificate: c, key: k } }", "so it needs http.tokens"],
    ["listen: { tls: { certificate: c } }", "x: listen.tls.key: required key is missing"],
    ["devices: enroled", 'expected one of open, enrolled or a list, got "enroled"'],
    ["devices: [abc]", "devices"],
    ["network: my net", "network"],
    ["port: 1", "x: port: unknown key; expected one of network, key"],
    ["listen: { port: 70000 }", "x: listen.port: value is not allowed; expected at most 65535, got 70000"],
  ])("refuses %s", (line, said) => {
    const name = line.split(":")[0];
    const text = LEAST.split("\n").filter((other) => !other.startsWith(`${name}:`));
    expect(() => parseConfig([...text, line].join("\n"), "x", nodeConfigSchema)).toThrow(said);
  });
});
