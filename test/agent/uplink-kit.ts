import { once } from "node:events";
import type { Server } from "node:net";
import { join } from "node:path";
import { afterEach, beforeEach } from "vitest";
import type { UplinkHost } from "../../agent/uplink/host.ts";
import type { SessionOptions } from "../../agent/uplink/session.ts";
import { compareWelcome } from "../../agent/uplink/signing-gate.ts";
import type { UplinkTiming } from "../../agent/uplink/timing.ts";
import { Uplink, type UplinkOptions } from "../../agent/uplink/uplink.ts";
import { concatBytes, toHex } from "../../attest/bytes.ts";
import type { BatchMessage } from "../../attest/messages.ts";
import { eventually } from "../kit/programs.ts";
import { FakeNode, type Script } from "./fake-node.ts";
import {
  type Bench,
  deviceSigner,
  type Line,
  NETWORK,
  openBench,
  recordingLogger,
  sealReadings,
  temporaryFolder,
} from "./kit.ts";

const QUICK: Partial<UplinkTiming> = { firstWaitMs: 1, mostWaitMs: 20 };
const LONG_MS = 25_000;

/** What an uplink has beside its node. */
export type More = Pick<UplinkOptions, "ca" | "live" | "frames" | "orders"> &
  Pick<SessionOptions, "enrol"> &
  Pick<UplinkHost, "enrolled"> & { readonly recording?: ReturnType<typeof recordingLogger> };

export interface Connected {
  readonly uplink: Uplink;
  readonly lines: Line[];
  /** Sizes of the receipts that were kept, in order. */
  readonly receipted: number[];
  /** Codes of all problems that were logged. */
  problems(): unknown[];
}

/** A journal, and uplinks from it to nodes; all of it is closed when the test is over. */
export class UplinkBench {
  readonly #closers: (() => Promise<unknown> | unknown)[] = [];
  readonly bench: Bench;
  readonly folder: string;

  constructor() {
    const { folder, remove } = temporaryFolder();
    this.folder = folder;
    this.bench = openBench(join(folder, "journal.sqlite"));
    this.#closers.push(remove, () => this.bench.log.journal.close());
  }

  async startNode(script: Script = {}): Promise<FakeNode> {
    const node = await FakeNode.start(script);
    this.#closers.push(() => node.close());
    return node;
  }

  /** Anything that listens and is no node. */
  async listen(server: Server): Promise<{ readonly url: string }> {
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    this.#closers.push(() => server.close());
    const address = server.address();
    if (address === null || typeof address === "string") throw new Error("not listening");
    return { url: `ws://127.0.0.1:${address.port}` };
  }

  connect(
    to: { readonly url: string; readonly signer?: { readonly publicKey: Uint8Array } },
    timing: Partial<UplinkTiming> = {},
    more: More = {},
  ): Connected {
    const { enrol, enrolled, recording = recordingLogger(), ...rest } = more;
    const { logger, lines } = recording;
    const receipted: number[] = [];
    const { log } = this.bench;
    const nodeKey = to.signer?.publicKey ?? new Uint8Array(32);
    const uplink = new Uplink({
      ...{ url: to.url, logger, timing: { ...QUICK, ...timing }, random: () => 1 },
      ...rest,
      session: {
        ...{ network: NETWORK, signer: deviceSigner, nodeKey, agentVersion: "test" },
        ...(enrol === undefined ? {} : { enrol }),
      },
      host: {
        ...(enrolled === undefined ? {} : { enrolled }),
        log: () => log,
        welcomed: (_key, welcome) => compareWelcome(welcome, log.journal, log.identity).size,
        receipted: (key, { size }, bytes) => {
          receipted.push(size);
          log.journal.addReceipt(log.identity.epoch, { nodeKey: key, size, bytes });
        },
      },
    });
    this.#closers.push(() => uplink.stop(0));
    uplink.start();
    const problems = (): unknown[] =>
      lines.filter(({ event }) => event === "node-problem").map((line) => line["code"]);
    return { uplink, lines, receipted, problems };
  }

  /** Seals that many readings and signs; the size of the checkpoint. */
  async sign(readings: number): Promise<number> {
    sealReadings(this.bench, readings);
    return this.bench.sealer.checkpoint();
  }

  /** The journal's own leaves in hexadecimal. */
  own(from: number, to: number): string {
    return toHex(concatBytes(...this.bench.log.journal.leaves(1, from, to)));
  }

  async close(): Promise<void> {
    for (const close of this.#closers.reverse()) await close();
  }
}

/** A bench of its own for each test of the block. */
export function useUplinkBench(): () => UplinkBench {
  let bench: UplinkBench | undefined;
  beforeEach(() => {
    bench = new UplinkBench();
  });
  afterEach(() => bench?.close());
  return () => {
    if (bench === undefined) throw new Error("outside a test");
    return bench;
  };
}

/** The leaves of batches in hexadecimal. */
export function sent(batches: readonly BatchMessage[]): string {
  return batches.map(({ leaves }) => toHex(leaves)).join("");
}

/** The first answer that is neither undefined, false nor 0. */
export function until<T>(what: string, ask: () => T | undefined | false | 0): Promise<T> {
  return eventually(what, LONG_MS, () => ask() || undefined);
}
