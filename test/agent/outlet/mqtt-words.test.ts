import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Announced, discoveryPayload } from "../../../agent/outlet/home-assistant.ts";
import { enclosureDiscovery, enclosureMessages } from "../../../agent/outlet/mqtt-enclosures.ts";
import { MqttRound, type Wire } from "../../../agent/outlet/mqtt-round.ts";
import { decimalText, sensorsOf, statePayload } from "../../../agent/outlet/mqtt-state.ts";
import { Topics, topicNames } from "../../../agent/outlet/mqtt-topics.ts";
import { mqttSchema } from "../../../agent/outlet/settings.ts";
import type { ChannelRole } from "../../../attest/reading.ts";
import { channelReport, DEVICE_KEY, deviceReport, enclosureStatus, NOW_MS } from "./kit.ts";

const TOPICS = new Topics("kilowitness", DEVICE_KEY);
const SETTINGS = mqttSchema.parse({ url: "mqtts://broker" });

describe("a number in a message", () => {
  it("is the integer, exactly, in the unit of the message", () => {
    fc.assert(
      fc.property(fc.maxSafeInteger(), fc.integer({ min: 1, max: 6 }), (value, decimals) => {
        const text = decimalText(value, decimals);
        expect(text).toMatch(/^-?(?:0|[1-9]\d*)(?:\.\d*[1-9])?$/);
        const [whole = "", rest = ""] = text.replace("-", "").split(".");
        const digits = BigInt(whole + rest.padEnd(decimals, "0"));
        expect(value < 0 ? -digits : digits).toBe(BigInt(value));
      }),
    );
    expect([decimalText(0, 3), decimalText(-1, 6), decimalText(54_000, 4)]).toEqual([
      "0",
      "-0.000001",
      "5.4",
    ]);
  });

  it("is absent where the reading did not carry it", () => {
    const { activePowerMw: _, exportMwh: __, ...some } = channelReport({ stateOfChargePpm: 543_210 });
    expect(JSON.parse(statePayload(some))).toEqual({
      ...{ import_kwh: 12_345.678901, state_of_charge_percent: 54.321 },
      time: new Date(NOW_MS - 3000).toISOString(),
    });
    expect([...sensorsOf(some)]).toEqual(["power_w", "import_kwh", "export_kwh", "state_of_charge_percent"]);
  });
});

describe("a channel in a topic", () => {
  it("has a name without signs that topics and ids do not take, and none that another one has", () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(fc.string({ unit: "grapheme", maxLength: 100 }), { maxLength: 20 }),
        (channels) => {
          const names = topicNames(channels);
          expect([...names.keys()]).toEqual(channels);
          expect(new Set(names.values()).size).toBe(channels.length);
          for (const name of names.values()) expect(name).toMatch(/^[a-z0-9_-]{1,68}$/);
        },
      ),
    );
    expect([...topicNames(["Grid L1", "grid/l1", "+/#"]).values()]).toEqual(["grid_l1", "grid_l1_2", "_"]);
  });
});

describe("what Home Assistant is told of a channel", () => {
  function components(role: ChannelRole): Record<string, { name: string; value_template: string }> {
    const sensors = ["power_w", "import_kwh", "export_kwh", "state_of_charge_percent"] as const;
    const announced: Announced = { channel: "pv", role, topicName: "pv", sensors };
    return JSON.parse(discoveryPayload(deviceReport({ intervalMs: 30_000 }), TOPICS, [announced])).components;
  }

  it.each([
    ["grid", "pv power", "pv imported energy", "pv exported energy"],
    ["generation", "pv generated power", "pv own consumption", "pv generated energy"],
    ["storage", "pv discharging power", "pv charged energy", "pv discharged energy"],
    ["load", "pv power", "pv consumed energy", "pv energy fed back"],
  ] as const)("names what it is by its role: %s", (role, ...names) => {
    expect(Object.values(components(role)).map(({ name }) => name)).toEqual([...names, "pv state of charge"]);
  });

  it("turns the sign of what generates or discharges, which counts as positive there", () => {
    const template = (role: ChannelRole) => components(role)["pv_power_w"]?.value_template;
    const turned = "{{ 0 - value_json.power_w if value_json.power_w is defined else none }}";
    expect([template("generation"), template("storage")]).toEqual([turned, turned]);
    expect([template("grid"), template("load"), template("compute")]).toEqual(
      Array(3).fill("{{ value_json.power_w | default(none) }}"),
    );
  });

  it("expires when it is not renewed, whatever the interval", () => {
    expect(components("grid")["pv_power_w"]).toMatchObject({ expire_after: 120 });
    expect(components("grid")["pv_state_of_charge_percent"]).toMatchObject({
      ...{ device_class: "battery", unit_of_measurement: "%", state_class: "measurement" },
    });
  });
});

