import { encodeProof, type ProofPart } from "../../../attest/proof.ts";
import { EPOCH_CLOSE, epochLogs, twoEpochs } from "./broken-proofs.ts";
import { bad, type Draft } from "./draft.ts";
import { someHash } from "./keys.ts";
import { refusedProofs } from "./proof-faults.ts";
import { after, alter, partOf, type Shown } from "./proof-parts.ts";
import { PLAIN_CLOSE, proof } from "./proofs.ts";

/** Bad proofs over two epochs: the later one does not continue the earlier one, or claims the same again. */
export function epochFaultDrafts(): Draft[] {
  return [...openFaults(), ...claimedTwice(), ...otherParts()];
}

const later: Shown = { leaves: [1, EPOCH_CLOSE], manifests: [0, 2] };

function earlierPart(): ProofPart {
  return partOf(epochLogs()[0], { leaves: [PLAIN_CLOSE] });
}

/** Both parts, with one leaf of the second log saying something else. */
function altered(seq: number, changes: Readonly<Record<string, unknown>>, shown: Shown = later): Uint8Array {
  return encodeProof({ parts: [earlierPart(), partOf(alter(epochLogs()[1], seq, changes), shown)] });
}

function openFaults(): Draft[] {
  return refusedProofs(twoEpochs, [
    [
      "epoch-root",
      "proof-epoch",
      "The later epoch continues another root.",
      altered(1, {
        oldRoot: someHash("another root"),
      }),
    ],
  ]);
}

function claimedTwice(): Draft[] {
  return refusedProofs(twoEpochs, [
    [
      "epoch-time",
      "proof-epoch",
      "The later epoch claims from a time that the earlier one claimed.",
      altered(EPOCH_CLOSE, { t0Ms: after(59) }),
    ],
    [
      "epoch-energy",
      "proof-epoch",
      "The later epoch claims 1 mWh that the earlier one claimed.",
      altered(EPOCH_CLOSE, {
        openingImportMwh: 1_003_099,
      }),
    ],
  ]);
}

function otherParts(): Draft[] {
  const named = alter(epochLogs()[1], 2, { name: "roof" });
  const manifestHash = named.leaves[2]?.hash;
  alter(named, EPOCH_CLOSE, { manifestHash });
  const lone = epochLogs()[1];
  const single = (shown: Shown): Uint8Array => encodeProof({ parts: [partOf(lone, shown)] });
  const alone = proof("", {
    ...{ about: "", expect: {} },
    proof: single({ leaves: [EPOCH_CLOSE], manifests: [0, 2] }),
  });
  return [
    ...refusedProofs(twoEpochs, [
      [
        "epoch-channel",
        "proof-channel",
        "The later epoch's channel has another name.",
        encodeProof({
          parts: [earlierPart(), partOf(named, later)],
        }),
      ],
      [
        "epoch-no-close",
        "proof-cover",
        "The later epoch has no close.",
        altered(
          1,
          {},
          {
            ...{ leaves: [1], manifests: [0] },
          },
        ),
      ],
    ]),
    bad(alone, "epoch-open", {
      ...{ about: "The epoch open leaf in the first part.", code: "proof-leaf" },
      input: { proof: single(later) },
    }),
  ];
}
