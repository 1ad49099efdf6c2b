import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { isSource, readTree, type Tree } from "../../architecture/source.ts";
import { eventsIn } from "./log-events.ts";

const ROOT = fileURLToPath(new URL("../../../", import.meta.url));
const PAGE = readFileSync(`${ROOT}docs/operations.md`, "utf8");
const ROOMS = ["agent", "network", "runtime", "firmware-bridge", "bin"];

/** From a heading to the next one of the same level or above. */
function section(heading: string): string {
  const [mark = ""] = heading.split(" ", 1);
  const from = PAGE.indexOf(`\n${heading}\n`);
  const rest = PAGE.slice(from + heading.length + 2);
  const end = new RegExp(`^#{1,${mark.length}} `, "m").exec(rest)?.index ?? rest.length;
  return from < 0 ? "" : rest.slice(0, end);
}

/** The code words of the first cell of each row, with the second cell. */
function rows(text: string): string[] {
  return [...text.matchAll(/^\| (`[^|]*`) \| ?([^|]*?) ?\|/gm)].flatMap(([, names = "", second = ""]) =>
    [...names.matchAll(/`([^`]+)`/g)].map(([, name]) => `${name} ${second}`.trim()),
  );
}

function sources(): Tree {
  const tree = ROOMS.flatMap((room) => [...readTree(ROOT, room)]);
  return new Map(tree.filter(([path]) => isSource(path)));
}

describe("the page for operators", () => {
  const found = eventsIn(sources());

  it("lists every event that any program logs, with its level, and no other", () => {
    expect([...found.events].sort()).toEqual(rows(section("## Log lines")).sort());
  });

  it("leaves no logged event out because it is computed", () => {
    expect(found.unknown).toEqual([]);
  });

  it("lists every code that can need attention, with what makes a watchdog act", () => {
    const files = ["attention", "control-text", "panel-text"];
    const text = files.map((name) => readFileSync(`${ROOT}agent/outlet/${name}.ts`, "utf8")).join("\n");
    const guarded = [...text.matchAll(/^ {2}\["([a-z-]+)", \[".*", (true|false)\]\],$/gm)];
    const said = [...text.matchAll(/\{ code: "([a-z-]+)".*failing: (true|false) \}/g)];
    const outlets = [...text.matchAll(/\.\.\.one\("([a-z-]+)"/g)].map(([, code]) => [code, code, "false"]);
    const codes = [...guarded, ...said, ...outlets].map(([, code, failing]) =>
      failing === "true" ? `${code} yes` : code,
    );
    expect(codes.length).toBeGreaterThan(15);
    expect([...new Set(codes)].sort()).toEqual(rows(section("### What can need attention")).sort());
  });
});

describe("the search for events", () => {
  it.each([
    ['logger.info("a-b");', ["a-b info"]],
    ['this.#options.logger.warn(late ? "a" : "b", {});', ["a warn", "b warn"]],
    ['host.logger.problem("a", cause);', ["a warn"]],
    ['this.#guard.run("a", () => undefined);', ["a info", "a warn"]],
    [
      `this.#explain(channel, \`reading-\${verdict.kind}\`, why);`,
      ["reading-hold warn", "reading-reject warn"],
    ],
    ['report.info("a"); socket.on("error", f);', []],
  ])("finds what is logged by: %s", (text, events) => {
    const found = [...eventsIn(new Map([["agent/a.ts", text]])).events].map((event) =>
      event.replace("-over", ""),
    );
    expect(found.sort()).toEqual(events);
  });

  it("reports an event that it cannot read", () => {
    expect(eventsIn(new Map([["agent/a.ts", "logger.warn(event);"]])).unknown).toEqual(["agent/a.ts: event"]);
  });
});
