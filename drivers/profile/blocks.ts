import type { RawFrame } from "../driver.ts";
import { type RegisterRun, registerFrame } from "../evidence/register-frame.ts";
import type { CompiledPoint, PlannedRequest, ReadPlan } from "./compiled.ts";

/** One request with its answer, or why there is none. */
export interface Answer {
  readonly request: PlannedRequest;
  readonly registers?: Uint16Array;
  readonly absent?: string;
  /** Addresses that nobody has read, where the answer was put together from what was captured. */
  readonly missing?: ReadonlySet<number>;
}

/** Registers that hold nothing but 0xFFFF are what devices answer with while they start (homemaster-dev #10). */
const FILL = 0xffff;

/** What the requests of one plan brought. */
export class Blocks {
  readonly answers: readonly Answer[];
  /** Every answer as it came, also one that says nothing. */
  readonly frame: RawFrame;
  readonly #places: ReadPlan["places"];

  constructor(plan: ReadPlan, answers: readonly Answer[]) {
    this.answers = answers.map(withoutFill);
    this.#places = plan.places;
    this.frame = registerFrame(answers.flatMap(runOf));
  }

  /** Whether the point was asked for. */
  has(name: string): boolean {
    return this.#places.has(name);
  }

  /** The registers of a point alone, or why there are none. */
  registersOf({ name, point, width }: CompiledPoint): Uint16Array | { readonly absent: string } {
    const answer = this.answers[this.#places.get(name) ?? -1];
    if (answer?.registers === undefined) return { absent: answer?.absent ?? "not asked for" };
    const { missing } = answer;
    for (let at = 0; missing !== undefined && at < width; at++)
      if (missing.has(point.address + at)) return { absent: "not captured" };
    const from = point.address - answer.request.start;
    return answer.registers.subarray(from, from + width);
  }

  /** Whether there are answers and every register of them is zero, as gateways answer for units that are not there. */
  get allZero(): boolean {
    const registers = this.answers.flatMap((answer) => [...(answer.registers ?? [])]);
    return registers.length > 0 && registers.every((register) => register === 0);
  }
}

function withoutFill(answer: Answer): Answer {
  const { request, registers } = answer;
  if (registers === undefined || registers.length < 2 || !registers.every((register) => register === FILL))
    return answer;
  return { request, absent: "the device answers with nothing but 0xFFFF" };
}

function runOf({ request: { table, start }, registers }: Answer): RegisterRun[] {
  return registers === undefined ? [] : [{ table, start, registers }];
}
