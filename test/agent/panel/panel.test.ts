import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { type AgentConfig, loadAgentConfig } from "../../../agent/config/config.ts";
import { Guard } from "../../../agent/guard.ts";
import { Panel } from "../../../agent/panel/panel.ts";
import { recordingLogger } from "../kit.ts";
import { report } from "../outlet/kit.ts";

const EXAMPLE = join(import.meta.dirname, "../../../examples/panel.yaml");

function panelOf(config: AgentConfig): Panel {
  const { logger } = recordingLogger();
  return new Panel({
    ...{ logger, guard: new Guard(logger), urgent: () => undefined, report: () => report() },
    config,
    sealer: () => {
      throw new Error("nothing is sealed here");
    },
  });
}

describe("the panel of the example", () => {
  it("has two contacts and a lamp, of which nothing is known before the start", async () => {
    const panel = panelOf(loadAgentConfig(EXAMPLE));
    const unseen = { openings: 0, leaves: 0, waiting: 0 };
    expect(panel.status()).toEqual({
      panel: {
        enclosures: [
          { name: "lid", ...unseen },
          { name: "terminal cover", ...unseen },
        ],
        lamps: { stage: "starting" },
      },
    });
    await panel.stop();
  });

  it("is nothing where the configuration names neither", () => {
    const { indicator: _, ...without } = loadAgentConfig(EXAMPLE);
    const none = panelOf({ ...without, tamper: [] });
    expect(none.status()).toEqual({});
  });
});
