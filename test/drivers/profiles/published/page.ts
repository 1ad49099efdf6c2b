import { bundledProfile, bundledProfiles } from "../../../../drivers/profile/bundled.ts";
import type { CompiledProfile } from "../../../../drivers/profile/compiled.ts";
import type { Profile, ProfileTransport } from "../../../../drivers/profile/profile.ts";
import { verificationOf, verificationWords } from "../../../../drivers/profile/verification.ts";
import { gatewayCatalogue } from "../../../../firmware-bridge/catalogue.ts";

const CATEGORIES: readonly (readonly [Profile["category"], string])[] = [
  ["meter", "Meters"],
  ["inverter", "Inverters"],
  ["hybrid", "Hybrid inverters"],
  ["battery", "Batteries"],
  ["pdu", "Rack power distribution"],
];

const INTRODUCTION = `# Devices

*Made from the profiles in \`drivers/profiles/\` by \`npm run devices\`; do not edit it by hand.*

Each device is one driver, and its name is what a configuration says after \`driver:\`. **Verified** says how well a
profile is known to be right:

- **capture** - registers that a real device answered with are decoded by a test, and break no law of physics; where
  they do not show every power, energy and state of charge, it says how many;
- **published values** - the same with registers made again from what somebody's software printed of a real device;
- **documents** - written from the named documents and not yet tried on a device: compare what
  \`kilowitness probe\` shows with the meter's display.

**Sign** says whether the direction of power was seen: *seen* where a capture shows it, *stated* where only a document
does - then \`probe\` asks you to compare it with the display, and \`positive: { CHANNEL: import }\` (or \`export\`) turns it
round.

A driver's name leads to its profile, which names every source, the source of each sign, and the captures.
`;

/** docs/devices.md. */
export function devicesPage(): string {
  const profiles = bundledProfiles().map(bundledProfile);
  const states = profiles.map(({ profile }) => verificationOf(profile));
  const captured = states.filter(({ captures }) => captures > 0);
  const complete = captured.filter(({ shown, values }) => shown === values);
  const printed = states.filter((state) => state.captures === 0 && state.printed > 0);
  const counts = `${profiles.length} profiles: ${captured.length} with a capture of a real device (${complete.length} of them show every value), ${printed.length} with values that software printed of one, ${profiles.length - captured.length - printed.length} from documents alone.`;
  const parts = CATEGORIES.flatMap(([category, title]) => {
    const own = profiles.filter(({ profile }) => profile.category === category);
    return own.length === 0 ? [] : [`## ${title}\n\n${table(own)}`];
  });
  return `${[INTRODUCTION, `${counts}\n`, standards(), ...parts].join("\n")}\n`;
}

/** What the tests of a protocol's driver decode beside devices that are simulated. */
const PROVED: Readonly<Record<string, string>> = {
  "dsmr-p1": "telegrams of 7 real meters",
  sunspec: "an SMA Sunny Boy's whole register image; see [sunspec.md](sunspec.md)",
  profile: "see [add-a-device.md](add-a-device.md)",
  "s0-pulse": "see [meters.md](meters.md#pulse-outputs-s0-pulse)",
  coprocessor: "see [coprocessor-protocol.md](coprocessor-protocol.md)",
};

/** Drivers of a whole protocol, which many makers' devices speak. */
function standards(): string {
  const own = gatewayCatalogue.definitions.filter(({ name }) => !bundledProfiles().includes(name));
  const rows = own.map(({ name, summary }) => `| \`${name}\` | ${summary} | ${PROVED[name] ?? ""} |`);
  return ["## Protocols", "", "| driver | what | verified |", "|---|---|---|", ...rows, ""].join("\n");
}

function table(profiles: readonly CompiledProfile[]): string {
  const rows = profiles.map(({ name, profile }) =>
    [
      `[\`${name}\`](../drivers/profiles/${name}.yaml)`,
      profile.title,
      connection(profile.transport),
      Object.keys(profile.channels).length > MOST_NAMED
        ? `${Object.keys(profile.channels).slice(0, 2).join(", ")} … (${Object.keys(profile.channels).length})`
        : Object.keys(profile.channels).join(", "),
      verificationWords(verificationOf(profile)),
      signs(profile),
    ].join(" | "),
  );
  return [
    "| driver | device | connection as delivered | channels | verified | sign |",
    "|---|---|---|---|---|---|",
    ...rows.map((row) => `| ${row} |`),
    "",
  ].join("\n");
}

const MOST_NAMED = 5;
const LETTERS = { none: "N", even: "E", odd: "O" } as const;

function connection({ serial, tcp, unit }: ProfileTransport): string {
  const ways = [
    ...(serial === undefined ? [] : [`RS-485 ${serial.baud} 8${LETTERS[serial.parity]}${serial.stopBits}`]),
    ...(tcp === undefined ? [] : [`TCP ${tcp.port}`]),
  ];
  return `${ways.join(", ")}, unit ${unit}`;
}

function signs(profile: Profile): string {
  const { signed, signsSeen } = verificationOf(profile);
  if (signed.length === 0) return "no power";
  if (signsSeen.length === signed.length) return "seen";
  return signsSeen.length === 0 ? "stated" : `stated; seen: ${signsSeen.join(", ")}`;
}
