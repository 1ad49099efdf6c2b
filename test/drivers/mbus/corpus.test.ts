import { existsSync, readdirSync, readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Problem } from "../../../attest/problem.ts";
import { decodeMbus } from "../../../drivers/mbus/telegram.ts";
import { bytes, cut, frames, join, long } from "./kit.ts";
import { compareNormalised, parseReference, plainExponent, samePlain } from "./reference.ts";

const FOLDER = "../shared/corpora/mbus";
const NAMES = names("test-frames");
const ERRORS = names("error-frames");

function names(folder: string): string[] {
  if (!existsSync(`${FOLDER}/${folder}`)) return [];
  return readdirSync(`${FOLDER}/${folder}`).flatMap((name) =>
    name.endsWith(".hex") ? [name.slice(0, -4)] : [],
  );
}

function frame(name: string, folder = "test-frames"): Uint8Array {
  return bytes(readFileSync(`${FOLDER}/${folder}/${name}.hex`, "latin1"));
}

function reference(path: string): ReturnType<typeof parseReference> {
  return parseReference(readFileSync(`${FOLDER}/${path}`, "latin1"));
}

/**
 * Where the normalised XML of libmbus (f09d613) is not followed: why, and which records of which frames. The tests
 * fail for a disagreement that is not here, and for one that is here and no longer is any.
 */
const DISAGREEMENTS: readonly (readonly [string, readonly string[]])[] = [
  [
    "a date of zeros or a time marked invalid is none; libmbus prints 2000-00-00 or 1900-01-00",
    ["ACW_Itron-BM-plus-m 2", "itron_bm_+m 2", "siemens_wfh21 3", "REL-Relay-Padpuls2 1"],
  ],
  [
    "VIFE 28: the volume of one input pulse, no volume; libmbus drops the VIFE",
    ["EFE_Engelmann-WaterStar 11", "engelmann_sensostar2c 13"],
  ],
  [
    "VIFE 50 and 58: how long the flow was beyond its limit, in seconds; libmbus drops the VIFE and says m^3/h",
    ["SEN_Pollustat 12", "SEN_Pollustat 13"],
  ],
  [
    "VIFE 6F: when the maximum was over, a time of type F (or none); libmbus drops the VIFE and says °C, W, m^3/h",
    ["landis+gyr_ultraheat_t230 19", "landis+gyr_ultraheat_t230 20"],
  ],
  ["VIFE 6F, as before", ["landis+gyr_ultraheat_t230 21", "landis+gyr_ultraheat_t230 22"]],
  ["year 127 stands for every year; libmbus prints 2027", ["landis+gyr_ultraheat_t230 32"]],
  [
    "VIF FF: the codes behind it are the only name there is, and are part of the quantity",
    [10, 11, 13].map((n) => `abb_delta ${n}`),
  ],
  ["VIF FF, as before", [10, 11, 12, 13, 15].map((n) => `berg_dz_plus ${n}`)],
  ["VIF FF, as before", ["electricity-meter-1 16", "electricity-meter-1 19", "SEN_Pollustat 15"]],
  [
    "VIFE 7F: what follows is the maker's, so that the value is no number in the unit; libmbus drops the VIFE",
    ["itron_cyble_m-bus_v1.4_cold_water 5", "itron_cyble_m-bus_v1.4_water 5"],
  ],
  [
    "fixed data is not normalised by libmbus: kWh and l, without quantity",
    ["sen_pollusonic_2 0", "sen_pollusonic_2 1"],
  ],
  ["FD 7C is reserved: named by its code", [3, 4, 5].map((n) => `siemens_rvd235 ${n}`)],
];

