import { writeFileSync } from "node:fs";
import { Command, InvalidArgumentError } from "commander";
import { z } from "zod";
import { Problem } from "../../attest/problem.ts";
import { checkPlace, lineSettings, modbusShape } from "../../drivers/modbus/options.ts";
import { ModbusUnit } from "../../drivers/modbus/unit.ts";
import type { CompiledProfile } from "../../drivers/profile/compiled.ts";
import { captureYaml, type DumpRange, dump } from "../../drivers/profile/dump.ts";
import { redacted } from "../../drivers/profile/redact.ts";
import { runCommand } from "../../runtime/command.ts";
import { type PlaceOptions, profileOf, withPlace } from "./place-options.ts";

interface CaptureOptions extends PlaceOptions {
  readonly profile?: string;
  readonly range?: readonly DumpRange[];
  readonly device?: string;
  readonly source?: string;
  readonly maxRegisters?: number;
  readonly out?: string;
}

const HELP = `
Reads only. What is printed is an entry for "captures" of a profile: registers as the device answered with them, and what
the profile makes of them. Serial numbers and everything that reads as text are blanked; look at it once more before you
give it away.
  kilowitness capture --profile eastron-sdm630 --line serial:///dev/ttyUSB0 --device "SDM630 v2, 2024"
  kilowitness capture --range input:0-79 --range holding:0-40 --host 192.168.1.20`;

/** `kilowitness capture`: a register dump of a real device, as a profile's capture. */
export function captureCommand(): Command {
  const command = new Command("capture")
    .description("record a device's registers for a profile, with serial numbers blanked")
    .option(
      "--profile <file>",
      "take what this profile reads: a file, or a name that 'kilowitness drivers' lists",
    )
    .option("--range <table:from-to>", "take these as well, such as input:0-79; may be repeated", ranges);
  return withPlace(command)
    .option("--max-registers <number>", "the most registers a request may ask for", most)
    .option("--device <text>", "make, model and version, for whoever reads the capture")
    .option("--source <text>", "who took it")
    .option("--out <file>", "write there instead of printing; must not exist")
    .addHelpText("after", HELP)
    .action((options: CaptureOptions) => runCommand("capture", () => capture(options)));
}

async function capture(options: CaptureOptions): Promise<void> {
  const compiled = options.profile === undefined ? undefined : profileOf(options.profile);
  const wanted = [...rangesOf(compiled), ...(options.range ?? [])];
  if (wanted.length === 0)
    throw new Problem("config-missing", "what is to be read?", {
      expected: "--profile FILE, or --range TABLE:FROM-TO",
    });
  const unit = openUnit(options, compiled);
  try {
    const most = options.maxRegisters ?? compiled?.profile.transport.maxRegisters ?? DEFAULT_MOST;
    const blocks = await dump((table, range) => unit.readRegisters(table, range), wanted, most);
    if (blocks.length === 0)
      throw new Problem("capture-empty", "the device has none of these registers", {
        hint: "check table and addresses",
      });
    const shown = redacted(blocks, compiled);
    const facts = {
      device: options.device ?? compiled?.profile.title ?? "PLACEHOLDER: make, model, version",
      source: options.source ?? "PLACEHOLDER: who took it",
      taken: new Date().toISOString().slice(0, 10),
    };
    deliver(captureYaml(shown, facts, compiled), options.out);
    for (const one of shown.blanked) process.stderr.write(`blanked ${one}\n`);
  } finally {
    await unit.close();
  }
}

const DEFAULT_MOST = 60;

/** What the profile reads, snapshot by snapshot, so that gaps show as well. */
function rangesOf(compiled: CompiledProfile | undefined): readonly DumpRange[] {
  if (compiled === undefined) return [];
  const { snapshots } = compiled.profile;
  return compiled
    .plan(Object.keys(snapshots))
    .requests.map(({ table, start, count }) => ({ table, start, count }));
}

const placeSchema = z.strictObject(modbusShape).superRefine(checkPlace);

function openUnit(
  { host, port, line, unit }: CaptureOptions,
  compiled: CompiledProfile | undefined,
): ModbusUnit {
  const { transport } = compiled?.profile ?? {};
  const parsed = placeSchema.safeParse({
    ...(host === undefined ? {} : { host }),
    ...(line === undefined ? {} : { line }),
    port: port ?? transport?.tcp?.port ?? 502,
    unit: unit ?? transport?.unit ?? 1,
    connectDelayMs: transport?.connectDelayMs ?? 0,
    minGapMs: transport?.minGapMs ?? 0,
  });
  if (!parsed.success)
    throw new Problem("config-place", parsed.error.issues[0]?.message ?? "not a place", {
      hint: "say where the device is with --host, or with --line",
    });
  const { timeoutMs, connectDelayMs, minGapMs } = parsed.data;
  return new ModbusUnit(lineSettings(parsed.data), {
    unit: parsed.data.unit,
    timeoutMs,
    connectDelayMs,
    minGapMs,
  });
}

function deliver(text: string, file: string | undefined): void {
  if (file === undefined) process.stdout.write(text);
  else writeFileSync(file, text, { flag: "wx" });
}

function ranges(text: string, before: readonly DumpRange[] = []): readonly DumpRange[] {
  const parts = /^(input|holding):(\d{1,5})-(\d{1,5})$/.exec(text);
  const [from, to] = [Number(parts?.[2]), Number(parts?.[3])];
  if (parts === null || !(from <= to && to <= 65_535))
    throw new InvalidArgumentError(
      `expected input:FROM-TO or holding:FROM-TO within 0 to 65535, got "${text}"`,
    );
  return [
    ...before,
    { table: parts[1] === "input" ? "input" : "holding", start: from, count: to - from + 1 },
  ];
}

function most(text: string): number {
  const value = Number(text);
  if (Number.isInteger(value) && value >= 1 && value <= 125) return value;
  throw new InvalidArgumentError(`expected 1 to 125, got "${text}"`);
}
