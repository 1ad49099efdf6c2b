import { equalBytes, toHex } from "../../attest/bytes.ts";
import type { ChallengeOrder, DispatchOrder } from "../../attest/flexibility/orders.ts";
import { challengeSteps } from "../../attest/flexibility/pattern.ts";
import { BOUNDARY } from "../../attest/leaf-flexibility.ts";
import { nativeSuite } from "../../attest/native.ts";
import type { ControlKind } from "../../drivers/control.ts";
import type { FlexChannel, FlexHost } from "./host.ts";
import type { KeptCommitment } from "./kept-commitment.ts";
import { type ChallengePlan, commandedValue, type DispatchPlan, isConcurrent, type Run } from "./run.ts";

/** A device takes one setpoint in 10 seconds. */
const SHORTEST_STEP_MS = 10_000;

/** What a dispatch or a challenge is judged against. */
export interface DispatchContext {
  readonly nowMs: number;
  readonly nodeKey: Uint8Array;
  readonly channel: FlexChannel;
  readonly channels: readonly FlexChannel[];
  readonly controlled: ReadonlySet<string>;
  readonly commands: ReturnType<FlexHost["commands"]>;
  readonly open: readonly Run[];
}

/** Why a dispatch is rejected; undefined where it is taken. */
export function dispatchRejection(
  order: DispatchOrder,
  commitment: KeptCommitment | undefined,
  context: DispatchContext,
): string | undefined {
  const { channel } = context;
  const plan = dispatchPlan(order);
  if (!isControllable(plan?.value.kind, context)) return "not-controllable";
  const withdrawn = withdrawnBy(order, context.open);
  if (order.withdraws !== undefined && withdrawn === undefined) return "withdraw-unknown";
  if (withdrawn !== undefined && !mayWithdraw(withdrawn, commitment, context.nodeKey))
    return "withdraw-other";
  if (order.commitmentId !== undefined) {
    const wrong = wrongCommitment(order, commitment);
    if (wrong !== undefined) return wrong;
  }
  const others = context.open.filter((run) => run !== withdrawn && run.device === channel.device);
  return plan !== undefined && others.some((run) => isConcurrent(run.plan, plan)) ? "busy" : undefined;
}

/** One under another commitment would end what is asked of the device and not what is counted against it. */
function mayWithdraw(run: Run, commitment: KeptCommitment | undefined, nodeKey: Uint8Array): boolean {
  return equalBytes(run.nodeKey, nodeKey) && run.commitmentSeq === commitment?.seq;
}

/** A value is about the boundary of the channel that it is a command of, and of no other one. */
function isControllable(
  kind: ControlKind | undefined,
  { channel, controlled, commands }: DispatchContext,
): boolean {
  if (!controlled.has(channel.device)) return false;
  if (kind === undefined || commands === undefined) return true;
  return commands.some((command) => command.kind === kind && command.channel === channel.channel);
}

function wrongCommitment(order: DispatchOrder, commitment: KeptCommitment | undefined): string | undefined {
  if (commitment === undefined) return "commitment-unknown";
  const { order: committed, toMs } = commitment;
  if (committed.boundary === BOUNDARY.device && committed.channel !== order.channel)
    return "commitment-other";
  // What only withdraws asks for nothing in its window.
  if (order.command === undefined) return undefined;
  return order.fromMs < committed.fromMs || order.toMs > toMs ? "outside-commitment" : undefined;
}

/** The run that a dispatch ends or takes the place of. */
export function withdrawnBy({ withdraws }: DispatchOrder, open: readonly Run[]): Run | undefined {
  if (withdraws === undefined) return undefined;
  const id = toHex(withdraws);
  return open.find((run) => run.plan.kind === "dispatch" && run.objectId === id);
}

/** What a dispatch has its device do; nothing where it only withdraws. */
export function dispatchPlan(order: DispatchOrder): DispatchPlan | undefined {
  const { fromMs, toMs, command, value, rampMwPerSecond } = order;
  if (command === undefined || value === undefined) return undefined;
  return {
    kind: "dispatch",
    ...{ fromMs, toMs, startByMs: toMs, value: commandedValue(command, value) },
    ...(rampMwPerSecond === undefined ? {} : { rampMwPerS: rampMwPerSecond }),
  };
}

/** Why a challenge is rejected; undefined where it is taken. */
export function challengeRejection(order: ChallengeOrder, context: DispatchContext): string | undefined {
  const { channel, channels, open, nowMs } = context;
  if (!isControllable("powerSetpoint", context)) return "not-controllable";
  if (order.siteChannel !== undefined && !channels.some(({ number }) => number === order.siteChannel))
    return "site-unknown";
  if (order.stepMs < shortestStepMs(context)) return "challenge-too-fast";
  if (order.startByMs <= nowMs) return "missed";
  const plan = challengePlan(order, nowMs);
  const isBusy = open.some((run) => run.device === channel.device && isConcurrent(run.plan, plan));
  return isBusy ? "busy" : undefined;
}

/** A device that stays in each of its states for a time cannot follow steps that are shorter. */
function shortestStepMs({ channel, commands = [] }: DispatchContext): number {
  const own = commands.find(
    (command) => command.kind === "powerSetpoint" && command.channel === channel.channel,
  );
  return Math.max(SHORTEST_STEP_MS, own?.leastMs ?? 0);
}

export function challengePlan(order: ChallengeOrder, nowMs: number): ChallengePlan {
  const { startByMs, stepMs, steps } = order;
  return {
    kind: "challenge",
    ...{ fromMs: nowMs, startByMs, toMs: startByMs + steps * stepMs, stepMs },
    powersMw: challengeSteps(nativeSuite, order),
  };
}
