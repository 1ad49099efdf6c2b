import { VERSION } from "../../runtime/version.ts";
import type { EnclosureStatus } from "../panel/panel-status.ts";
import { type Topics, topicNames } from "./mqtt-topics.ts";

/*
 * A contact of the gateway's own enclosure as a binary sensor of Home Assistant (its source,
 * homeassistant/components/mqtt/binary_sensor.py: payloads ON and OFF): of the class `tamper`, on means that it was opened.
 * The gateway is a device of its own. While nobody watches, the sensor is unavailable.
 */

/** The level of a topic that no device of the configuration can have. */
const GATEWAY = "_gateway";

/** A retained message: its topic and what it says. */
export type Retained = readonly [topic: string, payload: string];

/** The messages that say how the enclosures stand: the state before that it can be believed. */
export function enclosureMessages(enclosures: readonly EnclosureStatus[], topics: Topics): Retained[] {
  return placed(enclosures).flatMap(({ enclosure: { state }, name }): Retained[] => {
    const isSeen = state === "opened" || state === "closed";
    return [
      ...(isSeen ? [[topics.state(GATEWAY, name), state === "opened" ? "ON" : "OFF"] as const] : []),
      [topics.availability(`${GATEWAY}/${name}`), isSeen ? "online" : "offline"],
    ];
  });
}

/** The message that tells Home Assistant of them. */
export function enclosureDiscovery(
  prefix: string,
  topics: Topics,
  enclosures: readonly EnclosureStatus[],
): Retained {
  const id = `kilowitness_${topics.agentId}_${GATEWAY}`;
  const component = ({ enclosure, name }: Placed): readonly [string, object] => [
    `${name}_tamper`,
    {
      ...{ platform: "binary_sensor", device_class: "tamper", name: enclosure.name },
      ...{ unique_id: `${id}_${name}_tamper`, state_topic: topics.state(GATEWAY, name) },
      ...{ payload_on: "ON", payload_off: "OFF", availability_mode: "all" },
      availability: [{ topic: topics.status }, { topic: topics.availability(`${GATEWAY}/${name}`) }],
    },
  ];
  const payload = {
    device: { identifiers: [id], name: "gateway", model: "Kilowitness agent", sw_version: VERSION },
    origin: { name: "kilowitness", sw_version: VERSION },
    components: Object.fromEntries(placed(enclosures).map(component)),
  };
  return [`${prefix}/device/${id}/config`, JSON.stringify(payload)];
}

interface Placed {
  readonly enclosure: EnclosureStatus;
  /** As a level of a topic. */
  readonly name: string;
}

function placed(enclosures: readonly EnclosureStatus[]): Placed[] {
  const names = topicNames(enclosures.map(({ name }) => name));
  return enclosures.map((enclosure) => ({ enclosure, name: names.get(enclosure.name) ?? enclosure.name }));
}
