import { createRequire } from "node:module";
import { join } from "node:path";
import type { Framed } from "../drivers/telegram/telegram.ts";
import { meterShare } from "./decode-meter.ts";
import { type DecodedStream, decodedStreams } from "./decode-streams.ts";
import type { Flags } from "./flags.ts";
import { figure, type Result, results, type Work } from "./measure.ts";

/** As a serial port hands them out. */
const PIECE_BYTES = 64;
const MEGABYTE = 1_000_000;

/** Telegrams of each protocol cut out of the stream of bytes, checked and taken apart; and what a meter costs a gateway. */
export async function decodeBench({ long }: Flags): Promise<readonly Result[]> {
  const found: Result[] = [];
  for (const stream of decodedStreams()) found.push(...(await measured(stream)));
  return [...found, ...(await meterShare(long))];
}

async function measured(stream: DecodedStream): Promise<readonly Result[]> {
  const { name, telegrams } = stream;
  const bytes = telegrams.reduce((sum, telegram) => sum + telegram.length, 0);
  const pieces = piecesOf(telegrams);
  const ours: Work = { count: telegrams.length, run: () => decodeAll(stream, pieces) };
  const theirs = OTHERS.get(name);
  const other: Work[] = theirs === undefined ? [] : [{ count: telegrams.length, run: theirs(telegrams) }];
  const benches = [`decode${theirs === undefined ? "" : `-vs-${OTHER_NAMES.get(name)}`}`];
  const [rate, ...more] = await results(benches, { name, unit: "telegrams/cpu-s" }, [ours, ...other]);
  if (rate === undefined) return more;
  const megabytes = bytes / telegrams.length / MEGABYTE;
  const { baseline } = rate;
  const volume = figure(rate.bench, { name, unit: "kB/cpu-s" }, [
    rate.value * megabytes * 1_000,
    ...(baseline === null ? ([] as const) : ([baseline * megabytes * 1_000] as const)),
  ]);
  return [rate, volume];
}

function piecesOf(telegrams: readonly Uint8Array[]): readonly Uint8Array[] {
  const whole = new Uint8Array(Buffer.concat(telegrams));
  return Array.from({ length: Math.ceil(whole.length / PIECE_BYTES) }, (_, at) =>
    whole.slice(at * PIECE_BYTES, (at + 1) * PIECE_BYTES),
  );
}

/** Throws where a single one is not read: a benchmark of refusals would be worth nothing. */
function decodeAll({ name, decoder, keys, telegrams }: DecodedStream, pieces: readonly Uint8Array[]): void {
  const framer = decoder.createFramer();
  let read = 0;
  const take = (framed: Framed): void => {
    if (framed.kind === "refused") throw framed.problem;
    read += decoder.decode(framed.bytes, keys).length > 0 ? 1 : 0;
  };
  for (const piece of pieces) framer.push(piece).forEach(take);
  framer.end().forEach(take);
  if (read < telegrams.length) throw new Error(`${name}: ${read} of ${telegrams.length} telegrams read`);
}

type OtherParser = (telegrams: readonly Uint8Array[]) => () => void;

const OTHER_NAMES: ReadonlyMap<string, string> = new Map([
  ["dsmr", "dsmr-parser"],
  ["sml", "open-sml"],
  ["vedirect", "signalk"],
]);

/**
 * Parsers by other authors. The first two find no telegrams in a stream: each is handed to them whole. The third one is
 * handed whole blocks, too: from pieces of 64 bytes it reads nearly nothing.
 */
const OTHERS: ReadonlyMap<string, OtherParser> = new Map<string, OtherParser>([
  ["dsmr", withDsmrParser],
  ["sml", withOpenSml],
  ["vedirect", withSignalK],
]);

/** The package exports its plugin only. */
const SIGNALK_PARSER = join(
  import.meta.dirname,
  "../node_modules/@signalk/vedirect-serial-usb/dist/Parser.js",
);

const require = createRequire(import.meta.url);

function withDsmrParser(telegrams: readonly Uint8Array[]): () => void {
  const parser = require("dsmr-parser") as { parse(telegram: string): { readonly objects: object } };
  return () => {
    for (const telegram of telegrams)
      if (Object.keys(parser.parse(Buffer.from(telegram).toString("latin1")).objects).length === 0)
        throw new Error("dsmr-parser read nothing");
  };
}

interface OpenSml {
  readonly SmlFile: new () => { parse(bytes: Buffer): void; readonly valid: boolean };
}

function withOpenSml(telegrams: readonly Uint8Array[]): () => void {
  const { SmlFile } = require("open-sml") as OpenSml;
  return () => {
    for (const telegram of telegrams) {
      const file = new SmlFile();
      file.parse(Buffer.from(telegram));
      if (!file.valid) throw new Error("open-sml refused a telegram");
    }
  };
}

interface SignalK {
  readonly VEDirectParser: new (
    options: object,
  ) => {
    addChunk(bytes: Buffer, connection: number): void;
    getData(): object;
    on(event: string, listener: () => void): void;
  };
}

function withSignalK(telegrams: readonly Uint8Array[]): () => void {
  const { VEDirectParser } = require(SIGNALK_PARSER) as SignalK;
  return () => {
    const parser = new VEDirectParser({ vedirect: [{}] });
    let blocks = 0;
    parser.on("delta", () => {
      blocks += 1;
    });
    for (const telegram of telegrams) parser.addChunk(Buffer.from(telegram), 0);
    if (blocks < telegrams.length) throw new Error(`signalk read ${blocks} of ${telegrams.length} blocks`);
  };
}
