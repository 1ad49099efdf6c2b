import type { ChannelRole } from "../../attest/reading.ts";
import { VERSION } from "../../runtime/version.ts";
import { quietAfterMs } from "./attention.ts";
import type { Topics } from "./mqtt-topics.ts";
import type { DeviceReport } from "./report.ts";

/*
 * Home Assistant's device discovery, as its MQTT integration documents it (home-assistant.io,
 * source/_integrations/mqtt.markdown, "Device discovery payload"): one retained message for a device, with `device`,
 * `origin` and the availability topics shared by all its `components`, each of which has a platform and a unique_id.
 */

/** What a channel can show, by the key of its state message. */
export type Sensor = "power_w" | "import_kwh" | "export_kwh" | "state_of_charge_percent";

/** A channel, and what of it is announced. */
export interface Announced {
  readonly channel: string;
  readonly role: ChannelRole;
  /** The channel as a level of a topic. */
  readonly topicName: string;
  readonly sensors: readonly Sensor[];
}

interface Kind {
  readonly device_class: string;
  readonly state_class: "measurement" | "total_increasing";
  readonly unit_of_measurement: string;
}

const KINDS: Readonly<Record<Sensor, Kind>> = {
  power_w: { device_class: "power", state_class: "measurement", unit_of_measurement: "W" },
  import_kwh: { device_class: "energy", state_class: "total_increasing", unit_of_measurement: "kWh" },
  export_kwh: { device_class: "energy", state_class: "total_increasing", unit_of_measurement: "kWh" },
  state_of_charge_percent: { device_class: "battery", state_class: "measurement", unit_of_measurement: "%" },
};

type Names = Readonly<Record<Exclude<Sensor, "state_of_charge_percent">, string>>;

const TAKES: Names = { power_w: "power", import_kwh: "consumed energy", export_kwh: "energy fed back" };
const NAMES: Readonly<Record<ChannelRole, Names>> = {
  grid: { power_w: "power", import_kwh: "imported energy", export_kwh: "exported energy" },
  generation: { power_w: "generated power", import_kwh: "own consumption", export_kwh: "generated energy" },
  storage: { power_w: "discharging power", import_kwh: "charged energy", export_kwh: "discharged energy" },
  load: TAKES,
  compute: TAKES,
};

/** Home Assistant counts what a generator and a discharging battery give as positive; here it is out of them: -. */
const TURNED: ReadonlySet<ChannelRole> = new Set(["generation", "storage"]);

/** Name of a device among all of a Home Assistant, and its discovery topic's. */
export function discoveryTopic(prefix: string, topics: Topics, device: string): string {
  return `${prefix}/device/${uniqueId(topics, device)}/config`;
}

/** The discovery message of a device, as JSON. */
export function discoveryPayload(
  { id, make = "", model = "", serial = "", firmware = "", intervalMs }: DeviceReport,
  topics: Topics,
  channels: readonly Announced[],
): string {
  return JSON.stringify({
    device: {
      identifiers: [uniqueId(topics, id)],
      name: id,
      ...(make === "" ? {} : { manufacturer: make }),
      ...(model === "" ? {} : { model }),
      ...(serial === "" ? {} : { serial_number: serial }),
      ...(firmware === "" ? {} : { sw_version: firmware }),
    },
    origin: { name: "kilowitness", sw_version: VERSION },
    availability: [{ topic: topics.status }, { topic: topics.availability(id) }],
    availability_mode: "all",
    components: Object.fromEntries(
      channels.flatMap((channel) =>
        channel.sensors.map((sensor) => {
          const component = `${channel.topicName}_${sensor}`;
          return [component, componentOf(channel, sensor, { id, topics, intervalMs })];
        }),
      ),
    ),
  });
}

function componentOf(
  { channel, role, topicName }: Announced,
  sensor: Sensor,
  { id, topics, intervalMs }: { readonly id: string; readonly topics: Topics; readonly intervalMs: number },
): object {
  const name = sensor === "state_of_charge_percent" ? "state of charge" : NAMES[role][sensor];
  return {
    platform: "sensor",
    unique_id: `${uniqueId(topics, id)}_${topicName}_${sensor}`,
    name: `${channel} ${name}`,
    ...KINDS[sensor],
    state_topic: topics.state(id, topicName),
    value_template: templateOf(sensor, sensor === "power_w" && TURNED.has(role)),
    // A value that is not renewed is not the present one any more, whatever the reason.
    expire_after: Math.ceil(quietAfterMs(intervalMs) / 1000),
  };
}

/** "None" makes a sensor unknown: a value that a reading does not carry is no value, and not the one before. */
function templateOf(sensor: Sensor, turned: boolean): string {
  const value = `value_json.${sensor}`;
  return turned ? `{{ 0 - ${value} if ${value} is defined else none }}` : `{{ ${value} | default(none) }}`;
}

function uniqueId({ agentId }: Topics, device: string): string {
  return `kilowitness_${agentId}_${device}`;
}
