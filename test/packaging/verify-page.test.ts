import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { fromHex } from "../../attest/bytes.ts";
import { Browser, CHROMIUM } from "./chromium.ts";
import { forged, makeProofFile, type ProofFile } from "./proof-file.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const PAGE = join(ROOT, "docs/verify.html");
const PAGE_URL = pathToFileURL(PAGE).href;
/** Where screenshots go, when somebody wants to look. */
const SCREENSHOTS = process.env["VERIFY_PAGE_SCREENSHOTS"];

/** A file of the published vectors, and the keys under which it is judged there, as a link says them. */
function published(
  name: string,
  kind: "proof" | "fault",
): { readonly bytes: Uint8Array; readonly trust: string } {
  const text = readFileSync(new URL(`../../attest/vectors/${name}.json`, import.meta.url), "utf8");
  const { input, policy } = JSON.parse(text);
  const keys = (role: string, list: readonly string[] = []): string[] => list.map((key) => `${role}:${key}`);
  const trust = [...keys("device", policy.deviceKeys), ...keys("node", policy.nodeKeys)].join(",");
  return { bytes: fromHex(input[kind], name), trust };
}

describe.skipIf(CHROMIUM === undefined)("the page in Chromium (skipped where none is installed)", () => {
  let browser: Browser;
  let proof: ProofFile;
  let folder = "";
  const file = (name: string): string => join(folder, name);

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "kilowitness-page-"));
    proof = await makeProofFile();
    writeFileSync(file("hour.kwp"), proof.bytes);
    writeFileSync(file("forged.kwp"), forged(proof.bytes));
    writeFileSync(file("short.kwp"), proof.bytes.slice(0, -100));
    writeFileSync(file("empty.kwp"), "");
    writeFileSync(file("large.kwp"), new Uint8Array(1_048_577));
    writeFileSync(file("letter.txt"), "Dear verifier,\nthis is no proof.\n");
    const { bytes } = await makeProofFile("<img src=x onerror=alert(1)>\u202e");
    writeFileSync(file("markup.kwp"), bytes);
    browser = await Browser.start(CHROMIUM ?? "");
  });

  afterAll(async () => {
    await browser?.end();
    rmSync(folder, { recursive: true, force: true });
  });

  beforeEach(() => browser.events.splice(0));

  const trustOf = ({ deviceKey, nodeKeys }: ProofFile): string =>
    [`device:${deviceKey}`, ...nodeKeys.map((key) => `node:${key}`)].join(",");

  async function answered(): Promise<{ tone: unknown; title: unknown; text: string }> {
    await browser.until(`!["waiting", undefined].includes(document.getElementById("result").dataset.tone)`);
    const tone = await browser.evaluate(`document.getElementById("result").dataset.tone`);
    const title = await browser.evaluate(`document.querySelector("#result h2").innerText`);
    const text = String(await browser.evaluate(`document.getElementById("result").innerText`));
    return { tone, title, text };
  }

  async function check(
    name: string,
    fragment = "",
  ): Promise<{ tone: unknown; title: unknown; text: string }> {
    await browser.open(`${PAGE_URL}${fragment}`);
    await browser.choose("#file", [file(name)]);
    return await answered();
  }

  async function fill(id: string, text: string): Promise<void> {
    await browser.evaluate(`(() => {
      const field = document.getElementById(${JSON.stringify(id)});
      field.value = ${JSON.stringify(text)};
      field.dispatchEvent(new Event("input", { bubbles: true }));
    })()`);
  }

  /** Red, green and blue of what the first line is written in. */
  async function colour(): Promise<number[]> {
    const said = await browser.evaluate(`getComputedStyle(document.querySelector("#result h2")).color`);
    return String(said).match(/\d+/g)?.map(Number) ?? [];
  }

  async function screenshot(name: string): Promise<void> {
    if (SCREENSHOTS === undefined || SCREENSHOTS === "") return;
    const { data } = await browser.command("Page.captureScreenshot", { captureBeyondViewport: true });
    mkdirSync(SCREENSHOTS, { recursive: true });
    writeFileSync(join(SCREENSHOTS, `${name}.png`), Buffer.from(String(data), "base64"));
  }

  const requests = (): unknown[] =>
    browser.events
      .filter(({ method }) => method === "Network.requestWillBeSent")
      .map(({ params }) => (params["request"] as { readonly url: string }).url)
      .filter((url) => url !== "about:blank");
  const complaints = (): unknown[] =>
    browser.events.filter(({ method }) => ["Log.entryAdded", "Runtime.exceptionThrown"].includes(method));

  it("says that a proof is consistent when no key is trusted, and not in green", async () => {
    const { tone, title, text } = await check("hour.kwp");
    expect(tone).toBe("unknown");
    expect(title).toMatch(/^\? consistent, signed by an unknown key [0-9a-f-]{19}$/);
    expect(text).toContain("12 Wh into the boundary");
    expect(text).toContain("whose key this is");
    const [red = 0, green = 0] = await colour();
    expect(red).toBeGreaterThan(green);
    await screenshot("unknown");
  });

  it("says valid and witnessed under the keys of device and nodes", async () => {
    const { tone, title, text } = await check("hour.kwp", `#trust=${trustOf(proof)}`);
    expect(tone).toBe("witnessed");
    expect(title).toBe("✓✓ valid: signed by the device you trust, witnessed (2 nodes that you trust)");
    expect(text).toContain("came with the link");
    const [red = 0, green = 0, blue = 0] = await colour();
    expect(green).toBeGreaterThan(Math.max(red, blue));
    await screenshot("witnessed");
  });

  it("follows the keys as they are typed", async () => {
    await check("hour.kwp");
    await fill("keys", `device:${proof.deviceKey}`);
    expect(await answered()).toMatchObject({ tone: "asserted", text: expect.not.stringContaining("link") });
    await screenshot("asserted");
    await fill("keys", `device:${proof.deviceKey.slice(1)}`);
    const unread = await answered();
    expect(unread).toMatchObject({ tone: "fault", title: expect.stringContaining("No verdict yet") });
    expect(unread.text).toContain("Line 1 is not a key");
    await fill("keys", `device:${proof.nodeKeys[0]}`);
    expect((await answered()).title).toBe("✗ NOT VALID (untrusted-key)");
    await fill("keys", "");
    await fill("network", "another-network");
    expect((await answered()).title).toBe("✗ NOT VALID (wrong-network)");
    await fill("network", proof.network);
    expect((await answered()).tone).toBe("unknown");
  });

  it.each([
    ["forged.kwp", /^✗ NOT VALID \([a-z-]+\)$/],
    ["short.kwp", /^✗ NOT VALID \(proof-format\)$/],
    ["letter.txt", /^✗ NOT VALID \(proof-format\)$/],
    ["empty.kwp", /^✗ NOT VALID \(proof-read\)$/],
    ["large.kwp", /^✗ NOT VALID \(proof-read\)$/],
  ])("names the fault of %s, whatever keys are trusted", async (name, title) => {
    for (const fragment of ["", `#trust=${trustOf(proof)}`]) {
      const answer = await check(name, fragment);
      expect(answer).toMatchObject({ tone: "fault", title: expect.stringMatching(title) });
      expect(answer.text.split("\n").length).toBeGreaterThan(1);
    }
    await screenshot(name);
  });

  it.each([
    ["proof-flexibility", "flexibility of"],
    ["proof-two-epochs", "epochs 1, 2"],
    ["proof-sandwiched", "opening"],
  ])("shows the published %s as the vector says", async (name, words) => {
    const { bytes, trust } = published(name, "proof");
    writeFileSync(file(`${name}.kwp`), bytes);
    const { tone, text } = await check(`${name}.kwp`, `#trust=${trust}`);
    expect(["asserted", "witnessed"]).toContain(tone);
    expect(text).toContain(words);
    await screenshot(name);
  });

  it.each(["fault-fork", "fault-register-drop", "fault-two-epochs"])(
    "shows the published %s as an accusation, in a tone of its own",
    async (name) => {
      const { bytes, trust } = published(name, "fault");
      writeFileSync(file(`${name}.kwf`), bytes);
      const { tone, title, text } = await check(`${name}.kwf`, `#trust=${trust}`);
      expect(tone).toBe("guilty");
      expect(title).toMatch(/^! Fault proven: /);
      expect(text).toContain("the device key: whoever holds it signed this");
      expect(text).toContain("Not shown by this file:");
      await screenshot(name);
    },
  );

  it("shows what a device wrote as text", async () => {
    const { text } = await check("markup.kwp");
    expect(text).toContain("<img src=x onerror=alert(1)>\\u{202e}");
    expect(await browser.evaluate("document.images.length")).toBe(0);
    expect(requests()).toEqual([PAGE_URL]);
  });

  it("takes a dropped file, and one only", async () => {
    await browser.open(PAGE_URL);
    const drop = async (...names: readonly string[]): Promise<void> => {
      const data = { items: [], files: names.map(file), dragOperationsMask: 1 };
      for (const type of ["dragEnter", "dragOver", "drop"])
        await browser.command("Input.dispatchDragEvent", { type, x: 300, y: 300, data });
    };
    await drop("hour.kwp");
    expect(await answered()).toMatchObject({ tone: "unknown", text: expect.stringContaining("hour.kwp") });
    expect(await browser.evaluate(`document.getElementById("file").files[0].name`)).toBe("hour.kwp");
    await drop("hour.kwp", "forged.kwp");
    await browser.until(`document.getElementById("drop-fault").textContent.includes("2 files")`);
    expect(await browser.evaluate("location.href")).toBe(PAGE_URL);
  });

  it("keeps the warning about a link's keys when the link goes away", async () => {
    await check("hour.kwp", `#trust=${trustOf(proof)}`);
    await browser.evaluate(`location.hash = ""`);
    await fill("keys", `device:${proof.deviceKey}\n`);
    expect((await answered()).text).toContain("came with the link");
  });

  it("says that a link is wrong", async () => {
    await browser.open(`${PAGE_URL}#trusts=device:${proof.deviceKey}`);
    const said = await browser.evaluate(`document.getElementById("link-fault").innerText`);
    expect(said).toContain('"trusts"');
  });

  it("can be used by keyboard, and names each field", async () => {
    await check("hour.kwp");
    const order: unknown[] = [];
    for (let press = 0; press < 3; press++) {
      for (const type of ["keyDown", "keyUp"])
        await browser.command("Input.dispatchKeyEvent", { type, key: "Tab", windowsVirtualKeyCode: 9 });
      order.push(await browser.evaluate(`document.activeElement.labels?.[0]?.textContent`));
    }
    expect(order).toEqual([
      "Proof file",
      expect.stringMatching(/^Keys that you trust/),
      expect.stringMatching(/^Network/),
    ]);
    expect(await browser.evaluate(`document.getElementById("result").ariaLive`)).toBe("polite");
  });

  it("fits a narrow screen, and is readable in the dark", async () => {
    const features = [{ name: "prefers-color-scheme", value: "dark" }];
    await browser.command("Emulation.setEmulatedMedia", { features });
    const narrow = { width: 320, height: 640, deviceScaleFactor: 1, mobile: true };
    await browser.command("Emulation.setDeviceMetricsOverride", narrow);
    try {
      await check("hour.kwp", `#trust=${trustOf(proof)}`);
      expect(await browser.evaluate("document.documentElement.scrollWidth")).toBeLessThanOrEqual(320);
      for (const selector of ["body", "#result", "#result h2", ".hint", "dt", ".advice"])
        expect(await contrast(selector), selector).toBeGreaterThanOrEqual(4.5);
      await screenshot("narrow-dark");
    } finally {
      await browser.command("Emulation.clearDeviceMetricsOverride");
      await browser.command("Emulation.setEmulatedMedia", { features: [] });
    }
  });

  it.each([
    ["hour.kwp", ""],
    ["forged.kwp", ""],
  ])("is readable in daylight with %s", async (name, fragment) => {
    await check(name, fragment);
    for (const selector of ["body", "#result", "#result h2", ".hint"])
      expect(await contrast(selector), selector).toBeGreaterThanOrEqual(4.5);
  });

  it("asks the network for nothing, and is allowed nothing", async () => {
    await check("hour.kwp", `#trust=${trustOf(proof)}`);
    expect(requests()).toEqual([PAGE_URL]);
    expect(complaints()).toEqual([]);
    const heard: string[] = [];
    const server = createServer((request, response) => {
      heard.push(request.url ?? "");
      response.setHeader("content-type", "text/html").end(readFileSync(PAGE));
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    try {
      const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
      await browser.open(`${url}/verify.html`);
      await browser.choose("#file", [file("hour.kwp")]);
      expect((await answered()).tone).toBe("unknown");
      expect(await attempts(url)).toEqual([
        "fetch refused",
        "beacon refused",
        "image refused",
        "form refused",
      ]);
      expect(heard).toEqual(["/verify.html"]);
    } finally {
      server.close();
    }
  });

  /** Tries from within the page what a page can send by, and says how each attempt ended. */
  async function attempts(url: string): Promise<unknown> {
    return await browser.evaluate(`(async () => {
      const ended = [];
      const violated = (act) => new Promise((resolve) => {
        addEventListener("securitypolicyviolation", () => resolve("refused"), { once: true });
        setTimeout(() => resolve("not refused"), 20_000);
        act();
      });
      ended.push("fetch " + await violated(() => fetch("${url}/fetch").catch(() => {})));
      ended.push("beacon " + await violated(() => navigator.sendBeacon("${url}/beacon", "x")));
      ended.push("image " + await violated(() => { new Image().src = "${url}/image"; }));
      ended.push("form " + await violated(() => {
        const form = document.querySelector("form");
        form.action = "${url}/form";
        form.submit();
      }));
      return ended;
    })()`);
  }

  /** WCAG 2 contrast of an element's text to the nearest background that is painted. */
  async function contrast(selector: string): Promise<number> {
    return Number(
      await browser.evaluate(`(() => {
        const parts = (text) => text.match(/[\\d.]+/g).map(Number);
        const light = (text) => {
          const [r, g, b] = parts(text).map((v) => (v / 255 <= 0.04045 ? v / 255 / 12.92 : ((v / 255 + 0.055) / 1.055) ** 2.4));
          return 0.2126 * r + 0.7152 * g + 0.0722 * b;
        };
        const own = document.querySelector(${JSON.stringify(selector)});
        let back = own;
        while (parts(getComputedStyle(back).backgroundColor)[3] === 0) back = back.parentElement;
        const pair = [light(getComputedStyle(own).color), light(getComputedStyle(back).backgroundColor)];
        return (Math.max(...pair) + 0.05) / (Math.min(...pair) + 0.05);
      })()`),
    );
  }
});
