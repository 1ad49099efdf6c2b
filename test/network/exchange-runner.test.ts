import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:https";
import { join } from "node:path";
import { getRequestListener } from "@hono/node-server";
import { Hono } from "hono";
import { describe, expect, it } from "vitest";
import { toHex } from "../../attest/bytes.ts";
import { type ExchangeParts, type RunningExchange, startExchange } from "../../network/exchange/exchange.ts";
import { openExchange } from "../../network/exchange/extension.ts";
import { EXCHANGE_PATHS } from "../../network/exchange/openapi-paths.ts";
import { type PeerConfig, peersSchema } from "../../network/exchange/peers-config.ts";
import { addExchangeRoutes } from "../../network/exchange/routes.ts";
import { httpTransport, type Question } from "../../network/exchange/transport.ts";
import { createApp } from "../../network/http/app.ts";
import { closeServer, listen } from "../../network/listen.ts";
import { bytesOf, shortLog } from "../attest/fault-forge.ts";
import { suite } from "../attest/fault-kit.ts";
import { NETWORK } from "../kit/device.ts";
import {
  codeOf,
  exchangeNode,
  type LogLine,
  listeningLogger,
  openExchangeStore,
  type TestNode,
} from "./exchange-kit.ts";
import { signed } from "./fault-kit.ts";
import { atEnd, configIn, temporaryFolder } from "./fixture.ts";

const KEY = "ab".repeat(32);

interface Runner {
  readonly exchange: RunningExchange;
  /** How long each wait was to be, in ms, in order; the next one is let go by {@link go}. */
  readonly waits: number[];
  readonly lines: LogLine[];
  /** Lets the wait end, and resolves when the next one has begun. */
  go(): Promise<void>;
}

/** An exchange whose waits end when the test says so. */
function runner(node: TestNode, peer: PeerConfig, changes: Partial<ExchangeParts> = {}): Runner {
  const { logger, lines } = listeningLogger();
  const waits: number[] = [];
  let [release, begun] = [(): void => {}, (): void => {}];
  const exchange = startExchange({
    ...{ network: NETWORK, suite, store: node.store, archive: node.archive, logger, peers: [peer] },
    ...{ nowMs: () => node.clock.nowMs, random: () => 0.5, limits: { timeoutMs: 25_000, questions: 64 } },
    wait: (ms, signal) => {
      waits.push(ms);
      begun();
      return new Promise((resolve, reject) => {
        release = () => resolve(undefined);
        signal.addEventListener("abort", () => reject(signal.reason));
      });
    },
    ...changes,
  });
  atEnd(() => exchange.stop());
  const go = (): Promise<void> =>
    new Promise((resolve) => {
      begun = resolve;
      release();
    });
  return { exchange, waits, lines, go };
}

async function told(node: TestNode): Promise<void> {
  const log = shortLog();
  expect(await node.send(await signed(log, bytesOf(log)))).toBe("accepted");
}

