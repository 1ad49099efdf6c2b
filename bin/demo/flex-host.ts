import type { ControlDesk } from "../../agent/control/desk.ts";
import type { ControlSource } from "../../agent/control/types.ts";
import type { FlexHost } from "../../agent/flexibility/host.ts";
import type { OpenedLog } from "../../agent/journal/open-log.ts";
import type { Sealer } from "../../agent/sealing/sealer.ts";
import type { IntervalClose, Leaf } from "../../attest/leaf.ts";
import { decodeLeaf } from "../../attest/leaf-codec.ts";
import type { OrderRefusedMessage } from "../../attest/messages.ts";
import type { Logger } from "../../runtime/log.ts";
import type { DemoClock } from "./flex-clock.ts";
import type { FlexIntake } from "./flex-intake.ts";
import { PLAN } from "./flex-plan.ts";

export interface FlexHostParts {
  readonly clock: DemoClock;
  readonly sealer: Sealer;
  readonly log: OpenedLog;
  readonly intake: FlexIntake;
  readonly control: ControlDesk;
  readonly source: ControlSource;
  readonly logger: Logger;
  urgent(): void;
  refuse(message: OrderRefusedMessage): void;
}

/** What the agent gives its desk of commitments, on the demo's clock. */
export function flexHost(parts: FlexHostParts): FlexHost {
  const { clock, sealer, log, intake, control, source, logger } = parts;
  const { journal } = log;
  const { epoch } = log.identity;
  const leaves = (seqs: readonly number[]): Leaf[] =>
    seqs.flatMap((seq) => journal.leaves(epoch, seq, seq + 1).map((bytes) => decodeLeaf(bytes)));
  return {
    ...{ control, logger, timeZone: PLAN.timeZone },
    nowMs: () => clock.nowMs,
    clockKnown: () => true,
    monotonicMs: () => clock.monotonicMs,
    logId: () => sealer.rules.logId,
    intervalMs: () => sealer.rules.intervalMs,
    channels: () => intake.channels,
    seal: (body) => ({ seq: sealer.sealLifecycle(body), timeMs: sealer.rules.lastTime.timeMs }),
    commit: () => {
      sealer.commit();
      parts.urgent();
    },
    lifecycle: (fromMs) => leaves(journal.lifecycleSeqs(epoch, { fromMs, toMs: Number.MAX_SAFE_INTEGER })),
    leaf: (seq) => leaves([seq])[0] ?? sealer.writer.pending.find((leaf) => leaf.seq === seq),
    closes: (channel, fromMs, toMs) =>
      leaves(journal.closeSeqs(epoch, { channel, fromMs, toMs })).filter(
        (leaf): leaf is IntervalClose => leaf.kind === "intervalClose" && leaf.t0Ms < toMs,
      ),
    commands: (device) => source(device)?.capabilities(),
    refuse: (_nodeKey, message) => parts.refuse(message),
    keepList: (seq, list) => journal.keepDispatchList(epoch, seq, list),
  };
}
