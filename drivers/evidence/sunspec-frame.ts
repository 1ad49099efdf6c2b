import type { MeterReading } from "../../attest/reading.ts";
import { present } from "../present.ts";
import { Block, HEADER, type Source } from "../sunspec/block.ts";
import { BlockSet } from "../sunspec/channel.ts";
import { planChannels } from "../sunspec/channels.ts";
import { meterSign } from "../sunspec/signs.ts";
import { decodeSnapshot } from "../sunspec/snapshot.ts";
import { type ChannelOptions, READ_MODELS, type Survey } from "../sunspec/survey.ts";
import type { DecodedChannel, DecodedFrame } from "./decoded.ts";
import { type RegisterRun, registerRuns } from "./register-frame.ts";

/** Longer than any model that is read; a length alone must not make hundreds of sets. */
const LONGEST_MODEL = 4096;

/**
 * The readings of a frame of SunSpec models, whose numbers and lengths stand in the registers themselves. `make` is what
 * model 1 said when the device was identified: some signs are the maker's. All channels that the frame could show are
 * there, also those that a device has only where its configuration asks for them. Throws Problem `frame-form`.
 */
export function decodeSunSpecFrame(make: string, bytes: Uint8Array): DecodedFrame {
  const survey = surveyOf(registerRuns(bytes));
  if (typeof survey === "string") return { cannotDecode: survey };
  const usual = readingsOf(survey, make, {});
  const other = readingsOf(survey, make, {
    meterPowerSign:
      meterSign(undefined, make).sign === "import-positive" ? "export-positive" : "import-positive",
    batteryPowerSign: "charge-positive",
  });
  return {
    channels: usual.map((channel) => {
      const reading = other.find((one) => one.reading.channel === channel.reading.channel)?.reading;
      return present<DecodedChannel>({ ...channel, otherwise: otherwise(channel, reading) });
    }),
  };
}

function otherwise({ role, reading }: DecodedChannel, other?: MeterReading): DecodedChannel["otherwise"] {
  if (other === undefined || other.activePowerMw === reading.activePowerMw) return undefined;
  return { setting: role === "storage" ? "batteryPowerSign" : "meterPowerSign", reading: other };
}

function readingsOf(
  survey: Survey,
  make: string,
  signs: Pick<ChannelOptions, "meterPowerSign" | "batteryPowerSign">,
): DecodedChannel[] {
  const options: ChannelOptions = { meterRole: "grid", dcChannels: true, ...signs };
  const channels = planChannels({ ...survey, make, options });
  const { readings } = decodeSnapshot({ blocks: survey.blocks, missing: [] }, channels);
  return channels.flatMap(({ description: { role, resolutionMwh } }, at) => {
    const decoded = readings[at];
    if (decoded === undefined) return [];
    const { resolutionMwh: _, ...reading } = decoded;
    return [present<DecodedChannel>({ reading, role, resolutionMwh })];
  });
}

/** The models of a frame as the driver would have found them, or why they are none. */
function surveyOf(runs: readonly RegisterRun[]): Survey | string {
  if (!inOrder(runs)) return "the runs are not of holding registers in the order of their addresses";
  const sources: Source[] = [];
  const blocks = new Map<number, Block>();
  for (const group of modelsIn(runs)) {
    const [head] = group;
    const [id = 0, length = 0] = head?.registers ?? [];
    const model = READ_MODELS.get(id);
    if (head === undefined || head.registers.length < HEADER || model === undefined)
      return `at ${head?.start} there is no model that the driver reads`;
    if (length > LONGEST_MODEL) return `model ${id} at ${head.start} says that it has ${length} registers`;
    const source = { model, place: { id, start: head.start, length } };
    const registers = imageOf(group, head.start);
    if (registers.length > HEADER + length) return `the registers behind model ${id} are no model`;
    sources.push(source);
    blocks.set(head.start, new Block(source, { registers, runs: group }));
  }
  return { sources, blocks: new BlockSet(blocks) };
}

function inOrder(runs: readonly RegisterRun[]): boolean {
  return runs.every(({ table, start }, at) => {
    const before = runs[at - 1];
    return table === "holding" && (before === undefined || start >= before.start + before.registers.length);
  });
}

/** The runs of each model: those that begin within the length that its first run says. */
function modelsIn(runs: readonly RegisterRun[]): readonly (readonly RegisterRun[])[] {
  const models: RegisterRun[][] = [];
  let end = 0;
  for (const run of runs) {
    if (run.start < end) models.at(-1)?.push(run);
    else {
      models.push([run]);
      end = run.start + HEADER + (run.registers[1] ?? 0);
    }
  }
  return models;
}

/** The model's registers from its ID to the last that was read; all ones where none was. */
function imageOf(runs: readonly RegisterRun[], start: number): Uint16Array {
  const end = Math.max(...runs.map((run) => run.start + run.registers.length));
  const image = new Uint16Array(end - start).fill(0xffff);
  for (const run of runs) image.set(run.registers, run.start - start);
  return image;
}