describe("the exchange with a peer", () => {
  it("goes on at its interval, and says how it stands", async () => {
    const [a, b] = [await exchangeNode({ seed: 200 }), await exchangeNode({ seed: 201 })];
    await told(a);
    await told(b);
    const { exchange, waits, go } = runner(a, { url: b.url, key: toHex(b.signer.publicKey) });
    expect(exchange.states()).toMatchObject([{ url: b.url, failures: 0, heads: 0 }]);
    await go();
    await go();
    expect(waits).toEqual([60_000, 60_000, 60_000]);
    expect(b.asked).toEqual(["/exchange/heads", "/exchange/heads"]);
    const [state] = exchange.states();
    expect(state).toMatchObject({ failures: 0, problem: undefined, heads: 1, unknown: 0, refused: 0 });
    expect(state?.lastRoundMs).toBe(a.clock.nowMs);
  });

  it("waits longer and longer while the peer does not answer, says so once, and recovers", async () => {
    const [a, b] = [await exchangeNode({ seed: 200 }), await exchangeNode({ seed: 201 })];
    let isDown = true;
    const real = httpTransport();
    const transport = {
      ask: (question: Question) =>
        real.ask(isDown ? { ...question, url: new URL("http://127.0.0.1:9/") } : question),
      close: () => real.close(),
    };
    const peer = { url: b.url, key: toHex(b.signer.publicKey) };
    const { exchange, waits, lines, go } = runner(a, peer, { transport: () => transport });
    for (let round = 0; round < 8; round++) await go();
    expect(waits.map((ms) => ms / 60_000)).toEqual([1, 2, 4, 8, 16, 32, 60, 60, 60]);
    expect(lines).toMatchObject([
      { event: "exchange-failed", fields: { code: "exchange-offline", peer: b.url } },
    ]);
    expect(exchange.states()).toMatchObject([
      { failures: 8, problem: expect.stringContaining("cannot be asked") },
    ]);
    isDown = false;
    await go();
    expect(waits.at(-1)).toBe(60_000);
    expect(lines.at(-1)).toMatchObject({ event: "exchange-failed-over" });
    expect(exchange.states()).toMatchObject([{ failures: 0, problem: undefined }]);
  });

  it("stops in the middle of a question that is never answered", async () => {
    const a = await exchangeNode({ seed: 200 });
    let asked = (): void => {};
    const arrived = new Promise<void>((resolve) => {
      asked = resolve;
    });
    const transport = {
      ask: ({ signal }: Question): Promise<Uint8Array> =>
        new Promise((_resolve, reject) => {
          asked();
          signal.addEventListener("abort", () => reject(signal.reason));
        }),
      close: () => {},
    };
    const { exchange, lines, go } = runner(a, { url: a.url, key: KEY }, { transport: () => transport });
    void go();
    await arrived;
    await exchange.stop();
    expect(lines).toEqual([]);
  });

  it("refuses to start with a file that cannot be read", async () => {
    const a = await exchangeNode({ seed: 200 });
    for (const file of [{ ca: "/nowhere/ca.pem" }, { tokenFile: "/nowhere/token" }])
      expect(() => runner(a, { url: a.url, key: KEY, ...file })).toThrow(
        expect.objectContaining({ code: "exchange-file" }),
      );
  });
});

describe("a peer behind TLS and a token", () => {
  /** A certificate for 127.0.0.1 that signs itself. */
  function certificateIn(folder: string): { readonly cert: string; readonly key: string } {
    const [cert, key] = [join(folder, "cert.pem"), join(folder, "key.pem")];
    const subject = ["-subj", "/CN=test", "-addext", "subjectAltName=IP:127.0.0.1", "-days", "2", "-nodes"];
    const made = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-keyout", key, "-out", cert];
    execFileSync("openssl", ["req", "-x509", ...subject, ...made], { stdio: "pipe" });
    return { cert, key };
  }

  it("is asked with the token, and believed by the pinned authority alone", async () => {
    const [a, b] = [await exchangeNode({ seed: 200 }), await exchangeNode({ seed: 201 })];
    await told(a);
    await told(b);
    const folder = temporaryFolder();
    const { cert, key } = certificateIn(folder);
    const tokenFile = join(folder, "token");
    writeFileSync(tokenFile, "open-sesame\n");
    const app = new Hono();
    app.use(async (context, next) =>
      context.req.header("authorization") === "Bearer open-sesame" ? next() : context.body("no", 401),
    );
    addExchangeRoutes(app, { archive: b.archive, store: b.store, suite });
    const listener = getRequestListener(app.fetch, { overrideGlobalObjects: false });
    const server = createServer({ cert: readFileSync(cert), key: readFileSync(key) }, (request, response) => {
      void listener(request, response);
    });
    const port = await listen(server, { host: "127.0.0.1", port: 0, key: "test" });
    atEnd(() => closeServer(server));
    const peer = { url: `https://127.0.0.1:${port}`, key: toHex(b.signer.publicKey) };
    const outcome = async (files: Partial<PeerConfig>): Promise<unknown> => {
      const { exchange, go } = runner(a, { ...peer, ...files });
      await go();
      await exchange.stop();
      return exchange.states()[0];
    };
    expect(await outcome({ tokenFile })).toMatchObject({ problem: expect.stringContaining("self-signed") });
    expect(await outcome({ ca: cert })).toMatchObject({ problem: expect.stringContaining("status 401") });
    expect(await outcome({ ca: cert, tokenFile })).toMatchObject({ problem: undefined, heads: 1 });
  });
});

