import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { createServer as createTlsServer } from "node:https";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { WebSocketServer } from "ws";
import { type AgentConfig, loadAgentConfig } from "../../agent/config/config.ts";
import { connectProblem } from "../../agent/uplink/connect-problem.ts";
import { dial } from "../../agent/uplink/dial.ts";
import { STREAM_SUBPROTOCOL } from "../../attest/hello.ts";
import { describeProblem } from "../../attest/problem.ts";
import { temporaryFolder } from "./kit.ts";

const CURVE = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
const made = temporaryFolder();
const at = (name: string): string => join(made.folder, name);

/** An authority of its own, and what it signed. */
function makeCertificates(): void {
  const openssl = (...args: readonly string[]): void => {
    execFileSync("openssl", args, { stdio: "ignore" });
  };
  for (const name of ["authority", "stranger"])
    openssl(
      "req",
      "-x509",
      ...CURVE,
      "-days",
      "2",
      "-keyout",
      at(`${name}.key`),
      "-out",
      at(`${name}.pem`),
      "-subj",
      `/CN=${name}`,
    );
  const signed = (name: string, host: string, days: string): void => {
    openssl("req", ...CURVE, "-keyout", at(`${name}.key`), "-out", at(`${name}.csr`), "-subj", `/CN=${host}`);
    writeFileSync(at("san"), `subjectAltName=DNS:${host}\n`);
    const by = [
      "-CA",
      at("authority.pem"),
      "-CAkey",
      at("authority.key"),
      "-CAcreateserial",
      "-extfile",
      at("san"),
    ];
    openssl("x509", "-req", "-in", at(`${name}.csr`), ...by, "-days", days, "-out", at(`${name}.pem`));
  };
  signed("good", "localhost", "2");
  signed("elsewhere", "node.example", "2");
  signed("expired", "localhost", "-1");
  writeFileSync(at("garbage.pem"), "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
  writeFileSync(at("empty.pem"), "\n");
}

let servers: Server[] = [];

/** Takes WebSockets over TLS under that certificate; its address. */
async function serve(name: string): Promise<string> {
  const server = createTlsServer({
    cert: readFileSync(at(`${name}.pem`)),
    key: readFileSync(at(`${name}.key`)),
  });
  new WebSocketServer({ server, handleProtocols: () => STREAM_SUBPROTOCOL });
  return listening(server);
}

async function listening(server: Server): Promise<string> {
  servers.push(server);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("not listening");
  return `wss://localhost:${address.port}`;
}

/** "open", or the problem of the connection. */
async function outcome(
  url: string,
  ca?: string,
): Promise<{ readonly code: string; readonly message: string }> {
  try {
    const socket = dial({ url, handshakeMs: 5000, ...(ca === undefined ? {} : { ca: at(ca) }) });
    return await new Promise((resolve) => {
      socket.on("open", () => {
        socket.terminate();
        resolve({ code: "open", message: "" });
      });
      socket.on("error", (cause) => resolve(describeProblem(connectProblem(url, cause))));
    });
  } catch (thrown) {
    return describeProblem(thrown);
  }
}

describe("the line to a node over TLS", () => {
  beforeAll(makeCertificates);
  afterAll(() => made.remove());
  afterEach(() => {
    for (const server of servers) server.closeAllConnections();
    for (const server of servers) server.close();
    servers = [];
  });

  it("is held against the pinned authority", async () => {
    const url = await serve("good");
    expect((await outcome(url, "authority.pem")).code).toBe("open");
  });

  it("is not trusted without it, nor under another authority, and says what to do", async () => {
    const url = await serve("good");
    for (const ca of [undefined, "stranger.pem"]) {
      const { code, message } = await outcome(url, ca);
      expect(code).toBe("node-certificate");
      expect(message).toContain("no authority that this gateway knows has signed it");
      expect(message).toContain("as ca of this node");
    }
  });

  it("is not trusted where the environment says that everything is", async () => {
    const url = await serve("good");
    const before = process.env["NODE_TLS_REJECT_UNAUTHORIZED"];
    process.env["NODE_TLS_REJECT_UNAUTHORIZED"] = "0";
    try {
      expect((await outcome(url)).code).toBe("node-certificate");
    } finally {
      if (before === undefined) delete process.env["NODE_TLS_REJECT_UNAUTHORIZED"];
      else process.env["NODE_TLS_REJECT_UNAUTHORIZED"] = before;
    }
  });

  it.each([
    ["self-signed", "authority", undefined, /is self-signed.*as ca of this node/],
    [
      "for another host",
      "elsewhere",
      "authority.pem",
      /is for another host.*node\.example.*use the host name/,
    ],
    [
      "expired",
      "expired",
      "authority.pem",
      /has expired.*clock says \d{4}-\d\d-\d\d: if that is wrong, set it/,
    ],
  ])("says of a certificate that is %s what is wrong", async (_name, certificate, ca, said) => {
    const { code, message } = await outcome(await serve(certificate), ca);
    expect(code).toBe("node-certificate");
    expect(message).toMatch(said);
  });

  it("says of one that is not valid yet to look at the clock", () => {
    const cause = Object.assign(new Error("certificate is not yet valid"), { code: "CERT_NOT_YET_VALID" });
    const { message } = connectProblem("wss://node.example", cause);
    expect(message).toMatch(/is not valid yet.*this gateway's clock says/);
  });

  it.each(["missing.pem", "garbage.pem", "empty.pem"])("names the file of authorities: %s", async (ca) => {
    const { code, message } = await outcome("wss://localhost:1", ca);
    expect(code).toBe("node-ca");
    expect(message).toContain(at(ca));
  });

  it("says of a port without TLS that it speaks none", async () => {
    const url = await listening(createServer());
    const { code, message } = await outcome(url);
    expect(code).toBe("node-unreachable");
    expect(message).toContain("speaks no TLS");
  });

  it("has its authority from the configuration, seen from its folder, and only where there is TLS", () => {
    const configured = (url: string): AgentConfig => {
      const nodes = `[{url: "${url}", key: ${"ab".repeat(32)}, ca: pki/node.pem}]`;
      const devices = '[{id: meter, driver: dsmr-p1, line: "tcp://127.0.0.1:9"}]';
      writeFileSync(
        at("agent.yaml"),
        `{network: n, key: k, journal: j, devices: ${devices}, nodes: ${nodes}}`,
      );
      return loadAgentConfig(at("agent.yaml"));
    };
    for (const url of ["wss://node.example", "WSS://node.example"])
      expect(configured(url).nodes[0]?.ca).toBe(at("pki/node.pem"));
    for (const url of ["ws://127.0.0.1:8787", "WS://127.0.0.1:8787"])
      expect(() => configured(url)).toThrow(/nodes\.0\.ca: ws:\/\/ has no certificates/);
  });

  it("follows no redirect", async () => {
    const target = await serve("good");
    const asked: string[] = [];
    servers[0]?.on("upgrade", ({ url = "" }) => asked.push(url));
    const redirecting = createTlsServer(
      { cert: readFileSync(at("good.pem")), key: readFileSync(at("good.key")) },
      (_request, response) => response.writeHead(302, { location: target.replace("wss", "https") }).end(),
    );
    const { code, message } = await outcome(await listening(redirecting), "authority.pem");
    expect(code).toBe("node-protocol");
    expect(message).toContain("302");
    expect(asked).toEqual([]);
  });
});
