import type { AgentConfig } from "../config/config.ts";
import type { JudgedReport } from "../outlet/report.ts";
import type { EnclosureHost } from "./enclosure-watch.ts";
import { Enclosures } from "./enclosures.ts";
import { Lamps } from "./lamps.ts";
import type { PanelStatus } from "./panel-status.ts";

/** What a panel needs of the agent around it. */
export interface PanelHost extends EnclosureHost {
  readonly config: Pick<AgentConfig, "tamper" | "indicator" | "commitSeconds" | "checkpointSeconds">;
  /** How everything stands now. */
  report(): JudgedReport;
  /** Folder of the kernel's LED class, where it is another one. */
  readonly ledRoot?: string;
}

/** What is at the gateway itself: contacts of its enclosure, and lamps. Nothing that goes wrong in it ends the agent. */
export class Panel {
  readonly #enclosures: Enclosures;
  readonly #lamps: Lamps | undefined;

  constructor(host: PanelHost) {
    const { tamper, indicator, commitSeconds, checkpointSeconds } = host.config;
    this.#enclosures = new Enclosures(tamper, host);
    if (indicator === undefined) return;
    const pace = { commitMs: commitSeconds * 1000, checkpointMs: checkpointSeconds * 1000 };
    const { guard, ledRoot } = host;
    this.#lamps = new Lamps(indicator, {
      ...{ guard, pace, report: () => host.report() },
      ...(ledRoot === undefined ? {} : { ledRoot }),
    });
  }

  start(): void {
    this.#enclosures.start();
    this.#lamps?.start();
  }

  /** The lamps go dark, and the log says that nobody watches from here. Before the last commit; may be called twice. */
  async stop(): Promise<void> {
    await Promise.all([this.#enclosures.stop(), this.#lamps?.stop()]);
  }

  /** For the status; nothing where the configuration names neither. */
  status(): { readonly panel?: PanelStatus } {
    const enclosures = this.#enclosures.status();
    if (enclosures.length === 0 && this.#lamps === undefined) return {};
    return { panel: { enclosures, ...(this.#lamps === undefined ? {} : { lamps: this.#lamps.shown }) } };
  }
}
