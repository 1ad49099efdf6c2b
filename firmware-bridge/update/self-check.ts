import { Problem } from "../../attest/problem.ts";
import type { Asking, SmpConnection } from "../smp/connection.ts";
import { echo } from "../smp/os-group.ts";
import { notStartedProblem } from "./problems.ts";
import { listRunning } from "./recovery.ts";
import { stageOf } from "./stage.ts";

/** Long enough to need two lines of a console, both ways. */
const ECHOED = "kilowitness ".repeat(9).trimEnd();

/**
 * Sends text to and fro, and looks whether the image of that hash runs; then the owner's own check.
 *
 * @throws Problem `update-echo`, `update-not-started`, `smp-…`, `line-…`, and whatever `check` throws
 */
export async function selfCheck(
  connection: SmpConnection,
  hash: Uint8Array,
  { check, asking }: { readonly check?: SelfCheck | undefined; readonly asking?: Asking },
): Promise<void> {
  await requireEcho(connection, asking);
  const slots = await listRunning(connection, asking);
  const { name } = stageOf(slots, hash, connection.name);
  if (name !== "check" && name !== "done") throw notStartedProblem(connection.name, slots);
  await check?.(connection);
}

export type SelfCheck = (connection: SmpConnection) => Promise<void>;

/** The echo is an option of the firmware; without it an answer of any kind has to do. */
async function requireEcho(connection: SmpConnection, asking: Asking | undefined): Promise<void> {
  try {
    const answer = await echo(connection, ECHOED, asking);
    if (answer === ECHOED) return;
    throw new Problem("update-echo", "the echo is not what was sent", {
      where: connection.name,
      expected: `the ${ECHOED.length} characters that were sent`,
      got: JSON.stringify(answer.slice(0, 40)),
      hint: "the firmware or its line loses long messages",
    });
  } catch (error) {
    if (!(error instanceof Problem) || error.code !== "smp-not-supported") throw error;
  }
}
