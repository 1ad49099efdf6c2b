import { CHANNEL_ROLES } from "../../attest/reading.ts";
import { ENROLMENT_STATES } from "../enrolment/records.ts";
import { listOf, objectOf, orNull, schemaRef } from "./openapi-parts.ts";

const text = { type: "string" };
const count = { type: "integer", minimum: 0 };
const integer = { type: "integer" };
const time = { type: "string", format: "date-time" };
const key = { type: "string", pattern: "^[0-9a-f]{64}$", description: "Ed25519 public key" };
const hash = { type: "string", pattern: "^[0-9a-f]{64}$", description: "SHA-256" };
const hex = { type: "string", pattern: "^(?:[0-9a-f]{2})*$" };
const hexOrNull = { type: ["string", "null"], pattern: "^(?:[0-9a-f]{2})*$" };
const page = { type: ["string", "null"], description: "address of the next page" };
const mwh = { type: "integer", description: "mWh" };

const CLOSE = {
  ...{ epoch: count, seq: count, channel: count, t0: time, t1: time, t0Ms: count, t1Ms: count },
  ...{ openingImportMwh: mwh, closingImportMwh: mwh, openingExportMwh: mwh, closingExportMwh: mwh },
  importWh: { type: "integer", description: "floor(closing/1000) - floor(opening/1000)" },
  exportWh: { type: "integer", description: "floor(closing/1000) - floor(opening/1000)" },
  ...{ shape: listOf(text), count, minPowerMw: integer, maxPowerMw: integer, statusUnion: count },
};
const CLOSE_OPTIONAL = Object.keys(CLOSE).filter((name) =>
  /(?:Mwh|Wh|PowerMw)$|^count$|^statusUnion$/.test(name),
);

const READING = {
  ...{ epoch: count, seq: count, time, timeMs: count, timeQuality: count },
  ...{ importMwh: mwh, exportMwh: mwh, activePowerMw: integer, status: count },
};
const CHANNEL = {
  ...{ channel: count, name: text, make: text, model: text, serial: text },
  ...{ role: { enum: Object.keys(CHANNEL_ROLES) }, driver: text, samplingMs: count },
};
const LOG = {
  ...{ epoch: count, logId: hash, size: count, opened: time, receipts: count, newestCheckpoint: time },
  faults: count,
};
const timeOrNull = { ...orNull("string"), format: "date-time", description: "null: its clock was not set" };
const ENCLOSURE = {
  ...{ input: text, state: { type: "string", description: "opened, closed, unwatched, or a number" } },
  ...{ since: timeOrNull, said: timeOrNull, lastKnown: { enum: ["opened", "closed", null] } },
  ...{ openings: count, epoch: count, seq: count },
};
const ENCLOSURES = {
  inputs: listOf(objectOf(ENCLOSURE)),
  further: objectOf({ inputs: count, leaves: count, opened: count }),
};
const DEVICE = {
  ...{
    key,
    network: text,
    agentVersion: text,
    firstSeen: time,
    lastSeen: time,
    receipts: count,
    faults: count,
  },
  ...{
    logs: listOf(objectOf(LOG)),
    enclosures: objectOf(ENCLOSURES),
    channels: listOf(objectOf(CHANNEL, ["make", "model", "serial", "driver"])),
  },
};
const FAULT = {
  ...{
    id: count,
    epoch: count,
    logId: hash,
    kind: { enum: ["fork", "false-leaf", "two-epochs"] },
    size: count,
  },
  ...{
    ours: hexOrNull,
    theirs: hex,
    detail: text,
    proofBytes: orNull("integer"),
    foundMs: count,
    found: time,
  },
  proof: { type: ["string", "null"], description: "address of the file" },
};
const SAYS = {
  ...{ assuranceTier: { type: "integer", minimum: 0, maximum: 3 }, softwareVersion: text, recoveryKey: key },
  ...{ nextKeyHash: hash, manifestHash: hash },
};
const ENROLMENT = {
  ...{ key, state: { enum: ENROLMENT_STATES }, label: text, source: text, changed: time },
  says: { oneOf: [objectOf(SAYS), { type: "null" }], description: "what the device's signed statement says" },
};
const SIGNED = { statement: hexOrNull, countersignature: hexOrNull };
const CODE = { id: count, label: text, created: time, expires: time, expired: { type: "boolean" } };
const LIVE = {
  ...{ channel: text, at: time, atMs: count, received: time, powerMw: integer, importMwh: mwh },
  ...{ exportMwh: mwh, stateOfChargePpm: count },
};
const HEALTH = {
  ...{ status: { enum: ["ok", "failing"] }, uptimeSeconds: count, connections: count },
  reasons: listOf(objectOf({ code: text, what: text })),
};

/** What the answers are made of, by name. */
export const SCHEMAS: Readonly<Record<string, object>> = {
  Problem: objectOf({ code: { type: "string", description: "stable" }, message: text }),
  Node: objectOf({ program: text, nodeKey: key, network: text, questions: listOf(text) }),
  NodeKey: objectOf({ nodeKey: key }),
  Device: objectOf(DEVICE),
  Devices: objectOf({ devices: listOf(schemaRef("Device")), next: page }),
  Faults: objectOf({ faults: listOf(objectOf(FAULT)) }),
  Intervals: objectOf({ channel: text, intervals: listOf(objectOf(CLOSE, CLOSE_OPTIONAL)), next: page }),
  Readings: objectOf({
    channel: text,
    readings: listOf(objectOf(READING, ["importMwh", "exportMwh", "activePowerMw", "status"])),
    next: page,
  }),
  Live: objectOf({
    channels: listOf(objectOf(LIVE, ["powerMw", "importMwh", "exportMwh", "stateOfChargePpm"])),
  }),
  Enrolment: objectOf(ENROLMENT),
  EnrolmentRecord: objectOf({ ...ENROLMENT, ...SIGNED }),
  Enrolments: objectOf({
    counts: objectOf(Object.fromEntries(ENROLMENT_STATES.map((state) => [state, count]))),
    enrolments: listOf(schemaRef("Enrolment")),
    next: page,
  }),
  Code: objectOf(CODE),
  NewCode: objectOf({ code: { type: "string", description: "shown here and nowhere else" }, ...CODE }),
  Codes: objectOf({ codes: listOf(schemaRef("Code")) }),
  Removed: objectOf({ key, id: count, removed: { const: true } }, ["key", "id"]),
  Health: objectOf(HEALTH),
};
