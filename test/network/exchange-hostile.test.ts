import type { ServerResponse } from "node:http";
import { describe, expect, it } from "vitest";
import { fromHex, toHex } from "../../attest/bytes.ts";
import { signCheckpoint } from "../../attest/checkpoint.ts";
import { buildMultiproof } from "../../attest/multiproof.ts";
import { signReceipt } from "../../attest/receipt.ts";
import type { LocalSigner } from "../../attest/signature.ts";
import { bytesOf, shortLog } from "../attest/fault-forge.ts";
import { device, openedLog, otherDevice, signerOf } from "../attest/fault-kit.ts";
import type { LogBuilder } from "../kit/log-builder.ts";
import { codeOf, exchangeNode, served, type TestNode } from "./exchange-kit.ts";
import { signed } from "./fault-kit.ts";

interface Peer {
  readonly url: string;
  readonly signer: LocalSigner;
  readonly asked: string[];
}

const PEER = signerOf(0x55);
/** For those that say nothing, and those that say something. */
const [QUICK, PATIENT] = [{ timeoutMs: 2_000 }, { timeoutMs: 20_000 }];

type Answer = (path: string, response: ServerResponse) => void | Promise<void>;

async function peerThat(answer: Answer, signer: LocalSigner = PEER): Promise<Peer> {
  const asked: string[] = [];
  const url = await served((request, response) => {
    asked.push(request.url ?? "");
    void answer(request.url ?? "", response);
  });
  return { url, signer, asked };
}

function json(response: ServerResponse, body: unknown): void {
  response.setHeader("content-type", "application/json");
  response.end(JSON.stringify(body));
}

interface JsonHead {
  readonly deviceKey: string;
  readonly epoch: number;
  readonly size: number;
  readonly checkpoint: string;
  readonly receipt: string;
}

/** A peer that shows these heads and answers nothing else. */
function showing(heads: readonly JsonHead[]): Promise<Peer> {
  return peerThat((path, response) => {
    if (path.startsWith("/exchange/heads")) return json(response, { cursor: "1", isLast: true, heads });
    response.statusCode = 404;
    response.end();
  });
}

interface Forged {
  readonly log?: LogBuilder;
  readonly size?: number;
  readonly by?: LocalSigner;
  readonly receiptBy?: LocalSigner;
  readonly receiptSize?: number;
}

async function headOf({
  log = shortLog(),
  by = device,
  receiptBy = PEER,
  ...sizes
}: Forged = {}): Promise<JsonHead> {
  const { rules } = log;
  const { size = rules.size, receiptSize = size } = sizes;
  const common = { root: rules.root(), manifestHash: rules.manifestHash };
  const checkpoint = await signCheckpoint(by, rules.logId, {
    ...{ ...common, size, lastLeafMs: log.timeMs, issuedAtMs: log.timeMs, timeQuality: 3, bootCount: 1 },
  });
  const receipt = await signReceipt(receiptBy, {
    ...{ ...common, size: receiptSize, receivedAtMs: log.timeMs, ruleVersion: 1 },
  });
  const { epoch } = rules.identity;
  return {
    ...{ deviceKey: toHex(device.publicKey), epoch, size },
    checkpoint: Buffer.from(checkpoint).toString("base64"),
    receipt: Buffer.from(receipt).toString("base64"),
  };
}

/** A node that holds a short log of the device. */
async function holder(): Promise<TestNode> {
  const node = await exchangeNode({ seed: 200 });
  const log = shortLog();
  expect(await node.send(await signed(log, bytesOf(log)))).toBe("accepted");
  return node;
}

async function expectNothingKept(node: TestNode, peer: Peer): Promise<void> {
  expect(await node.store.faults(device.publicKey)).toEqual([]);
  expect(await node.archive.shown(peer.signer.publicKey, device.publicKey, 1)).toBeUndefined();
}

function longer(): LogBuilder {
  return shortLog().readMany(5, { stepMs: 5000, risesMwh: 3 });
}

