/**
 * Well-known product numbers by series: the product table of VE.Direct Protocol 3.32, as keshavdv/victron-ble
 * (victron_ble/devices/base.py, 05a33c75) and KinDR007/VictronMPPT-ESPHOME (components/victron/victron.cpp, 01131a52)
 * repeat it alike.
 */
const SERIES: readonly (readonly [series: string, numbers: string])[] = [
  ["BMV-700", "203:"],
  ["BMV-702", "204:"],
  ["BMV-700H", "205:"],
  ["BMV-712 Smart", "A381: A383:Rev2"],
  ["BMV-710H Smart", "A382:"],
  ["SmartShunt", "A389:500A/50mV A38A:1000A/50mV A38B:2000A/50mV"],
  [
    "BlueSolar MPPT",
    "300:70|15 A040:75|50 A041:150|35 A042:75|15 A043:100|15 A044:100|30 A045:100|50 A046:150|70 A047:150|100 " +
      "A049:100|50_rev2 A04A:100|30_rev2 A04B:150|35_rev2 A04C:75|10 A04D:150|45 A04E:150|60 A04F:150|85 " +
      "A066:100|20 A067:100|20_48V A06F:150|45_rev2 A070:150|60_rev2 A071:150|70_rev2",
  ],
  [
    "SmartSolar MPPT",
    "A050:250|100 A051:150|100 A052:150|85 A053:75|15 A054:75|10 A055:100|15 A056:100|30 A057:100|50 A058:150|35 " +
      "A059:150|100_rev2 A05A:150|85_rev2 A05B:250|70 A05C:250|85 A05D:250|60 A05E:250|45 A05F:100|20 " +
      "A060:100|20_48V A061:150|45 A062:150|60 A063:150|70 A064:250|85_rev2 A065:250|100_rev2 A068:250|60_rev2 " +
      "A069:250|70_rev2 A06A:150|45_rev2 A06B:150|60_rev2 A06C:150|70_rev2 A06D:150|85_rev3 A06E:150|100_rev3",
  ],
  [
    "SmartSolar MPPT VE.Can",
    "A102:150/70 A103:150/45 A104:150/60 A105:150/85 A106:150/100 A107:250/45 A108:250/60 A109:250/70 A10A:250/85 " +
      "A10B:250/100 A10C:150/70_rev2 A10D:150/85_rev2 A10E:150/100_rev2 A114:250/70_rev2 A115:250/100_rev2 " +
      "A116:250/85_rev2",
  ],
  ["BlueSolar MPPT VE.Can", "A10F:150/100 A112:250/70 A113:250/100"],
];

const NAMES: ReadonlyMap<number, string> = new Map(
  SERIES.flatMap(([series, numbers]) =>
    numbers.split(" ").map((entry) => {
      const [number = "", rating = ""] = entry.split(":");
      return [Number.parseInt(number, 16), `${series} ${rating.replace("_", " ")}`.trim()] as const;
    }),
  ),
);

/** The model of a product number as it stands in a block, `0xA042`; the number itself where the table lacks it. */
export function productName(number: string): string {
  const parsed = /^0x([0-9A-Fa-f]{1,8})$/.exec(number)?.[1];
  if (parsed === undefined) return number.trim();
  return NAMES.get(Number.parseInt(parsed, 16)) ?? `0x${parsed.toUpperCase().padStart(4, "0")}`;
}
