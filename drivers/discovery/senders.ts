import { Problem } from "../../attest/problem.ts";
import type { HostGroup } from "./network.ts";
import type { DiscoveryTerms, FoundMeter, NetworkSender } from "./terms.ts";

/** What was heard in the network, and what could not be listened to. */
export interface SendersReport {
  readonly meters: readonly FoundMeter[];
  readonly problems: readonly { readonly where: string; readonly problem: Problem }[];
}

type Terms = Pick<DiscoveryTerms, "meters" | "signal">;

/**
 * Listens for meters that send into the network by themselves, all kinds at once; where only single hosts were named,
 * those of others are left out. Sends nothing but that it wants to hear them. Nobody listens without hosts.
 */
export async function listenOnNetwork(groups: readonly HostGroup[], terms: Terms): Promise<SendersReport> {
  if (groups.length === 0) return { meters: [], problems: [] };
  const reports = await Promise.all(terms.meters.senders.map((sender) => listenTo(sender, terms)));
  const heard = reports.flatMap(({ meters }) => meters);
  const all = groups.some(({ named }) => !named);
  return {
    meters: all ? heard : heard.filter((meter) => isNamed(groups, meter)),
    problems: reports.flatMap(({ problems }) => problems),
  };
}

async function listenTo(sender: NetworkSender, { meters, signal }: Terms): Promise<SendersReport> {
  const { driver, where, because } = sender;
  try {
    const heard = await sender.listen(signal, meters.times.sendersMs);
    const found = heard.map(({ host, identity, options }): FoundMeter => {
      const place = { kind: "network", host } as const;
      return { driver, place, how: "listened", because, identity, encrypted: false, options };
    });
    return { meters: found, problems: [] };
  } catch (problem) {
    if (!(problem instanceof Problem)) throw problem;
    return { meters: [], problems: [{ where, problem }] };
  }
}

function isNamed(groups: readonly HostGroup[], { place }: FoundMeter): boolean {
  return place.kind === "network" && groups.some(({ hosts }) => hosts.includes(place.host));
}
