import { lineName } from "../../firmware-bridge/gpio/line.ts";
import { lookAtLed } from "../../firmware-bridge/indicator/led.ts";
import { type EnclosureSeen, lookAtEnclosure } from "../../firmware-bridge/tamper/enclosure-look.ts";
import type { EnclosureSettings } from "../../firmware-bridge/tamper/watched-enclosure.ts";
import type { AgentConfig } from "../config/config.ts";
import { problemJson, problemText } from "./probe-problem.ts";

/** What a look at the contacts and lamps of a gateway gave. Nothing was sealed or switched. */
export interface PanelLook {
  readonly enclosures: readonly EnclosureLook[];
  readonly lamps: readonly LampLook[];
}

interface EnclosureLook {
  readonly name: string;
  readonly line: string;
  readonly seen?: EnclosureSeen;
  readonly problem?: unknown;
}

interface LampLook {
  readonly name: string;
  readonly problem?: unknown;
}

/** @param ledRoot the folder of the kernel's LED class; left out, the kernel's own */
export async function lookAtPanel(
  { tamper, indicator }: Pick<AgentConfig, "tamper" | "indicator">,
  ledRoot?: string,
): Promise<PanelLook> {
  return {
    enclosures: await Promise.all(tamper.map(enclosureLook)),
    lamps: await Promise.all((indicator?.lamps ?? []).map((name) => lampLook(name, ledRoot))),
  };
}

async function enclosureLook(enclosure: EnclosureSettings): Promise<EnclosureLook> {
  const look = { name: enclosure.input, line: lineName(enclosure.line) };
  try {
    return { ...look, seen: await lookAtEnclosure(enclosure) };
  } catch (problem) {
    return { ...look, problem };
  }
}

async function lampLook(name: string, root: string | undefined): Promise<LampLook> {
  try {
    await lookAtLed(name, root);
    return { name };
  } catch (problem) {
    return { name, problem };
  }
}

export function panelHasFailed({ enclosures, lamps }: PanelLook): boolean {
  return [...enclosures, ...lamps].some(({ problem }) => problem !== undefined);
}

/** A paragraph of its own for an installer; empty where the configuration names neither contact nor lamp. */
export function panelText({ enclosures, lamps }: PanelLook): string {
  const lines = [...enclosures.map(enclosureText), ...lamps.map(lampText)];
  return lines.length === 0 ? "" : `\n${lines.join("\n")}\n`;
}

function enclosureText({ name, line, seen, problem }: EnclosureLook): string {
  const title = `enclosure ${JSON.stringify(name)} at ${line}`;
  if (seen === undefined) return `${title}:\n  PROBLEM ${problemText(problem)}`;
  if ("user" in seen)
    return `${title}: the line is in use by ${seen.user}; if that is the agent, kilowitness status shows it`;
  const check = seen.state === "closed" ? "open it, and look again" : "close it, and look again";
  return `${title}: ${seen.state === "opened" ? "open" : "closed"} (${check})`;
}

function lampText({ name, problem }: LampLook): string {
  return problem === undefined
    ? `lamp ${name}: may be switched; nothing was switched`
    : `lamp ${name}:\n  PROBLEM ${problemText(problem)}`;
}

/** For a program; nothing where the configuration names neither contact nor lamp. */
export function panelJson({ enclosures, lamps }: PanelLook): object {
  const plain = ({ problem, ...look }: { readonly problem?: unknown }): object => ({
    ...look,
    ...(problem === undefined ? {} : { problem: problemJson(problem) }),
  });
  return {
    ...(enclosures.length === 0
      ? {}
      : { enclosures: enclosures.map(({ seen, ...look }) => plain({ ...look, ...seen })) }),
    ...(lamps.length === 0 ? {} : { lamps: lamps.map(plain) }),
  };
}
