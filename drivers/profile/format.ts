import { z } from "zod";
import type { ChannelRole } from "../../attest/reading.ts";
import { captureList } from "./format-captures.ts";
import { controlSchema } from "./format-control.ts";
import { pointSchema, unitSchema } from "./format-points.ts";
import { keySchema, nameSchema, sourceText, termSchema } from "./format-words.ts";
import type { Profile } from "./profile.ts";

const ROLES = ["grid", "generation", "storage", "load", "compute"] as const satisfies readonly ChannelRole[];

const provenance = z.strictObject({
  document: sourceText.describe("Document or file that the register map was taken from"),
  version: sourceText.exactOptional().describe("Version or date of the document, or commit of the file"),
  url: z.url().exactOptional(),
  firmware: sourceText.exactOptional().describe("Firmware versions that the map is for"),
  note: sourceText.exactOptional(),
});

const matchRule = z
  .strictObject({
    point: nameSchema.exactOptional().describe("Point whose value must fit"),
    equals: z
      .array(z.union([z.int(), z.string()]))
      .min(1)
      .exactOptional()
      .describe("Raw integers, or texts, of which it must be one"),
    between: z.tuple([z.number(), z.number()]).exactOptional().describe("Limits in the point's unit"),
    pattern: z.string().exactOptional().describe("Regular expression that the text must match"),
    deviceIdentification: z
      .partialRecord(
        z.enum(["vendorName", "productCode", "revision", "productName", "modelName"]),
        z.string(),
      )
      .exactOptional()
      .describe("Regular expressions for objects of Read Device Identification (function 43 / 14)"),
  })
  .refine(
    ({ point, equals, between, pattern, deviceIdentification }) =>
      [equals, between, pattern, deviceIdentification].filter((way) => way !== undefined).length === 1 &&
      (point === undefined) === (deviceIdentification !== undefined),
    { error: 'either "deviceIdentification", or "point" with one of "equals", "between" and "pattern"' },
  );

const requirement = z.strictObject({
  point: nameSchema,
  equals: z.array(z.int()).min(1).describe("Raw values with which this profile reads right"),
  hint: sourceText.describe("What the installer has to set on the device"),
});

/** A literal text, or a point of type text or integer that is read from the device. */
const identityText = z.union([sourceText, z.strictObject({ point: nameSchema })]);

const identity = z.strictObject({
  make: identityText,
  model: identityText,
  serial: identityText.exactOptional().describe("Left out: the device does not say"),
  firmware: identityText.exactOptional(),
  match: z.array(matchRule).describe("What tells the device from others; all rules must hold"),
  requires: z.array(requirement).default([]).describe("Settings of the device that this profile relies on"),
});

const tableSchema = z.enum(["holding", "input"]);

const readableBlock = z.strictObject({
  table: tableSchema,
  start: z.int().min(0).max(65535),
  count: z.int().min(1).max(65536),
});

const transport = z
  .strictObject({
    serial: z
      .strictObject({
        baud: z.int().min(300).max(921_600),
        parity: z.enum(["none", "even", "odd"]).default("none"),
        stopBits: z.union([z.literal(1), z.literal(2)]).default(1),
        alsoBaud: z.array(z.int()).default([]).describe("Other rates it can be set to, likely ones first"),
      })
      .exactOptional()
      .describe("As delivered; left out: it has no serial port"),
    tcp: z
      .strictObject({ port: z.int().min(1).max(65535).default(502) })
      .exactOptional()
      .describe("Left out: Modbus TCP only through a gateway"),
    unit: z.int().min(0).max(255).default(1).describe("Unit as delivered"),
    maxRegisters: z
      .int()
      .min(1)
      .max(125)
      .default(125)
      .describe("The most registers that a request may ask for"),
    minGapMs: z
      .int()
      .min(0)
      .max(10_000)
      .default(0)
      .describe("Silence that the device needs between requests"),
    connectDelayMs: z.int().min(0).max(10_000).default(0).describe("Pause that it needs after connecting"),
    timeoutMs: z.int().min(50).max(60_000).exactOptional().describe("Where it answers later than others"),
    maxClients: z.int().min(1).exactOptional().describe("Connections that it serves at a time"),
    echo: z.boolean().default(true).describe("False where function 8 confuses it"),
    readable: z
      .array(readableBlock)
      .exactOptional()
      .describe("Blocks a request may range over, where larger than the snapshots"),
    maxGap: z
      .int()
      .min(0)
      .max(125)
      .exactOptional()
      .describe("The most unwanted registers in a row that are read along; left out: as many as it takes"),
  })
  .refine((ways) => ways.serial !== undefined || ways.tcp !== undefined, {
    error: '"serial" or "tcp" expected, or both',
  });