describe("the configuration of peers", () => {
  const url = "https://node.example.org:8788";

  it("takes https, and http to this machine", () => {
    const peers = [
      { url, key: KEY, ca: "ca.pem", tokenFile: "token" },
      { url: "http://127.0.0.1:8788/", key: "cd".repeat(32) },
    ];
    expect(peersSchema.parse(peers)).toEqual(peers);
  });

  it.each([
    ["http elsewhere", [{ url: "http://node.example.org", key: KEY }]],
    ["another scheme", [{ url: "ftp://node.example.org", key: KEY }]],
    ["a password in the url", [{ url: "https://a:b@node.example.org", key: KEY }]],
    ["a question mark", [{ url: `${url}?a=b`, key: KEY }]],
    ["no key", [{ url }]],
    ["half a key", [{ url, key: KEY.slice(32) }]],
    ["an unknown name", [{ url, key: KEY, token: "secret" }]],
    [
      "one key twice",
      [
        { url, key: KEY },
        { url: `${url}0`, key: KEY },
      ],
    ],
    [
      "one url twice",
      [
        { url, key: KEY },
        { url, key: "cd".repeat(32) },
      ],
    ],
  ])("refuses %s", (_name, peers) => {
    expect(peersSchema.safeParse(peers).success).toBe(false);
  });
});

describe("the exchange as a part of a node", () => {
  it("answers under its own paths, and ends with the node", async () => {
    const { store } = openExchangeStore();
    const b = await exchangeNode({ seed: 201 });
    const { logger, lines } = listeningLogger();
    const config = configIn(temporaryFolder());
    const part = openExchange({ config, logger, store }, [{ url: b.url, key: KEY }]);
    const questions = { archive: store, suite, network: NETWORK, nodeKey: new Uint8Array(32), logger };
    const app = createApp({ questions, extraRoutes: part.routes ?? [] });
    const ask = async (path: string): Promise<unknown> => {
      const answer = await app.request(path, { headers: { host: "localhost" } });
      return [answer.status, await answer.json()];
    };
    const paths = Object.keys(EXCHANGE_PATHS);
    expect(await ask("/")).toMatchObject([200, { questions: expect.arrayContaining(paths) }]);
    expect(await ask("/exchange/heads")).toMatchObject([200, { isLast: true, heads: [] }]);
    for (const path of paths.slice(1)) expect(await ask(path)).toMatchObject([400, { code: "query" }]);
    await part.close?.();
    expect(lines).toEqual([]);
  });
});

describe("what is kept open between questions", () => {
  it("does not keep a stopped node from being asked again by others", async () => {
    const a = await exchangeNode({ seed: 200 });
    const transport = httpTransport();
    const question = {
      ...{ url: new URL(`${a.url}/exchange/heads`), headers: {}, maxBytes: 1000, timeoutMs: 25_000 },
      signal: new AbortController().signal,
    };
    expect(await codeOf(transport.ask(question))).toBe("accepted");
    expect(await codeOf(transport.ask({ ...question, maxBytes: 10 }))).toBe("exchange-answer");
    expect(await codeOf(transport.ask(question))).toBe("accepted");
    transport.close();
  });
});
