import { z } from "zod";
import { Problem } from "../../attest/problem.ts";

const TIMEOUT_MS = 10_000;
const PAGE_READINGS = 5000;
/** More than an hour of the demo fills. */
const MAX_PAGES = 1000;

const energy = z.int().optional();

/** A closed interval that a node holds. */
export interface NodeInterval {
  readonly epoch: number;
  readonly seq: number;
  readonly t0Ms: number;
  readonly t1Ms: number;
  readonly shape: readonly string[];
}

const intervalSchema: z.ZodType<NodeInterval> = z.object({
  epoch: z.int(),
  seq: z.int(),
  t0Ms: z.int(),
  t1Ms: z.int(),
  shape: z.array(z.string()),
});
const intervalsSchema = z.object({ intervals: z.array(intervalSchema), next: z.string().nullable() });

const readingsSchema = z.object({
  readings: z.array(z.object({ importMwh: energy, exportMwh: energy })),
  next: z.string().nullable(),
});

/** The registers of a reading that a node holds. */
export interface NodeReading {
  readonly importMwh?: number;
  readonly exportMwh?: number;
}

/** A device's channel, by the name in its log. */
export interface ChannelAddress {
  readonly deviceKey: string;
  readonly channel: string;
}

/** Asks a node over HTTP, as anybody on its machine can. */
export class NodeClient {
  readonly #base: string;

  constructor(httpUrl: string) {
    this.#base = httpUrl;
  }

  /** All closed intervals of a channel, oldest first; none for a channel that the node does not know yet. */
  async intervals(of: ChannelAddress): Promise<NodeInterval[]> {
    const found: NodeInterval[] = [];
    let next: string | null = pathOf(of, "intervals", {});
    for (let page = 0; next !== null && page < MAX_PAGES; page += 1) {
      const answer: z.output<typeof intervalsSchema> | undefined = await this.#json(next, intervalsSchema);
      if (answer === undefined) break;
      found.push(...answer.intervals);
      next = answer.next;
    }
    return found;
  }

  /** Calls `each` for every reading of a channel that the node holds, page by page. */
  async forEachReading(of: ChannelAddress, each: (reading: NodeReading) => void): Promise<void> {
    let next: string | null = pathOf(of, "readings", { from: "0", limit: String(PAGE_READINGS) });
    for (let page = 0; next !== null; page += 1) {
      if (page === MAX_PAGES) throw new Problem("demo-node", "the node's list of readings does not end");
      const answer: z.output<typeof readingsSchema> | undefined = await this.#json(next, readingsSchema);
      if (answer === undefined) return;
      for (const { importMwh, exportMwh } of answer.readings) each(defined(importMwh, exportMwh));
      next = answer.next;
    }
  }

  /** The proof file of a channel's span. */
  async proof(
    of: ChannelAddress,
    span: { readonly t0Ms: number; readonly t1Ms: number },
  ): Promise<Uint8Array> {
    const path = pathOf(of, "proof", { from: String(span.t0Ms), to: String(span.t1Ms) });
    const response = await this.#get(path);
    if (!response.ok) throw await refused(path, response);
    return new Uint8Array(await response.arrayBuffer());
  }

  async #json<Schema extends z.ZodType>(path: string, schema: Schema): Promise<z.output<Schema> | undefined> {
    const response = await this.#get(path);
    if (response.status === 404) return undefined;
    if (!response.ok) throw await refused(path, response);
    return schema.parse(await response.json());
  }

  async #get(path: string): Promise<Response> {
    try {
      return await fetch(new URL(path, this.#base), { signal: AbortSignal.timeout(TIMEOUT_MS) });
    } catch (cause) {
      const got = cause instanceof Error ? cause.message : String(cause);
      throw new Problem("demo-node", "the node does not answer over HTTP", { where: path, got, cause });
    }
  }
}

function pathOf(of: ChannelAddress, question: string, query: Readonly<Record<string, string>>): string {
  const { deviceKey, channel } = of;
  return `/devices/${deviceKey}/${question}?${new URLSearchParams({ channel, ...query })}`;
}

function defined(importMwh: number | undefined, exportMwh: number | undefined): NodeReading {
  return {
    ...(importMwh === undefined ? {} : { importMwh }),
    ...(exportMwh === undefined ? {} : { exportMwh }),
  };
}

async function refused(path: string, response: Response): Promise<Problem> {
  const text = (await response.text()).slice(0, 300);
  return new Problem("demo-node", "the node refused a question", {
    where: path,
    got: `${response.status} ${text}`,
  });
}
