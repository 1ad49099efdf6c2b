import type { Snapshot } from "../driver.ts";
import { batteryRatings } from "./battery.ts";
import { type Answer, Blocks } from "./blocks.ts";
import type { CompiledProfile, PlannedRequest } from "./compiled.ts";
import { describeChannels } from "./describe.ts";
import { Values } from "./evaluate.ts";
import type { CapturedRegisters } from "./profile.ts";
import { snapshotOf } from "./readings.ts";

type RegisterTable = "holding" | "input";

/** Registers of a device by table and address; what is not there was not captured. */
export type RegisterMap = Readonly<Record<RegisterTable, ReadonlyMap<number, number>>>;

/** A capture's hexadecimal blocks as registers. The profile's schema has checked the digits. */
export function registerMap(captured: CapturedRegisters): RegisterMap {
  const table = (name: RegisterTable): ReadonlyMap<number, number> =>
    new Map(
      Object.entries(captured[name] ?? {}).flatMap(([start, text]) =>
        text
          .trim()
          .split(/\s+/)
          .map((word, at) => [Number(start) + at, Number.parseInt(word, 16)] as const),
      ),
    );
  return { holding: table("holding"), input: table("input") };
}

/** What a profile makes of registers that were captured, as its driver would of a device that answers with them. */
export function readImage(compiled: CompiledProfile, map: RegisterMap): Snapshot {
  const plan = compiled.plan(Object.keys(compiled.profile.snapshots));
  const blocks = new Blocks(
    plan,
    plan.requests.map((request) => answerFrom(map, request)),
  );
  const values = new Values(compiled, blocks);
  const signs = {};
  const described = describeChannels({ compiled, values, missing: new Set(), signs });
  const channels = Object.entries(compiled.profile.channels);
  const ratings = new Map(
    channels.map(([name, channel]) => [name, batteryRatings(values, channel)] as const),
  );
  return snapshotOf({ compiled, values, described, signs, ratings });
}

function answerFrom(map: RegisterMap, request: PlannedRequest): Answer {
  const registers = Uint16Array.from(
    { length: request.count },
    (_, at) => map[request.table].get(request.start + at) ?? 0,
  );
  const missing = new Set(
    Array.from({ length: request.count }, (_, at) => request.start + at).filter(
      (address) => !map[request.table].has(address),
    ),
  );
  return { request, registers, missing };
}
