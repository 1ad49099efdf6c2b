import { smpMap } from "./cbor.ts";
import type { Asking, SmpConnection, SmpRequest } from "./connection.ts";
import { Fields } from "./fields.ts";
import { GROUP } from "./message.ts";
import { fieldProblem } from "./problems.ts";

/**
 * Commands of group 2. Source: zephyrproject-rtos/zephyr doc/services/device_mgmt/smp_groups/smp_group_2.rst, commit
 * 1cde741; older firmware answers `rc: 0` beside the data.
 */
const LIST: SmpRequest = {
  ...{ name: "statistics list", operation: "read", group: GROUP.statistics, command: 1 },
};
const SHOW: SmpRequest = { name: "statistics", operation: "read", group: GROUP.statistics, command: 0 };

/** The names of all statistics that the microcontroller keeps. */
export async function listStatistics(connection: SmpConnection, asking?: Asking): Promise<readonly string[]> {
  const where = connection.where(LIST);
  const names = new Fields(await connection.ask(LIST, asking), where).list("stat_list");
  return names.map((name, index) => {
    if (typeof name === "string") return name;
    throw fieldProblem(`${where}: stat_list, item ${index}`, "text", name);
  });
}

/**
 * The counters of one name. Counters of 64 bits beyond 2^53 - 1 come as bigint.
 *
 * @throws Problem `smp-statistics-not-found`, or of older firmware `smp-unknown`, where there are none
 */
export async function showStatistics(
  connection: SmpConnection,
  name: string,
  asking?: Asking,
): Promise<ReadonlyMap<string, number | bigint>> {
  const request: SmpRequest = { ...SHOW, name: `statistics ${name}`, fields: smpMap({ name }) };
  const where = connection.where(request);
  const counters = new Fields(await connection.ask(request, asking), where).map("fields");
  return new Map(
    [...counters].map(([counter, value]) => {
      if (typeof value === "number" || typeof value === "bigint") return [counter, value];
      throw fieldProblem(`${where}: ${counter}`, "a count", value);
    }),
  );
}