describe("a peer that shows what the device has not signed", () => {
  it.each<[string, Forged]>([
    ["a checkpoint by another key", { log: longer(), by: otherDevice }],
    ["a checkpoint of another network", { log: openedLog({ network: "other-network" }) }],
    ["a receipt of another node", { log: longer(), receiptBy: signerOf(0x56) }],
    ["a receipt over another size", { log: longer(), receiptSize: 3 }],
  ])("%s", async (_name, forged) => {
    const node = await holder();
    const peer = await showing([await headOf(forged)]);
    expect(await node.ask(peer)).toEqual({ heads: 1, unknown: 0, refused: 1 });
    await expectNothingKept(node, peer);
    expect(node.lines).toMatchObject([{ event: "exchange-head-refused" }]);
  });

  it("another size than the checkpoint's", async () => {
    const node = await holder();
    const peer = await showing([{ ...(await headOf({ log: longer() })), size: 3 }]);
    expect(await node.ask(peer)).toMatchObject({ refused: 1 });
    await expectNothingKept(node, peer);
  });

  it("the checkpoint of one epoch as that of another", async () => {
    const node = await holder();
    const peer = await showing([{ ...(await headOf()), epoch: 2 }]);
    expect(await node.ask(peer)).toMatchObject({ refused: 1 });
    expect(await node.archive.shown(PEER.publicKey, device.publicKey, 2)).toBeUndefined();
  });

  it("again and again, is not read to the end", async () => {
    const node = await holder();
    const forged = await headOf({ log: longer(), by: otherDevice });
    const peer = await showing(Array.from({ length: 256 }, () => forged));
    expect(await codeOf(node.ask(peer))).toBe("exchange-answer");
    await expectNothingKept(node, peer);
  });

  it("of devices that are not known here, is ignored", async () => {
    const node = await holder();
    const head = await headOf();
    const heads = Array.from({ length: 256 }, (_, i) => ({
      ...head,
      deviceKey: i.toString(16).padStart(64, "0"),
    }));
    expect(await node.ask(await showing(heads))).toEqual({ heads: 256, unknown: 256, refused: 0 });
    expect(await node.archive.shown(PEER.publicKey, fromHex("0".repeat(64), "key"), 1)).toBeUndefined();
  });
});

describe("a peer that answers as no node does", () => {
  it.each<[string, string, Answer, object?]>([
    [
      "with a redirect to itself",
      "exchange-answer",
      (path, response) => void response.writeHead(302, { location: path }).end(),
    ],
    ["with a refusal", "exchange-answer", (_path, response) => void response.writeHead(403).end("no")],
    ["with something else than JSON", "exchange-answer", (_path, response) => void response.end("<html>")],
    ["with another shape", "exchange-answer", (_path, response) => json(response, { heads: [{}] })],
    [
      "with a long place",
      "exchange-answer",
      (_path, response) => json(response, { cursor: "x".repeat(65), isLast: true, heads: [] }),
    ],
    ["without an end", "exchange-answer", (_path, response) => flood(response)],
    ["drop by drop", "exchange-offline", (_path, response) => drip(response), QUICK],
    ["not at all", "exchange-offline", () => undefined, QUICK],
    ["by hanging up", "exchange-offline", (_path, response) => void response.destroy()],
  ])("%s", async (_name, code, answer, limits = PATIENT) => {
    const node = await holder();
    const peer = await peerThat(answer);
    expect(await codeOf(node.ask(peer, limits))).toBe(code);
    expect(peer.asked).toHaveLength(1);
    await expectNothingKept(node, peer);
  });

  it("with ever more pages", async () => {
    const node = await holder();
    let page = 0;
    const peer = await peerThat((_path, response) => {
      page += 1;
      json(response, { cursor: `${page}`, isLast: false, heads: [] });
    });
    await node.ask(peer);
    expect(peer.asked).toHaveLength(32);
  });

  it("at a port where nobody listens", async () => {
    const node = await holder();
    const peer = { url: "http://127.0.0.1:9", signer: PEER };
    expect(await codeOf(node.ask(peer))).toBe("exchange-offline");
  });
});

function flood(response: ServerResponse): void {
  const more = (): void => {
    while (!response.destroyed && response.write("[".repeat(65_536)));
  };
  response.on("drain", more);
  more();
}

function drip(response: ServerResponse): void {
  const timer = setInterval(() => response.write(" "), 50);
  response.on("close", () => clearInterval(timer));
}

