import { bad, type Draft, good } from "./draft.ts";
import { device, logIdOf, NETWORK } from "./keys.ts";

/** Ids of logs, which only follow from what they are made of. */
export function logIdDrafts(): Draft[] {
  const input = { network: NETWORK, deviceKey: device.publicKey, epoch: 1 };
  const idOf = (network: string, epoch: number): object => ({
    logId: logIdOf(network, device.publicKey, epoch),
  });
  const first = good("log-id", "", {
    ...{ about: "The id of a device's first log.", input, expect: idOf(NETWORK, 1) },
  });
  const longest = "!~".repeat(32);
  return [
    first,
    good("log-id", "last", {
      about: "The longest name of a network and the last epoch.",
      ...{ input: { ...input, network: longest, epoch: 2 ** 32 - 1 }, expect: idOf(longest, 2 ** 32 - 1) },
    }),
    ...(
      [
        ["network-empty", "network-name", "A network without a name.", { network: "" }],
        ["network-space", "network-name", "A space in the name of the network.", { network: "example grid" }],
        ["network-long", "network-name", "A name of 65 characters.", { network: `${longest}!` }],
        ["network-letter", "network-name", "A letter outside ASCII.", { network: "réseau" }],
        ["epoch-large", "bytes-integer", "An epoch of 2^32.", { epoch: 2 ** 32 }],
        ["epoch-zero", "bytes-integer", "Epochs are counted from 1.", { epoch: 0 }],
      ] as const
    ).map(([fault, code, about, change]) => bad(first, fault, { about, code, input: change })),
  ];
}