const snapshot = z.strictObject({
  table: tableSchema,
  start: z.int().min(0).max(65535).describe("First register of a block that may be read through"),
  count: z.int().min(1).max(65536),
  interval: z
    .union([z.enum(["poll", "identify"]), z.int().min(1).max(86_400)])
    .default("poll")
    .describe("poll: at every reading; identify: once, on identification; or every so many seconds"),
  atomic: z.boolean().default(true).describe("All its points come from one request"),
  optional: z.boolean().default(false).describe("Some devices of the kind do not have it"),
});

/** One point, or points that are added up, "-name" to subtract; all of them from one request. */
const value = z.union([termSchema, z.array(termSchema).min(1)]);
const literal = z.union([value, z.strictObject({ value: z.number().min(0), unit: unitSchema })]);

const ratio = z.union([
  z.tuple([z.union([nameSchema, z.int().min(1)]), z.union([nameSchema, z.int().min(1)])]),
  nameSchema,
]);

const sign = z.strictObject({
  positive: z
    .enum(["import", "export"])
    .describe("Direction of positive power, seen from the metered boundary"),
  source: sourceText.describe("Where that is known from"),
});

const channel = z
  .strictObject({
    role: z.enum(ROLES),
    power: value.exactOptional(),
    sign: sign.exactOptional(),
    import: value.exactOptional().describe("Energy register into the boundary"),
    export: value.exactOptional().describe("Energy register out of the boundary"),
    stateOfCharge: nameSchema.exactOptional(),
    voltage: z.array(nameSchema).min(1).max(3).exactOptional().describe("Phase to neutral, L1 first"),
    current: z.array(nameSchema).min(1).max(3).exactOptional(),
    frequency: nameSchema.exactOptional(),
    status: nameSchema.exactOptional().describe("Point with values standby, ok, fault"),
    maxImport: literal.exactOptional().describe("The most power it can take in: a point, or value and unit"),
    maxExport: literal.exactOptional(),
    ctRatio: ratio.exactOptional().describe("[primary, secondary], or a point with the ratio to 1"),
    vtRatio: ratio.exactOptional(),
    accuracyClass: sourceText.exactOptional(),
    tariffSum: z.boolean().default(false).describe("The energy registers are sums of all tariffs"),
    counter: z
      .strictObject({
        modulus: z
          .strictObject({ value: z.number().positive(), unit: unitSchema })
          .exactOptional()
          .describe(
            "Where the energy registers begin again at 0; left out: by their width, if they are integers",
          ),
        wraps: z.boolean().default(true).describe("False: they stop at the end, or nobody knows"),
        resettable: z.boolean().default(false).describe("Can be set to zero on site"),
        netting: z
          .enum(["vectorial", "arithmetic", "per-phase", "single-phase", "unknown"])
          .default("unknown")
          .describe("How phases of opposite direction are counted"),
      })
      .prefault({}),
    battery: z
      .strictObject({
        capacity: literal.exactOptional().describe("Energy that it holds when full"),
        reserve: z
          .union([nameSchema, z.strictObject({ value: z.number(), unit: z.literal("%") })])
          .exactOptional(),
        maxCharge: literal.exactOptional().describe("Power that it can take in now"),
        maxDischarge: literal.exactOptional(),
        setpoint: value.exactOptional(),
      })
      .exactOptional()
      .describe("What a battery can do, for flexibility"),
  })
  .refine((one) => (one.power === undefined) === (one.sign === undefined), {
    error: '"power" and "sign" go together',
  })
  .refine((one) => [one.power, one.import, one.export, one.stateOfCharge].some((way) => way !== undefined), {
    error: '"power", "import", "export" or "stateOfCharge" expected',
  });

const check = z.strictObject({
  sum: z.array(nameSchema).min(2).describe("Points whose sum is compared, all of one snapshot"),
  equals: nameSchema.describe("Point that it has to be, of the same snapshot"),
  tolerance: z.strictObject({
    absolute: z.number().min(0).describe("In the unit of equals"),
    percent: z.number().min(0).max(50).default(0),
  }),
  channel: keySchema.describe("Channel that is doubted where it does not hold"),
  affects: z.array(z.enum(["power", "import", "export"])).min(1),
});

/** A profile: a Modbus device as data. Docs: docs/add-a-device.md. */
export const profileSchema: z.ZodType<Profile> = z.strictObject({
  format: z.literal(1),
  title: sourceText.describe("Make and model, as an installer knows it"),
  category: z.enum(["meter", "inverter", "battery", "hybrid", "pdu"]),
  identity,
  transport,
  layout: z
    .strictObject({
      wordOrder: z.enum(["big", "little"]).exactOptional(),
      byteOrder: z.enum(["big", "little"]).exactOptional(),
    })
    .default({})
    .describe("Orders of all points that do not say otherwise"),
  snapshots: z.record(keySchema, snapshot),
  points: z.record(keySchema, pointSchema),
  channels: z.record(keySchema, channel),
  checks: z.array(check).default([]),
  control: controlSchema.exactOptional().describe("What the device can be told; left out: it is only read"),
  provenance: z.array(provenance).min(1),
  captures: captureList,
});