describe("frames of real meters and of documents", () => {
  it(`are there, or this says why not: ${NAMES.length} and ${ERRORS.length} with faults`, ({ skip }) => {
    if (NAMES.length === 0) skip(`no frames at ${FOLDER}`);
    console.info(`mbus: ${NAMES.length} frames and ${ERRORS.length} with faults`);
    expect([NAMES.length, ERRORS.length]).toEqual([38, 10]);
  });

  it("say what the normalised XML says, but for what is listed", ({ skip }) => {
    if (NAMES.length === 0) skip(`no frames at ${FOLDER}`);
    const found = new Map<string, string>();
    let compared = 0;
    for (const name of NAMES) {
      const records = reference(`test-frames/${name}.norm.xml`).records.filter(hasData);
      const { values } = decodeMbus(frame(name));
      expect(values, name).toHaveLength(records.length);
      for (const [n, value] of values.entries()) {
        compared += 1;
        const wrong = compareNormalised(value, records[n] ?? {});
        if (wrong.length > 0) found.set(`${name} ${n}`, wrong.join("; "));
      }
    }
    console.info(`mbus: ${compared} normalised records compared, ${found.size} differ as listed`);
    const listed = DISAGREEMENTS.flatMap(([, keys]) => keys);
    expect([...found.keys()].sort(), JSON.stringify([...found], null, 1)).toEqual([...listed].sort());
  });

  it("count exactly what the XML counts in the units that it prints", ({ skip }) => {
    if (NAMES.length === 0) skip(`no frames at ${FOLDER}`);
    const wrong: string[] = [];
    let compared = 0;
    for (const name of NAMES) {
      const records = reference(`test-frames/${name}.xml`).records.filter(hasData);
      for (const [n, { scaled }] of decodeMbus(frame(name)).values.entries()) {
        const exponent = plainExponent(records[n]?.["Unit"] ?? "");
        if (scaled === undefined || exponent === undefined) continue;
        compared += 1;
        if (!samePlain(scaled, exponent, records[n]?.["Value"] ?? "")) wrong.push(`${name} ${n}`);
      }
    }
    console.info(`mbus: ${compared} plain records compared`);
    expect(compared).toBeGreaterThan(250);
    expect(wrong).toEqual([]);
  });

  it.each(NAMES)("%s says who it is as the XML does", (name) => {
    const { slave, records } = reference(`test-frames/${name}.xml`);
    const { header, more } = decodeMbus(frame(name));
    expect(header?.identification?.replace(/^0+/, "")).toBe(slave["Id"]?.replace(/^0+/, ""));
    expect(header?.manufacturer).toBe(slave["Manufacturer"]);
    expect(header?.version?.toString()).toBe(slave["Version"]);
    expect(header?.accessNumber?.toString()).toBe(slave["AccessNumber"]);
    expect(header?.status).toBe(Number.parseInt(slave["Status"] ?? "", 16));
    const signature = slave["Signature"];
    expect(header?.signature).toBe(signature === undefined ? undefined : Number.parseInt(signature, 16));
    expect(more).toBe(records.some((record) => record["Function"] === "More records follow"));
  });

  it.each(NAMES)("%s is cut the same whole, in 64 bytes and byte by byte", (name) => {
    const telegram = frame(name);
    const stream = join(bytes("E5"), telegram, bytes("E5"), telegram);
    const whole = cut(stream);
    expect(whole.map(({ kind, offset }) => [kind, offset])).toEqual([
      ["telegram", 0],
      ["telegram", 1],
      ["telegram", telegram.length + 1],
      ["telegram", telegram.length + 2],
    ]);
    expect(cut(stream, 64)).toEqual(whole);
    expect(cut(stream, 1)).toEqual(whole);
  });

  it.each(NAMES)("%s is found between any noise", (name) => {
    const telegram = frame(name);
    const printed = Buffer.from(telegram).toString("hex");
    // Heads of frames that end at once; whole false frames would be frames, and are in the framing tests.
    const noise = fc
      .tuple(fc.uint8Array({ maxLength: 120 }), fc.constantFrom("", "68", "6868", "681f", "10", "e5"))
      .map(([any, head]) => join(any, bytes(head)));
    fc.assert(
      fc.property(noise, noise, fc.integer({ min: 1, max: 200 }), (before, between, size) => {
        const stream = join(before, telegram, between, telegram);
        expect(frames(stream, size).filter((found) => found === printed)).toHaveLength(2);
      }),
      { numRuns: 40 },
    );
  });
});

describe("frames with a changed byte and a checksum that fits again", () => {
  it.each(NAMES)("%s is decoded or refused with the offset", (name) => {
    const content = frame(name).slice(4, -2);
    for (let at = 3; at < content.length; at += 1) {
      const changed = content.map((byte, n) => (n === at ? byte ^ (0x11 * ((at % 15) + 1)) : byte));
      for (const { detail } of refusalOf(long(changed))) expect(detail.where).toMatch(/^offset \d+$/);
    }
  });
});

/** libmbus makes a record of the DIF 0F or 1F alone. */
function hasData(record: Readonly<Record<string, string>>): boolean {
  return (
    record["Value"] !== "" ||
    !/^(?:Manufacturer specific|More records follow)$/.test(record["Function"] ?? "")
  );
}

describe("frames with faults", () => {
  it.each(ERRORS)("%s is a whole frame whose content says or holds the fault", (name) => {
    expect(cut(frame(name, "error-frames")).map(({ kind }) => kind)).toEqual(["telegram"]);
  });

  it.for([
    ["application_busy", "application busy"],
    ["error", "unspecified"],
    ["too_many_difes", "more than ten DIFE"],
    ["too_many_records", "too many records"],
    ["too_many_vifes", "more than ten VIFE"],
    ["unimplemented_ci", "CI not implemented"],
  ] as const)("%s is the meter's own refusal", ([name, text], { skip }) => {
    if (!ERRORS.includes(name)) skip(`no frame ${name}`);
    const { applicationError, values } = decodeMbus(frame(name, "error-frames"));
    expect([applicationError?.text, values]).toEqual([text, []]);
  });

  it.for([
    ["premature_end_of_data2", "mbus-truncated", "offset 32"],
    ["premature_end_of_dif2", "mbus-truncated", "offset 31"],
    ["premature_end_of_var_vif1", "mbus-truncated", "offset 44"],
    ["too_long_var_vif", "mbus-truncated", "offset 44"],
  ] as const)("%s is refused", ([name, code, where], { skip }) => {
    if (!ERRORS.includes(name)) skip(`no frame ${name}`);
    const [thrown] = refusalOf(frame(name, "error-frames"));
    expect([thrown?.code, thrown?.detail.where]).toEqual([code, where]);
  });
});

function refusalOf(telegram: Uint8Array): Problem[] {
  try {
    decodeMbus(telegram);
    return [];
  } catch (thrown) {
    if (thrown instanceof Problem) return [thrown];
    throw thrown;
  }
}
