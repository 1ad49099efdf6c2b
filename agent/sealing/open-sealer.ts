import type { Signer } from "../../attest/signature.ts";
import type { Logger } from "../../runtime/log.ts";
import { VERSION } from "../../runtime/version.ts";
import type { TimeKeeper } from "../clock/time-keeper.ts";
import type { AgentConfig } from "../config/config.ts";
import { bootOf, noteBoot } from "../journal/boot-count.ts";
import type { OpenedLog } from "../journal/open-log.ts";
import { Sealer } from "./sealer.ts";

/** What a log is opened with. */
export interface SealerTerms {
  readonly config: Pick<AgentConfig, "network" | "site" | "intervalSeconds">;
  readonly logger: Logger;
  readonly time: TimeKeeper;
  readonly key: {
    readonly signer: Signer;
    readonly saltKey: Uint8Array;
    readonly assuranceTier: number;
  };
}

/** A sealer for the log, which it opens with its manifest where it is empty. */
export function openSealer(log: OpenedLog, terms: SealerTerms): Sealer {
  const { config, logger, time, key } = terms;
  const boot = bootOf(log);
  const sealer = new Sealer({
    ...{ journal: log.journal, clock: time.clock, signer: key.signer, saltKey: key.saltKey },
    ...{ rules: log.rules, openBlock: log.openBlock, bootCount: boot.count },
    ...(log.opensAt === undefined ? {} : { opensAt: log.opensAt }),
  });
  if (sealer.rules.size > 0) {
    sayInterval(sealer.rules.intervalMs, config.intervalSeconds * 1000, logger);
    time.reopened(sealer, boot.isNew);
  } else {
    begin(sealer, log, { ...terms, bootCount: boot.count });
  }
  noteBoot(log, boot);
  return sealer;
}

function begin(
  sealer: Sealer,
  { identity, reason, continues }: OpenedLog,
  { config, key, bootCount }: SealerTerms & { readonly bootCount: number },
): void {
  const { name, ...site } = config.site;
  sealer.open(
    {
      ...{ network: config.network, epoch: identity.epoch, deviceKey: key.signer.publicKey },
      ...{ agentVersion: VERSION, assuranceTier: key.assuranceTier, bootCount },
      intervalMs: config.intervalSeconds * 1000,
      ...(name === undefined ? {} : { site: name }),
      ...site,
    },
    reason === undefined ? undefined : { reason, ...continues },
  );
  sealer.commit();
}

function sayInterval(inForce: number, configured: number, logger: Logger): void {
  if (inForce === configured) return;
  const hint = "the length of intervals is fixed when a log is opened";
  logger.warn("interval-unchanged", { configured, inForce, hint });
}
