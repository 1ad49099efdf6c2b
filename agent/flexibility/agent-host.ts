import type { IntervalClose, Leaf } from "../../attest/leaf.ts";
import { KNOWN_TIME } from "../../attest/leaf.ts";
import type { OrderRefusedMessage } from "../../attest/messages.ts";
import type { Logger } from "../../runtime/log.ts";
import { monotonicMs } from "../../runtime/monotonic.ts";
import type { DeviceConfig } from "../config/config.ts";
import type { ControlPort, ControlSource } from "../control/types.ts";
import type { Ledger } from "../sealing/ledger.ts";
import type { Sealer } from "../sealing/sealer.ts";
import type { Signing } from "../signing.ts";
import { flexChannels } from "./channels.ts";
import type { FlexHost } from "./host.ts";

/** The parts of the agent that keeping commitments rests on. */
export interface AgentParts {
  readonly ledger: Ledger;
  signing(): Signing;
  readonly devices: readonly DeviceConfig[];
  /** The sealer, after the clock has stated what it has to. */
  settled(): Sealer;
  readonly timeZone?: string;
  readonly control: ControlPort;
  readonly source: ControlSource;
  refuse(nodeKey: Uint8Array, message: OrderRefusedMessage): void;
  readonly logger: Logger;
}

const LAST_MS = Number.MAX_SAFE_INTEGER;

/** What the desk of commitments needs, out of the running agent. */
export function flexHost(parts: AgentParts): FlexHost {
  const { ledger, control, source, timeZone, logger } = parts;
  const epoch = (): number => ledger.log.identity.epoch;
  return {
    nowMs: () => parts.settled().clock.now().timeMs,
    clockKnown: () => !ledger.sealer.clock.isBusy && ledger.sealer.clock.now().timeQuality >= KNOWN_TIME,
    monotonicMs,
    logId: () => ledger.sealer.rules.logId,
    intervalMs: () => ledger.sealer.rules.intervalMs,
    ...(timeZone === undefined ? {} : { timeZone }),
    channels: () => flexChannels(ledger.sealer.rules.channels, parts.devices),
    seal: (body) => {
      const sealer = parts.settled();
      const seq = sealer.sealLifecycle(body);
      return { seq, timeMs: sealer.rules.lastTime.timeMs };
    },
    commit: () => {
      ledger.commit();
      parts.signing().soon();
    },
    lifecycle: (fromMs) => lifecycle(ledger, epoch(), fromMs),
    leaf: (seq) => leafAt(ledger, epoch(), seq),
    closes: (channel, fromMs, toMs) => closes(ledger, { epoch: epoch(), channel, fromMs, toMs }),
    control,
    commands: (device) => source(device)?.capabilities(),
    refuse: (nodeKey, message) => parts.refuse(nodeKey, message),
    keepList: (seq, list) => ledger.log.journal.keepDispatchList(epoch(), seq, list),
    logger,
  };
}

/** Those from `fromMs` on, and whatever lies behind the first of them. */
function lifecycle({ log: { journal } }: Ledger, epoch: number, fromMs: number): readonly Leaf[] {
  const [first] = journal.lifecycleSeqs(epoch, { fromMs, toMs: LAST_MS });
  if (first === undefined) return [];
  const all = journal.lifecycleSeqs(epoch, { fromMs: 0, toMs: LAST_MS });
  return journal.leavesAt(
    epoch,
    all.filter((seq) => seq >= first),
  );
}

function leafAt({ log: { journal }, sealer }: Ledger, epoch: number, seq: number): Leaf | undefined {
  return journal.leavesAt(epoch, [seq])[0] ?? sealer.writer.pending.find((leaf) => leaf.seq === seq);
}

interface Wanted {
  readonly epoch: number;
  readonly channel: number;
  readonly fromMs: number;
  readonly toMs: number;
}

function closes(
  { log: { journal } }: Ledger,
  { epoch, channel, fromMs, toMs }: Wanted,
): readonly IntervalClose[] {
  return journal
    .leavesAt(epoch, journal.closeSeqs(epoch, { channel, fromMs, toMs: LAST_MS }))
    .filter((leaf) => leaf.kind === "intervalClose")
    .filter(({ t0Ms }) => t0Ms < toMs);
}
