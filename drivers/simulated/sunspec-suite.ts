import {
  type ModbusServer,
  type ModbusServerOptions,
  type ReadRequest,
  startModbusServer,
} from "./modbus-server.ts";
import type { SlaveModel } from "./modbus-slave.ts";
import type { SimulatedModel } from "./sunspec-encode.ts";
import { answerSunSpec, misbehaviourOf, type SunSpecFault, type SunSpecState } from "./sunspec-faults.ts";

/** A simulated device of any models. */
export interface SunSpecSuite {
  /** Asked anew at each request, so that every answer is of one instant. Model 1 comes first. */
  models(): readonly SimulatedModel[];
  faults?(request: ReadRequest): readonly SunSpecFault[];
  /** Default 1. */
  readonly unit?: number;
  /** First register of the map; default 40000. */
  readonly base?: number;
}

/** Model 1 of a simulated device. */
export function simulatedCommon(
  serial: string,
  make = "Kilowitness",
  model = "Simulated suite",
): SimulatedModel {
  return { id: 1, values: { Mn: make, Md: model, Vr: "1.0.0", SN: serial, DA: 1 } };
}

function stateOf(suite: SunSpecSuite, request: ReadRequest): SunSpecState {
  return {
    models: suite.models(),
    base: suite.base ?? 40_000,
    unit: suite.unit ?? 1,
    faults: suite.faults?.(request) ?? [],
  };
}

/** Serves a device over Modbus TCP. */
export function startSunSpecSuite(
  suite: SunSpecSuite & Pick<ModbusServerOptions, "host" | "port" | "onServed">,
): Promise<ModbusServer> {
  // One answer is of one instant, and so is what becomes of it.
  const states = new WeakMap<ReadRequest, SunSpecState>();
  return startModbusServer({
    ...suite,
    read: (request) => {
      const state = stateOf(suite, request);
      states.set(request, state);
      return answerSunSpec(state, request) ?? { registers: [] };
    },
    misbehave: (request) => {
      const state = states.get(request);
      return state === undefined ? undefined : misbehaviourOf(state, request);
    },
  });
}

/** The device as a slave on a line, for RTU and RTU over TCP. */
export function sunSpecSlave(suite: SunSpecSuite): SlaveModel {
  return {
    read: (request) => {
      if (request.table !== "holding") return { exception: 1 };
      const answer = answerSunSpec(stateOf(suite, request), request);
      if (answer === undefined || "exception" in answer) return answer;
      return answer.registers;
    },
  };
}
