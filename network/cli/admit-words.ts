import {
  type Code,
  type DeviceEnclosures,
  decisionOf,
  type ListedEnclosure,
  type ListedEnrolment,
  type NewCode,
  type QuarantinedKey,
} from "./admit-answers.ts";

/** A new code, and what to do with it at the device. */
export function codeWords({ code, id, label, expires }: NewCode, network: string): string[] {
  return [
    `one-time code  ${code}`,
    `               number ${id}${label === "" ? "" : `, ${label}`}; for one device of network ${network}, until ${expires}`,
    "               it is shown here and nowhere else",
    "at the device  kilowitness enrol --config agent.yaml --code-file FILE   (or --code; dashes and case do not matter)",
    "               then reload the agent: it shows the code to this node when it next connects",
  ];
}

export function codesWords(codes: readonly Code[]): string[] {
  if (codes.length === 0) return ["no code waits to be used"];
  return codes.map(({ id, label, expires, expired }) =>
    [`code ${id}`, expired ? `expired ${expires}` : `until ${expires}`, plain(label)].join("  ").trimEnd(),
  );
}

export function enrolmentsWords(enrolments: readonly ListedEnrolment[]): string[] {
  if (enrolments.length === 0) return ["no such keys"];
  return enrolments.map(({ key, state, changed, source, says, label }) => {
    const from = source === "" ? "" : `from ${source}`;
    const what = says === null ? "" : `tier ${says.assuranceTier}, software ${says.softwareVersion}`;
    return [state.padEnd(8), key, changed, from, plain(what), plain(label)]
      .filter((part) => part !== "")
      .join("  ");
  });
}

/** Quarantined keys, and what to find out before one is released. */
export function quarantinedWords(keys: readonly QuarantinedKey[]): string[] {
  if (keys.length === 0) return ["no key is quarantined"];
  return [
    ...keys.map(({ key, epoch, since }) => `${key}  wanted to open epoch ${epoch} at ${since}`),
    "Does only one device hold the key? Then: kilowitness admit release KEY --by YOUR-NAME",
  ];
}

/** A line for each enclosure, and one for what a device says beyond those that are kept. */
export function enclosuresWords(devices: readonly DeviceEnclosures[]): string[] {
  const lines = devices.flatMap(({ key, enclosures: { inputs, further } }) => [
    ...inputs.map((one) => `${one.state.padEnd(9)}  ${key}  ${plain(one.input)}  ${inputWords(one)}`),
    ...(further.inputs + further.leaves > 0 ? [`and more   ${key}  ${furtherWords(further)}`] : []),
  ]);
  return lines.length > 0 ? lines : ["no such enclosures"];
}

function inputWords({ state, since, lastKnown, openings }: ListedEnclosure): string {
  const begin = since === null ? "since a time that the device did not know" : `since ${since}`;
  const before = lastKnown === null || lastKnown === state ? "" : `, ${lastKnown} when last watched`;
  return `${begin}${before}; opened ${openings} ${openings === 1 ? "time" : "times"}`;
}

function furtherWords({ inputs, leaves, opened }: DeviceEnclosures["enclosures"]["further"]): string {
  return `${inputs} further inputs; ${leaves} entries of inputs that are not kept, ${opened} of them opened`;
}

/** What has become of a key. */
export function decisionWords(answer: unknown, key: string): string {
  const { state, removed } = decisionOf(answer);
  if (removed === true) return `${key} is forgotten; it has to ask anew`;
  return state === "approved"
    ? `${key} is approved; it is enrolled when it next connects`
    : `${key} is ${state}`;
}

/** What a device says of itself must not steer the terminal. */
function plain(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, "?");
}
