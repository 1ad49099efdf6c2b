import { describeProblem } from "../../attest/problem.ts";
import { READING_STATUS } from "../../attest/reading.ts";
import type { DemoResult, Narrator } from "./demo.ts";
import type { Evidence } from "./evidence.ts";
import type { Frame } from "./frame.ts";
import type { SealedChannel } from "./sealed-count.ts";
import type { DemoSite } from "./site.ts";
import { SHORTENED } from "./workspace.ts";

const STATUS_MS = 1000;

/** Tells the demo as JSON, one object a line; the last line is the result. */
export class JsonNarrator implements Narrator {
  readonly #write: (line: string) => void;
  #toldMs = Number.NEGATIVE_INFINITY;

  constructor(write: (line: string) => void) {
    this.#write = write;
  }

  began(site: DemoSite): void {
    const { kind, explanation } = site;
    this.#line({ event: "demo-started", site: kind, explanation, shortened: SHORTENED });
  }

  frame({ elapsedMs, status }: Frame): void {
    if (status === undefined || elapsedMs - this.#toldMs < STATUS_MS) return;
    this.#toldMs = elapsedMs;
    this.#line({ ...status, seconds: Math.floor(elapsedMs / 1000) });
  }

  ending(): void {
    this.#line({ event: "demo-ending", waitsFor: "a full interval and its receipt" });
  }

  finished(result: DemoResult): void {
    this.#line(resultFields(result));
  }

  failed(thrown: unknown): void {
    this.#line({ verdict: "none", ...describeProblem(thrown) });
  }

  #line(fields: object): void {
    this.#write(`${JSON.stringify(fields)}\n`);
  }
}

/** The result as plain data; the first proof stands for all where there are several. */
function resultFields({ site, seconds, counts, channels, keys, evidence }: DemoResult): object {
  const { sealed, receipted, lost, unserved, served, accepted, stored } = counts;
  const [first] = evidence;
  const bad = evidence.find(({ fault }) => fault !== undefined);
  const verdict = first !== undefined && bad === undefined ? "valid" : "invalid";
  return {
    ...{ sealed, receipted, lost },
    proof: first?.path ?? null,
    proofBytes: first?.bytes ?? 0,
    trust: [`device:${keys.deviceKey}`, `node:${keys.nodeKey}`],
    verdict,
    ...(bad?.fault === undefined ? {} : { fault: bad.fault }),
    ...{ site: site.kind, seconds, served, accepted, stored, unserved },
    intervalSeconds: SHORTENED.interval.seconds,
    channels: channels.map((channel) => channelFields(channel, site)),
    proofs: evidence.map(proofFields),
  };
}

function channelFields({ manifest, sealed, receipted, last }: SealedChannel, site: DemoSite): object {
  const { name, make, model, serial, driver } = manifest;
  const file = site.provable.find((each) => each.name === name)?.file;
  const tariffSum = ((last?.status ?? 0) & READING_STATUS.tariffSum) !== 0;
  return {
    ...{ name, make, model, serial, driver, sealed, receipted },
    ...(last?.importMwh === undefined ? {} : { importMwh: last.importMwh }),
    ...(last?.exportMwh === undefined ? {} : { exportMwh: last.exportMwh }),
    tariffSum,
    ...(file === undefined ? {} : { file }),
  };
}

function proofFields({ channel, path, bytes, verdict, fault }: Evidence): object {
  if (verdict === undefined) return { channel, verdict: "invalid", fault };
  const { fromMs, toMs, standing } = verdict;
  return {
    ...{ channel, path, bytes, verdict: verdict.verdict, standing, fromMs, toMs },
    ...(verdict.import === undefined ? {} : { import: verdict.import }),
    ...(verdict.export === undefined ? {} : { export: verdict.export }),
  };
}
