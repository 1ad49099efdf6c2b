import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { lookAtPanel, panelHasFailed, panelJson, panelText } from "../../../agent/cli/probe-panel.ts";
import { indicatorSchema } from "../../../firmware-bridge/indicator/settings.ts";
import { enclosureSchema } from "../../../firmware-bridge/tamper/settings.ts";
import { gpioinfoLines, installGpioinfo } from "../../firmware-bridge/relay/fake-gpioinfo.ts";
import { FakeContact } from "../../firmware-bridge/tamper/fake-contact.ts";

const LID = enclosureSchema.parse({ name: "lid", line: 17 });

let contact: FakeContact;
let leds = "";
afterEach(() => contact.close());

describe.each([1, 2] as const)("a look at contacts and lamps, libgpiod %i", (version) => {
  beforeEach(() => {
    contact = new FakeContact(version, false);
    installGpioinfo(contact.folder, version, gpioinfoLines(version));
    leds = join(contact.folder, "leds");
    mkdirSync(join(leds, "status"), { recursive: true });
    for (const file of ["trigger", "brightness"]) writeFileSync(join(leds, "status", file), "[heartbeat]");
  });

  it("says how an enclosure is, each time anew", async () => {
    const panel = { tamper: [LID] };
    expect(panelText(await lookAtPanel(panel, leds))).toMatch(
      /^\nenclosure "lid" at gpiochip0 line 17: closed \(/,
    );
    contact.setLevel(true);
    const opened = await lookAtPanel(panel, leds);
    expect(panelText(opened)).toMatch(/^\nenclosure "lid" at gpiochip0 line 17: open \(/);
    expect(panelJson(opened)).toEqual({
      enclosures: [{ name: "lid", line: "gpiochip0 line 17", state: "opened" }],
    });
    expect(panelHasFailed(opened)).toBe(false);
    expect(contact.watchers()).toEqual([]);
  });

  it("asks nothing of a line that somebody has, and says who", async () => {
    installGpioinfo(contact.folder, version, gpioinfoLines(version, { line: 17, by: "gpiomon" }));
    contact.setGone(true);
    const look = await lookAtPanel({ tamper: [LID] }, leds);
    expect(panelText(look)).toMatch(/line 17: the line is in use by gpiomon; if that is the agent, /);
    expect(panelJson(look)).toMatchObject({ enclosures: [{ user: "gpiomon" }] });
    expect(panelHasFailed(look)).toBe(false);
  });

  it("says why an enclosure cannot be seen", async () => {
    writeFileSync(
      join(contact.folder, "bin", "gpioget"),
      "#!/bin/sh\necho 'error: No such device' >&2\nexit 1\n",
    );
    const look = await lookAtPanel({ tamper: [LID] }, leds);
    expect(panelText(look)).toMatch(/line 17:\n {2}PROBLEM .*No such device.*\(tamper-line\)\n$/);
    expect(panelJson(look)).toMatchObject({ enclosures: [{ problem: { code: "tamper-line" } }] });
    expect(panelHasFailed(look)).toBe(true);
  });
});

describe("a look at lamps", () => {
  beforeEach(() => {
    contact = new FakeContact(2, false);
    leds = join(contact.folder, "leds");
    mkdirSync(join(leds, "status"), { recursive: true });
    for (const file of ["trigger", "brightness"]) writeFileSync(join(leds, "status", file), "[heartbeat]");
  });

  it("leaves the lamp as it is", async () => {
    const look = await lookAtPanel(
      { tamper: [], indicator: indicatorSchema.parse({ lamps: ["status"] }) },
      leds,
    );
    expect(panelText(look)).toBe("\nlamp status: may be switched; nothing was switched\n");
    expect(panelJson(look)).toEqual({ lamps: [{ name: "status" }] });
    for (const file of ["trigger", "brightness"])
      expect(readFileSync(join(leds, "status", file), "utf8")).toBe("[heartbeat]");
  });

  it("says which lamps there are instead", async () => {
    const look = await lookAtPanel(
      { tamper: [], indicator: indicatorSchema.parse({ lamps: ["led0"] }) },
      leds,
    );
    expect(panelText(look)).toMatch(/^\nlamp led0:\n {2}PROBLEM .*one of status.*\(indicator-led\)\n$/);
    expect(panelHasFailed(look)).toBe(true);
  });

  it("is nothing where the configuration names neither", async () => {
    const look = await lookAtPanel({ tamper: [] }, leds);
    expect([panelText(look), panelJson(look), panelHasFailed(look)]).toEqual(["", {}, false]);
  });
});
