import {
  accessSync,
  constants,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { stringify } from "yaml";
import { Problem } from "../../attest/problem.ts";
import type { Cleanups } from "./cleanups.ts";
import { type DeviceEntry, HOST } from "./site.ts";

/** What is shortened so that there is something to see, and what it is otherwise. */
export const SHORTENED = {
  interval: { seconds: 5, usualSeconds: 900 },
  commit: { seconds: 1, usualSeconds: 10 },
  checkpoint: { seconds: 2, usualSeconds: 60 },
} as const;

const NETWORK = "demo";

/** Folder of the keys, the journal, the node's store and the two configurations. */
export class Workspace {
  readonly #folder: string;
  readonly #removeAtExit = (): void => rmSync(this.#folder, { recursive: true, force: true });

  /**
   * A new temporary folder, removed at the end, or `keep`, which stays. Throws `demo-keep` when that holds anything
   * already: an older journal would go on where it ended.
   */
  constructor(keep: string | undefined, cleanups: Cleanups) {
    if (keep !== undefined) {
      this.#folder = emptyFolder(keep);
      return;
    }
    this.#folder = mkdtempSync(join(tmpdir(), "kilowitness-demo-"));
    process.on("exit", this.#removeAtExit);
    cleanups.add(async () => {
      this.#removeAtExit();
      process.off("exit", this.#removeAtExit);
    });
  }

  get journalPath(): string {
    return join(this.#folder, "journal.sqlite");
  }

  /** Writes the node's configuration, on free ports, and gives its path. */
  writeNodeConfig(): string {
    return this.#write("node.yaml", {
      network: NETWORK,
      key: join(this.#folder, "node.key"),
      store: join(this.#folder, "node.sqlite"),
      listen: { host: HOST, port: 0 },
      http: { host: HOST, port: 0 },
      devices: "open",
    });
  }

  /** Writes the agent's configuration and gives its path. */
  writeAgentConfig(
    devices: readonly DeviceEntry[],
    node: { readonly ws: string; readonly nodeKey: string },
  ): string {
    return this.#write("agent.yaml", {
      network: NETWORK,
      key: join(this.#folder, "device.key"),
      journal: this.journalPath,
      intervalSeconds: SHORTENED.interval.seconds,
      commitSeconds: SHORTENED.commit.seconds,
      checkpointSeconds: SHORTENED.checkpoint.seconds,
      devices,
      nodes: [{ url: node.ws, key: node.nodeKey }],
    });
  }

  #write(name: string, content: object): string {
    const path = join(this.#folder, name);
    writeFileSync(path, stringify(content));
    return path;
  }
}

function emptyFolder(path: string): string {
  const folder = resolve(path);
  try {
    if (!existsSync(folder)) mkdirSync(folder);
    if (readdirSync(folder).length === 0) return folder;
  } catch (cause) {
    const got = cause instanceof Error ? cause.message : String(cause);
    throw new Problem("demo-keep", "the folder cannot be used", { where: folder, got, cause });
  }
  throw new Problem("demo-keep", "the folder is not empty", {
    where: folder,
    hint: "name a new folder with --keep",
  });
}

/** Throws `demo-out` now rather than at the end, when the proof could not be written there. */
export function requireWritable(proofPath: string): void {
  const folder = dirname(resolve(proofPath));
  try {
    accessSync(folder, constants.W_OK);
  } catch (cause) {
    throw new Problem("demo-out", "the proof cannot be written there", {
      where: folder,
      got: cause instanceof Error ? cause.message : String(cause),
      hint: "name another file with --out FILE",
      cause,
    });
  }
}
