import { setTimeout as pause } from "node:timers/promises";
import type { Random } from "./random.ts";
import type { Running } from "./running.ts";
import type { Witness } from "./witness.ts";

/** How long a program lives at most behind the state that was waited for. */
const MOST_LIFE_MS = 1500;
/** A start takes about so long; kills in it are spread over this. */
const START_MS = 900;

/** Until the instant of a kill: some time behind a state, or within the start where there is none to wait for. */
export async function untilKill(random: Random, state: Promise<unknown> | undefined): Promise<void> {
  const part = random();
  await state;
  await pause(part * (state === undefined ? START_MS : MOST_LIFE_MS));
}

/** Killed with SIGKILL; it is a fault when it had ended by itself. */
export async function killed(one: Running, witness: Witness, name: string): Promise<void> {
  const { code } = await one.kill("SIGKILL");
  if (code !== null) witness.problem(`${name} ended by itself with ${code}: ${one.text.slice(-500)}`);
}
