import { chmodSync, readFileSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { join } from "node:path";
import { Ajv2020 } from "ajv/dist/2020.js";
import { describe, expect, it } from "vitest";
import { toHex } from "../../attest/bytes.ts";
import { nativeSuite } from "../../attest/native.ts";
import { addAuditRoutes } from "../../network/audit/audit-routes.ts";
import { AUDIT_PATHS } from "../../network/audit/openapi-paths.ts";
import { SqliteAudits } from "../../network/audit/sqlite-audits.ts";
import { EnrolmentRecords } from "../../network/enrolment/records.ts";
import { EXCHANGE_PATHS } from "../../network/exchange/openapi-paths.ts";
import { addExchangeRoutes } from "../../network/exchange/routes.ts";
import { NODE_EXTENSIONS } from "../../network/extensions.ts";
import { createApp } from "../../network/http/app.ts";
import { LiveBoard } from "../../network/http/live-board.ts";
import { NodeCounters } from "../../network/http/metrics-counters.ts";
import { openApiDocument } from "../../network/http/openapi.ts";
import { readTokens, type Tokens } from "../../network/http/tokens.ts";
import type { RunningNode } from "../../network/node.ts";
import { EpochQuarantine } from "../../network/quarantine/quarantine.ts";
import { QUARANTINE_PATHS, quarantineRoutes } from "../../network/quarantine/routes.ts";
import { sqliteExchange } from "../../network/store/exchange-archive.ts";
import { sqliteQuarantine } from "../../network/store/exchange-quarantine.ts";
import { openLogger } from "../../runtime/log.ts";
import { NETWORK } from "../kit/device.ts";
import { enrollingNode, OPERATE_TOKEN, READ_TOKEN, tokenFile } from "./enrolment-kit.ts";
import { openStore, runNode, temporaryFolder } from "./fixture.ts";

const LOGGER = openLogger("node", "silent");

/** Every route that a node has, as "METHOD /path/:with/:parameters". */
function routes(tokens?: Tokens): { readonly app: ReturnType<typeof createApp>; readonly all: string[] } {
  const store = openStore();
  const nowMs = (): number => 1;
  const quarantine = sqliteQuarantine(store.database);
  const records = new EnrolmentRecords(store, { total: 1, perSource: 1 });
  const counters = new NodeCounters();
  const app = createApp({
    questions: {
      archive: store,
      suite: nativeSuite,
      network: NETWORK,
      nodeKey: new Uint8Array(32),
      logger: LOGGER,
    },
    operations: {
      counters,
      connections: { size: 0 },
      archive: store,
      logger: LOGGER,
      store: "x",
      maxStoreMiB: 16,
    },
    office: { records, suite: nativeSuite, nowMs, logger: LOGGER, dismiss: () => undefined },
    live: new LiveBoard({ nowMs, monotonicMs: nowMs, dropped: () => undefined }),
    extraRoutes: [
      quarantineRoutes({
        archive: quarantine,
        quarantine: new EpochQuarantine({ archive: quarantine, logger: LOGGER, nowMs }),
      }),
      { add: (to) => addAuditRoutes(to, new SqliteAudits(store)), paths: AUDIT_PATHS },
      {
        add: (to) =>
          addExchangeRoutes(to, { archive: sqliteExchange(store.database), store, suite: nativeSuite }),
        paths: EXCHANGE_PATHS,
      },
    ],
    ...(tokens === undefined ? {} : { access: { tokens: () => tokens, loopbackOnly: true } }),
  });
  const own = app.routes.filter(({ method }) => method !== "ALL");
  return { app, all: [...new Set(own.map(({ method, path }) => `${method} ${path}`))].sort() };
}

interface Asked {
  readonly authorization?: string;
  readonly host?: string;
}

/** Status of a route, its parameters filled in. */
async function status(app: ReturnType<typeof createApp>, route: string, asked: Asked = {}): Promise<number> {
  const [method = "", path = ""] = route.split(" ");
  const filled = path.replace(":key", "0".repeat(64)).replace(":id", "1");
  const { authorization, host = "127.0.0.1" } = asked;
  const headers = { host, ...(authorization === undefined ? {} : { authorization }) };
  return (await app.request(filled, { method, headers })).status;
}

const EXTRA_PATHS = {
  ...QUARANTINE_PATHS,
  ...AUDIT_PATHS,
  ...EXCHANGE_PATHS,
};

/** What only a token that may operate opens. */
const OPERATING = [
  "DELETE /enrolment-codes/:id",
  "DELETE /enrolments/:key",
  "GET /enrolment-codes",
  "POST /enrolment-codes",
  "POST /enrolments/:key/approve",
  "POST /enrolments/:key/reject",
  "POST /quarantine/:key/release",
];

describe("rights, over every route", () => {
  it("are as the tokens say", async () => {
    const tokens = readTokens(tokenFile(temporaryFolder()));
    const { app, all } = routes(tokens);
    expect(all.length).toBeGreaterThan(20);
    for (const route of all) {
      const by = (authorization?: string): Promise<number> =>
        status(app, route, authorization === undefined ? {} : { authorization });
      const given = [await by(), await by("Bearer wrong"), await by(`Bearer ${READ_TOKEN}`)];
      const operating = await by(`Bearer ${OPERATE_TOKEN}`);
      const answered = (code: number): boolean => code !== 401 && code !== 403;
      const seen = [...given, operating].map((code) => (answered(code) ? "answered" : code));
      const open = route === "GET /healthz";
      const [none, read] = open
        ? ["answered", "answered"]
        : [401, OPERATING.includes(route) ? 403 : "answered"];
      expect([route, ...seen]).toEqual([route, none, none, read, "answered"]);
    }
  });

  it("of a peer are those about the exchange, and nothing else", async () => {
    const peer = "p".repeat(32);
    const { app, all } = routes(readTokens(tokenFile(temporaryFolder(), `peer ${peer}\n`)));
    const exchange = all.filter((route) => route.startsWith("GET /exchange/"));
    expect(exchange).toHaveLength(4);
    for (const route of all) {
      const code = await status(app, route, { authorization: `Bearer ${peer}` });
      const isOpen = exchange.includes(route) || route === "GET /healthz";
      expect([route, code === 403]).toEqual([route, !isOpen]);
    }
  });

  it("are to ask, and never to operate, where there is no token file", async () => {
    const { app, all } = routes();
    for (const route of all) {
      for (const asked of [{}, { authorization: `Bearer ${OPERATE_TOKEN}` }]) {
        const code = await status(app, route, asked);
        expect([route, code === 403]).toEqual([route, OPERATING.includes(route)]);
        expect([401, 500]).not.toContain(code);
      }
    }
  });

  it("do not matter for a Host that is not this machine's", async () => {
    const { app, all } = routes(readTokens(tokenFile(temporaryFolder())));
    const asked = { authorization: `Bearer ${OPERATE_TOKEN}`, host: "evil.example" };
    for (const route of all) expect([route, await status(app, route, asked)]).toEqual([route, 403]);
  });

  it("are needed for what there is not, too", async () => {
    const { app } = routes(readTokens(tokenFile(temporaryFolder())));
    expect(await status(app, "GET /nothing")).toBe(401);
    expect(await status(app, "GET /nothing", { authorization: `Bearer ${READ_TOKEN}` })).toBe(404);
    expect(await status(app, "PUT /devices", { authorization: `Bearer ${READ_TOKEN}` })).toBe(403);
    for (const path of ["/healthz/", "//healthz", "/HEALTHZ", "/enrolment-codes/", "//enrolment-codes"])
      expect([path, await status(app, `GET ${path}`)]).toEqual([path, 401]);
    for (const path of ["/enrolment-codes/", "//enrolment-codes", "/enrolment%2Dcodes", "/ENROLMENT-CODES"]) {
      const code = await status(app, `GET ${path}`, { authorization: `Bearer ${READ_TOKEN}` });
      expect([path, [403, 404]]).toEqual([path, expect.arrayContaining([code])]);
    }
  });
});

describe("a token over a socket", () => {
  async function asked(
    node: RunningNode,
    headers: Record<string, string>,
    path = "/key",
  ): Promise<unknown[]> {
    const response = await fetch(`${node.httpUrl}${path}`, { headers });
    const { code } = Object(await response.json());
    return [response.status, code, response.headers.get("www-authenticate")];
  }

  it("is asked for as RFC 6750 has it", async () => {
    const node = await enrollingNode();
    const realm = 'Bearer realm="kilowitness node"';
    const bearer = (token: string): Record<string, string> => ({ authorization: `Bearer ${token}` });
    expect(await asked(node, {})).toEqual([401, "token", realm]);
    expect(await asked(node, bearer("x"))).toEqual([401, "token", `${realm}, error="invalid_token"`]);
    expect(await asked(node, { authorization: `Basic ${READ_TOKEN}` })).toEqual([401, "token", realm]);
    expect(await asked(node, { authorization: READ_TOKEN })).toEqual([401, "token", realm]);
    expect(await asked(node, { authorization: `bearer ${READ_TOKEN}` })).toEqual([200, undefined, null]);
    expect(await asked(node, bearer(READ_TOKEN), "/enrolment-codes")).toEqual([
      ...[403, "token-right"],
      `${realm}, error="insufficient_scope", scope="operate"`,
    ]);
  });

  it("does not open the door to a body that is too large or no JSON", async () => {
    const node = await enrollingNode();
    const post = async (body: string): Promise<unknown[]> => {
      const headers = { authorization: `Bearer ${OPERATE_TOKEN}` };
      const response = await fetch(`${node.httpUrl}/enrolment-codes`, { method: "POST", headers, body });
      return [response.status, Object(await response.json()).code];
    };
    expect(await post("{")).toEqual([400, "body"]);
    expect(await post('{"hours":0}')).toEqual([400, "body"]);
    expect(await post('{"lable":"x"}')).toEqual([400, "body"]);
    expect(await post(JSON.stringify({ label: "x".repeat(5000) }))).toEqual([400, "body"]);
    expect(await post("")).toEqual([201, expect.stringMatching(/^....-....-....$/)]);
  });

  it("is refused by a body that never ends before it is read", async () => {
    const node = await enrollingNode();
    const sent = request(`${node.httpUrl}/enrolment-codes`, { method: "POST" });
    const answered = new Promise<number | undefined>((resolve, reject) => {
      sent.on("response", (response) => resolve(response.resume().statusCode)).on("error", reject);
    });
    sent.write("x".repeat(100));
    expect(await answered).toBe(401);
    sent.destroy();
  });

  it("is another one when the file was changed and read again; a wrong file changes nothing", async () => {
    const folder = temporaryFolder();
    const node = await enrollingNode(folder);
    const as = async (token: string): Promise<unknown> =>
      (await asked(node, { authorization: `Bearer ${token}` }))[0];
    tokenFile(folder, `read ${"n".repeat(40)}\n`);
    node.reload("enrolled");
    expect(await as(READ_TOKEN)).toBe(401);
    expect(await as("n".repeat(40))).toBe(200);
    tokenFile(folder, "read short\n");
    expect(() => node.reload("open")).toThrow("32 or more");
    expect(await as("n".repeat(40))).toBe(200);
  });
});

describe("a token file", () => {
  it("may hold digests, comments and empty lines", () => {
    const digest = toHex(nativeSuite.sha256(new TextEncoder().encode(OPERATE_TOKEN)));
    const tokens = readTokens(
      tokenFile(temporaryFolder(), `# mine\n\n  operate sha256:${digest}\r\nread\t${READ_TOKEN}\n`),
    );
    expect(tokens.rightOf(OPERATE_TOKEN)).toBe("operate");
    expect(tokens.rightOf(READ_TOKEN)).toBe("read");
    expect(tokens.rightOf(`sha256:${digest}`)).toBeUndefined();
    expect(tokens.rightOf("")).toBeUndefined();
    expect(tokens.plain("operate")).toBeUndefined();
    expect(tokens.plain("read")).toBe(READ_TOKEN);
    expect(tokens.plain("peer")).toBe(READ_TOKEN);
  });

  it("gives the program beside the node the token with the least right that is enough", () => {
    const of = (text: string): string | undefined =>
      readTokens(tokenFile(temporaryFolder(), text)).plain("read");
    expect(of(`operate ${OPERATE_TOKEN}\nread ${READ_TOKEN}\n`)).toBe(READ_TOKEN);
    expect(of(`peer ${READ_TOKEN}\noperate ${OPERATE_TOKEN}\n`)).toBe(OPERATE_TOKEN);
  });

  it("gives the greater right to a token that has both", () => {
    for (const order of [
      `read ${READ_TOKEN}\noperate ${READ_TOKEN}`,
      `operate ${READ_TOKEN}\nread ${READ_TOKEN}`,
    ])
      expect(readTokens(tokenFile(temporaryFolder(), order)).rightOf(READ_TOKEN)).toBe("operate");
  });

  it.each([
    ["", "tokens: not what a token file holds; expected a token, got none"],
    ["read", "tokens line 1: not what a token file holds; expected peer TOKEN, read TOKEN or operate TOKEN"],
    [`# x\nwrite ${READ_TOKEN}`, "tokens line 2: not what"],
    ["read abcdefg", "got 7 characters"],
    [`read ${"ä".repeat(40)}`, "32 or more of A-Z"],
    ["read sha256:abc", "32 or more of A-Z"],
  ])("is refused without a word of what is in it: %j", (text, said) => {
    const path = tokenFile(temporaryFolder(), text);
    expect(() => readTokens(path)).toThrow(said);
    expect(() => readTokens(path)).not.toThrow(/abcdefg|ää/);
  });

  it("must be its owner's alone", async () => {
    const folder = temporaryFolder();
    const path = tokenFile(folder);
    chmodSync(path, 0o640);
    expect(() => readTokens(path)).toThrow(`expected mode 0600, got 0640; run: chmod 600 ${path}`);
    await expect(
      runNode(folder, { http: { host: "127.0.0.1", port: 0, tokens: path } }),
    ).rejects.toMatchObject({ code: "config-tokens" });
    writeFileSync(join(folder, "tokens"), "");
    expect(() => readTokens(join(folder, "nowhere"))).toThrow("cannot be read");
  });
});

describe("the OpenAPI document", () => {
  const path = new URL("../../docs/node-api.json", import.meta.url);

  it("has every route that there is, and no other", () => {
    const { paths } = openApiDocument(EXTRA_PATHS);
    const written = Object.entries(paths).flatMap(([name, operations]) =>
      Object.keys(operations).map((method) => `${method.toUpperCase()} ${name.replace(/\{(\w+)\}/g, ":$1")}`),
    );
    expect(written.sort()).toEqual(routes().all);
  });

  it("is the one in the documentation, which the node serves itself", async () => {
    const node = await runNode(temporaryFolder(), {}, NODE_EXTENSIONS);
    const served: unknown = await (await fetch(`${node.httpUrl}/openapi.json`)).json();
    // After a change: curl the address above, write it to the file, and format it.
    expect(JSON.parse(readFileSync(path, "utf8"))).toEqual(served);
  });

  it("says of each operation which right it needs, has its parameters, and no reference leads nowhere", () => {
    const document = openApiDocument(EXTRA_PATHS);
    const names = new Set(Object.keys(Object(document.components).schemas));
    const references = [...JSON.stringify(document).matchAll(/"\$ref":"#\/components\/schemas\/(\w+)"/g)];
    expect(references.filter(([, name]) => !names.has(name ?? ""))).toEqual([]);
    for (const [name, operations] of Object.entries(document.paths)) {
      for (const [method, operation] of Object.entries(operations)) {
        const route = `${method.toUpperCase()} ${name.replace(/\{(\w+)\}/g, ":$1")}`;
        const needs = JSON.stringify(operation.security ?? document.security);
        const expected = OPERATING.includes(route)
          ? "operate"
          : name.startsWith("/exchange/")
            ? "peer"
            : "read";
        expect([route, needs]).toEqual([route, route === "GET /healthz" ? "[{}]" : `[{"${expected}":[]}]`]);
        const inPath = (operation.parameters ?? []).filter((given) => Object(given).in === "path");
        expect(inPath.map((given) => `{${Object(given).name}}`)).toEqual(name.match(/\{\w+\}/g) ?? []);
      }
    }
  });

  it("describes what is really answered", async () => {
    const node = await enrollingNode();
    const { paths, components } = openApiDocument(EXTRA_PATHS);
    const ajv = new Ajv2020({ strict: false, validateFormats: false });
    ajv.addSchema({ $id: "api", components });
    const headers = { authorization: `Bearer ${OPERATE_TOKEN}` };
    for (const name of ["/", "/key", "/healthz", "/devices", "/enrolments", "/enrolment-codes"]) {
      const response: object = paths[name]?.get?.responses["200"] ?? {};
      const reference = Object(response).content["application/json"].schema.$ref;
      const valid = ajv.compile({ $ref: `api${reference}` });
      const answer: unknown = await (await fetch(`${node.httpUrl}${name}`, { headers })).json();
      expect([name, valid(answer), valid.errors]).toEqual([name, true, null]);
    }
  });
});