describe("a peer that lies about a tree", () => {
  interface Story {
    readonly node: TestNode;
    readonly peer: Peer;
  }

  /** An honest node's answers, changed on the way: here is less of the log, or another story, than there. */
  async function story(
    isFork: boolean,
    change: (path: string, body: string) => string | undefined,
  ): Promise<Story> {
    const node = await holder();
    const honest = await exchangeNode({ seed: 201 });
    const log = isFork ? openedLog() : shortLog();
    if (isFork) log.manifest({ samplingMs: 5000 });
    log.readMany(isFork ? 5 : 60, { stepMs: 5000, risesMwh: 3 });
    expect(await honest.send(await signed(log, bytesOf(log)))).toBe("accepted");
    const peer = await peerThat(async (path, response) => {
      const answer = await fetch(`${honest.url}${path}`);
      const body = Buffer.from(await answer.arrayBuffer()).toString("latin1");
      const changed = change(path, body);
      if (changed === undefined) response.writeHead(404);
      response.end(Buffer.from(changed ?? "", "latin1"));
    }, honest.signer);
    return { node, peer };
  }

  const otherHash = (body: string): string =>
    body.replace(/[0-9a-f](?="\]\}$)/, (digit) => (digit === "0" ? "1" : "0"));
  const lies: [string, string, (body: string) => string | undefined][] = [
    ["peaks", "another peak", otherHash],
    ["peaks", "a peak too few", (body) => body.replace(/,"[0-9a-f]{64}"\]/, "]")],
    ["peaks", "no peaks", () => undefined],
    ["subtree", "another node", otherHash],
    ["subtree", "a node too few", (body) => body.replace(/,"[0-9a-f]{64}"\]/, "]")],
    ["subtree", "what is no hash", () => '{"hashes":["zz"]}'],
  ];

  it.each(lies)("%s: %s, of an honest device", async (path, _name, change) => {
    const { node, peer } = await story(false, (asked, body) =>
      asked.includes(`/${path}`) ? change(body) : body,
    );
    expect(await codeOf(node.ask(peer))).toBe("exchange-answer");
    expect(await node.store.faults(device.publicKey)).toEqual([]);
    expect(await node.archive.shown(peer.signer.publicKey, device.publicKey, 1)).toMatchObject({
      compared: 0,
    });
    // It was given up after the first lie.
    expect(peer.asked.filter((asked) => asked.includes(`/${path}`))).toHaveLength(1);
  });

  it.each([
    ...lies.filter(([, name]) => name.startsWith("another")),
    ["leaf", "another leaf", (body: string) => `${body.slice(0, -1)}!`],
    ["leaf", "no leaf", () => undefined],
  ] as typeof lies)("%s: %s, of a device with two stories: no file", async (path, _name, change) => {
    const { node, peer } = await story(true, (asked, body) =>
      asked.includes(`/${path}`) ? change(body) : body,
    );
    expect(await codeOf(node.ask(peer))).toBe("exchange-answer");
    expect(await node.shown()).toEqual([null]);
  });
});

describe("an asker", () => {
  it("is shown no leaf but against another one that is signed", async () => {
    const node = await holder();
    const log = shortLog();
    const get = (rest: string): Promise<Response> => fetch(`${node.url}/exchange/${rest}`);
    const id = toHex(log.rules.logId);
    const checkpoint = Buffer.from((await log.checkpoint()).bytes).toString("base64url");
    const leafHash = toHex(log.leaves[5]?.hash ?? new Uint8Array());
    for (const [rest, status, code] of [
      [`leaf?log=${id}&seq=5`, 400, "query"],
      [`leaf?log=${id}&seq=1`, 400, "query"],
      // The same leaf under the same root, and another leaf that is not under it.
      [
        `leaf?log=${id}&seq=5&checkpoint=${checkpoint}&leafHash=${leafHash}&hashes=${pathOf(log, 5)}`,
        403,
        "leaf-private",
      ],
      [
        `leaf?log=${id}&seq=5&checkpoint=${checkpoint}&leafHash=${"ab".repeat(32)}&hashes=${pathOf(log, 5)}`,
        403,
        "leaf-private",
      ],
      [`leaf?log=${id}&seq=5&checkpoint=AAAA&leafHash=${leafHash}&hashes=`, 400, "cose-shape"],
      [`leaf?log=${id}&seq=9999`, 400, "query"],
      [`peaks?log=${"00".repeat(32)}&size=1`, 404, "log-unknown"],
      [`peaks?log=${id}&size=0`, 400, "query"],
      [`peaks?log=${id}&size=${log.rules.size + 1}`, 400, "query"],
      [`subtree?log=${id}&level=3&index=0&depth=6`, 400, "query"],
      [`subtree?log=${id}&level=60&index=0&depth=1`, 400, "query"],
      [`heads?limit=257`, 400, "query"],
      [`heads?after=${"x".repeat(65)}`, 400, "query"],
      [`heads?before=1`, 400, "query"],
    ] as const) {
      const answer = await get(rest);
      expect([rest, answer.status, await answer.json()]).toMatchObject([rest, status, { code }]);
    }
  });
});

function pathOf(log: LogBuilder, seq: number): string {
  const tree = log.proofSource().tree();
  return Buffer.concat(buildMultiproof(tree, tree.size, [seq])).toString("base64url");
}
