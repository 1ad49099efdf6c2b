import { chmodSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { loadAgentConfig } from "../../../agent/config/config.ts";
import { readCredentials, readToken } from "../../../agent/outlet/secret-file.ts";
import { withoutSecrets } from "../../../agent/outlet/shown-url.ts";
import { describeProblem } from "../../../attest/problem.ts";
import { temporaryFolder } from "../kit.ts";

let folder = "";
let remove: () => void = () => undefined;
beforeAll(() => {
  ({ folder, remove } = temporaryFolder());
});
afterAll(() => remove());

const REST = `network: t, key: k, journal: j, devices: [{id: meter, driver: dsmr-p1, line: "tcp://127.0.0.1:1"}]`;

function load(keys: string) {
  const file = join(folder, "agent.yaml");
  writeFileSync(file, `{${REST}${keys === "" ? "" : `, ${keys}`}}\n`);
  return loadAgentConfig(file);
}

/** Path and first words of a refusal. */
function refusal(keys: string): string {
  try {
    load(keys);
  } catch (cause) {
    return describeProblem(cause).message.replace(`${join(folder, "agent.yaml")}: `, "");
  }
  return "accepted";
}

describe("the outlets in a configuration", () => {
  it("are off unless they are configured", () => {
    expect(load("")).not.toHaveProperty("http");
    expect(load("")).not.toHaveProperty("mqtt");
  });

  it("stay on this machine unless told otherwise", () => {
    expect(load("http: {}").http).toEqual({ host: "127.0.0.1", port: 8789, allowOpen: false, names: [] });
    expect(refusal('http: {host: "0.0.0.0"}')).toContain(
      "http.host: other machines would read the meters; expected tokenFile beside it, or allowOpen: true",
    );
    expect(refusal("http: {host: 192.168.1.2, tokenFile: token}")).toBe("accepted");
    expect(refusal('http: {host: "::", allowOpen: true}')).toBe("accepted");
    expect(refusal("http: {host: localhost}")).toBe("accepted");
    expect(refusal('http: {host: "127.0.0.1.example.org"}')).toContain("http.host: other machines");
  });

  it("take a broker without a password in its address, and none unencrypted elsewhere", () => {
    expect(load("mqtt: {url: mqtts://broker.example.org}").mqtt).toEqual({
      ...{ url: "mqtts://broker.example.org", allowPlain: false },
      ...{ topic: "kilowitness", discovery: true, discoveryPrefix: "homeassistant" },
    });
    expect(refusal("mqtt: {url: mqtt://127.0.0.1:1883}")).toBe("accepted");
    expect(refusal("mqtt: {url: mqtt://192.168.1.2}")).toContain(
      "mqtt.url: mqtt:// is only for this machine",
    );
    expect(refusal("mqtt: {url: mqtt://192.168.1.2, allowPlain: true}")).toBe("accepted");
    for (const url of [
      "mqtts://a:b@broker",
      "mqtts://:b@broker",
      "mqtts://broker/?x=1",
      "wss://broker",
      "broker",
    ])
      expect(refusal(`mqtt: {url: "${url}"}`)).toContain("mqtt.url: not a broker's address");
    expect(refusal('mqtt: {url: mqtts://broker, topic: "a/#"}')).toContain("mqtt.topic");
    expect(refusal("mqtt: {url: mqtts://broker, password: x}")).toContain("mqtt.password: unknown key");
  });
});

describe("a file with a secret", () => {
  function write(text: string, mode = 0o600): string {
    const path = join(folder, "secret");
    writeFileSync(path, text);
    chmodSync(path, mode);
    return path;
  }

  function problem(read: () => unknown): string {
    try {
      read();
    } catch (cause) {
      const { code, message } = describeProblem(cause);
      expect(message).not.toMatch(/hunter2|swordfish/);
      return code;
    }
    return "none";
  }

  it("gives name and password, exactly", () => {
    const path = write('username: meter\npassword: "# hunter2: \\"x\\""\n', 0o640);
    expect(readCredentials(path)).toEqual({ username: "meter", password: '# hunter2: "x"' });
    expect(readToken(write("0123456789abcdef\n"))).toBe("0123456789abcdef");
  });

  it("is refused when others may read it or it is something else, without a word of what is in it", () => {
    expect(problem(() => readCredentials(write("username: a\npassword: hunter2\n", 0o644)))).toBe(
      "secret-permissions",
    );
    expect(problem(() => readCredentials(write("username: a\npassword: [hunter2\n")))).toBe("secret-format");
    expect(problem(() => readCredentials(write("username: a\npasswrod: hunter2\n")))).toBe("secret-format");
    expect(problem(() => readToken(write("swordfish")))).toBe("secret-format");
    expect(problem(() => readToken(write("swordfish swordfish")))).toBe("secret-format");
    expect(problem(() => readToken(join(folder, "none")))).toBe("secret-read");
  });
});

describe("an address that is shown", () => {
  it.each([
    ["wss://node.example.org", "wss://node.example.org"],
    ["wss://:pw@node.example.org:8787/stream?token=abc#x", "wss://node.example.org:8787/stream"],
    ["nonsense", "not an address"],
  ])("bears no secret: %s", (url, shown) => {
    expect(withoutSecrets(url)).toBe(shown);
  });
});