describe("an enclosure of the gateway", () => {
  const base = `kilowitness/${TOPICS.agentId}`;

  it("is a binary sensor for tampering, on while it is open, and unavailable while nobody watches", () => {
    const enclosures = [
      enclosureStatus(),
      enclosureStatus({ name: "Terminal cover", state: "opened" }),
      enclosureStatus({ name: "door", state: "unwatched" }),
    ];
    expect(enclosureMessages(enclosures, TOPICS)).toEqual([
      [`${base}/_gateway/lid/state`, "OFF"],
      [`${base}/_gateway/lid/availability`, "online"],
      [`${base}/_gateway/terminal_cover/state`, "ON"],
      [`${base}/_gateway/terminal_cover/availability`, "online"],
      [`${base}/_gateway/door/availability`, "offline"],
    ]);
    const [topic, payload] = enclosureDiscovery("homeassistant", TOPICS, enclosures);
    const id = `kilowitness_${TOPICS.agentId}__gateway`;
    expect(topic).toBe(`homeassistant/device/${id}/config`);
    const { device, components } = JSON.parse(payload);
    expect(device.identifiers).toEqual([id]);
    expect(Object.keys(components)).toEqual(["lid_tamper", "terminal_cover_tamper", "door_tamper"]);
    expect(components.terminal_cover_tamper).toEqual({
      ...{ platform: "binary_sensor", device_class: "tamper", name: "Terminal cover" },
      ...{ unique_id: `${id}_terminal_cover_tamper`, payload_on: "ON", payload_off: "OFF" },
      ...{ state_topic: `${base}/_gateway/terminal_cover/state`, availability_mode: "all" },
      availability: [{ topic: `${base}/status` }, { topic: `${base}/_gateway/terminal_cover/availability` }],
    });
  });

  it("is said when it changes, and again to a broker that may have forgotten it", () => {
    const round = new MqttRound(SETTINGS, TOPICS);
    const sent = (state: "opened" | "closed"): string[] => {
      const topics: string[] = [];
      const wire: Wire = { waitingBytes: () => 0, put: (topic) => topics.push(topic) };
      round.publish([], wire, [enclosureStatus({ state })]);
      return topics.map((topic) => topic.replace(/.*\/(?=[^/]+\/[^/]+$)/, ""));
    };
    const lid = ["lid/state", "lid/availability"];
    const config = `kilowitness_${TOPICS.agentId}__gateway/config`;
    expect(sent("closed")).toEqual([`${TOPICS.agentId}/status`, config, ...lid]);
    expect(sent("closed")).toEqual([]);
    expect(sent("opened")).toEqual(["lid/state"]);
    round.begin();
    expect(sent("opened")).toEqual([`${TOPICS.agentId}/status`, config, ...lid]);
  });
});

describe("a round of messages", () => {
  function wire(
    waiting = 0,
  ): Wire & { readonly sent: (readonly [topic: string, payload: string, retain: boolean])[] } {
    const sent: (readonly [string, string, boolean])[] = [];
    return { sent, waitingBytes: () => waiting, put: (...message) => sent.push(message) };
  }

  const STATE = `kilowitness/${TOPICS.agentId}/meter/grid/state`;
  const at = (ms: number) => [deviceReport({ channels: [channelReport({ acceptedAtMs: ms, ageMs: 0 })] })];

  it("says only what is new", () => {
    const round = new MqttRound(SETTINGS, TOPICS);
    const topics = (ms: number) => {
      const to = wire();
      round.publish(at(ms), to);
      return to.sent.map(([topic, , retain]) => [topic.split("/").at(-1), retain]);
    };
    expect(topics(1)).toEqual([
      ["status", true],
      ["config", true],
      ["availability", true],
      ["state", false],
    ]);
    expect(topics(1)).toEqual([]);
    expect(topics(2)).toEqual([["state", false]]);
    round.begin();
    expect(topics(2)).toHaveLength(4);
  });

  it("says what changed in what there is, and never that something is gone", () => {
    const round = new MqttRound(SETTINGS, TOPICS);
    const configs = (...devices: Parameters<MqttRound["publish"]>[0]) => {
      const to = wire();
      round.publish(devices, to);
      return to.sent.filter(([topic]) => topic.endsWith("/config")).map(([, payload]) => JSON.parse(payload));
    };
    const bare = channelReport({ quantities: ["power"] });
    const { importMwh: _, exportMwh: __, ...power } = bare;
    expect(Object.keys(configs(deviceReport({ channels: [power] }))[0].components)).toEqual(["grid_power_w"]);
    expect(Object.keys(configs(deviceReport({ channels: [bare] }))[0].components)).toHaveLength(3);
    expect(configs(deviceReport({ channels: [power] }))).toEqual([]);
  });

  it("does not show an old value as a new one after a connection was lost", () => {
    const round = new MqttRound(SETTINGS, TOPICS);
    const to = wire();
    round.publish([deviceReport({ channels: [channelReport({ ageMs: 60_001 })] })], to);
    expect(to.sent.map(([topic]) => topic)).not.toContain(STATE);
  });

  it("leaves out what the broker does not take, and makes up for it later with what is newest", () => {
    const round = new MqttRound(SETTINGS, TOPICS);
    const full = wire(65_537);
    round.publish(at(1), full);
    expect(full.sent).toEqual([]);
    expect(round).toMatchObject({ published: 0, skipped: 1 });
    const free = wire();
    round.publish(at(9), free);
    expect(free.sent.filter(([topic]) => topic === STATE)).toHaveLength(1);
    expect(round).toMatchObject({ published: 4, skipped: 1 });
  });

  it("tells Home Assistant nothing where that is switched off", () => {
    const to = wire();
    new MqttRound({ ...SETTINGS, discovery: false }, TOPICS).publish(at(1), to);
    expect(to.sent.map(([topic]) => topic.split("/").at(-1))).toEqual(["status", "availability", "state"]);
  });
});
