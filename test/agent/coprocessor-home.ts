import { writeFileSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { join } from "node:path";
import { Agent } from "../../agent/agent.ts";
import { type AgentConfig, loadAgentConfig } from "../../agent/config/config.ts";
import { type DeviceKey, type KeyTerms, openDeviceKey } from "../../agent/identity/device-key.ts";
import { concatBytes } from "../../attest/bytes.ts";
import { nativeSigner } from "../../attest/native.ts";
import { catalogueOf, type DriverCatalogue, driverCatalogue } from "../../drivers/catalogue.ts";
import { coprocessorDriverOver } from "../../firmware-bridge/coprocessor/driver.ts";
import { CoprocessorLines } from "../../firmware-bridge/coprocessor/lines.ts";
import { SimulatedCoprocessor } from "../../firmware-bridge/simulated/coprocessor.ts";
import { buildImage } from "../../firmware-bridge/simulated/mcuboot-image.ts";
import { SimulatedMicrocontroller } from "../../firmware-bridge/simulated/microcontroller.ts";
import type { GroupHandler, GroupRequest } from "../../firmware-bridge/simulated/smp-server.ts";
import { type Line, NETWORK, recordingLogger } from "./kit.ts";
import type { NodeAt } from "./uplink-home.ts";

export const SEED: Uint8Array = new Uint8Array(32).fill(7);
export const PUBLIC_KEY: Uint8Array = nativeSigner(SEED).publicKey;

type Answer = ReturnType<GroupHandler>;

/** A microcontroller that meters and signs, at a TCP port; it does what it is told to, wrongly where it is told so. */
export class Board {
  readonly mcu: SimulatedMicrocontroller;
  readonly server: Server;
  /** Every message that it has signed, whether its answer arrived or not. */
  readonly signed: Uint8Array[] = [];
  /** Nothing arrives at it. */
  deaf = false;
  /** What becomes of an answer with a signature: it arrives, or it does not. */
  answersSignatures = true;
  #seed = SEED;
  #coprocessor: SimulatedCoprocessor;
  #pieces: Uint8Array[] = [];
  #startMs = performance.now();
  readonly #sockets = new Set<Socket>();

  constructor() {
    this.#coprocessor = this.#made();
    this.mcu = new SimulatedMicrocontroller({
      image: buildImage({ major: 1, minor: 0, revision: 0, body: new Uint8Array(64) }),
      bufferBytes: 384,
      groups: new Map([[64, (request: GroupRequest) => this.#answer(request)]]),
    });
    this.server = createServer((socket) => this.#serve(socket));
  }

  get line(): string {
    const at = this.server.address();
    if (at === null || typeof at === "string") throw new Error("not listening");
    return `tcp://127.0.0.1:${at.port}`;
  }

  async listen(port = 0): Promise<void> {
    await new Promise<void>((resolve) => this.server.listen(port, "127.0.0.1", resolve));
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise<void>((resolve) => this.server.close(() => resolve()));
  }

  /** Another board in its place. */
  exchange(seed: Uint8Array): void {
    this.#seed = seed;
    this.#coprocessor = this.#made();
  }

  /** Somebody else has it sign. */
  misbehave(how: Parameters<SimulatedCoprocessor["misbehave"]>[0]): void {
    this.#coprocessor.misbehave(how);
  }

  #made(): SimulatedCoprocessor {
    const grownMwh = (): number => Math.floor((performance.now() - this.#startMs) / 1000) * 1000;
    return new SimulatedCoprocessor({
      shown: () => [
        { name: "grid", role: "grid", importMwh: 5_000_000 + grownMwh(), activePowerMw: 3_600_000 },
      ],
      monotonicMs: () => performance.now(),
      starts: () => this.mcu.boots,
      seed: this.#seed,
    });
  }

  #serve(socket: Socket): void {
    this.#sockets.add(socket);
    socket.on("error", () => undefined);
    socket.on("close", () => this.#sockets.delete(socket));
    socket.on("data", (bytes: Buffer) => {
      if (this.deaf) return;
      const said = this.mcu.receive(new Uint8Array(bytes));
      if (said.length > 0) socket.write(said);
    });
  }

  #answer(request: GroupRequest): Answer {
    const answer = this.#coprocessor.handle(request);
    const { operation, command, fields } = request;
    const data = fields.get("data");
    if (operation !== "write" || command !== 3 || !(data instanceof Uint8Array)) return answer;
    if (fields.get("off") === 0) this.#pieces = [];
    this.#pieces.push(data);
    if (!(answer instanceof Map) || !answer.has("sig")) return answer;
    this.signed.push(concatBytes(...this.#pieces));
    return this.answersSignatures ? answer : undefined;
  }
}

/** Waits of a test: what is late here is late on purpose. */
export const QUICK = { signatureMs: 600, lookMs: 400 } as const;

/** An agent that meters with one board and has it sign. */
export class SigningAgent {
  readonly lines: Line[];
  readonly agent: Agent;
  readonly key: DeviceKey;
  readonly config: AgentConfig;
  #stopped: Promise<void> | undefined;

  private constructor(key: DeviceKey, config: AgentConfig) {
    const { logger, lines } = recordingLogger();
    this.lines = lines;
    this.key = key;
    this.config = config;
    this.agent = new Agent({ config, logger, deviceKey: key });
    this.agent.start();
  }

  static async start(gateway: string, line: string, more: AgentMore = {}): Promise<SigningAgent> {
    const { config, terms } = signingConfig(gateway, line, more);
    return new SigningAgent(await openDeviceKey(config, terms), config);
  }

  events(name: string): Line[] {
    return this.lines.filter(({ event }) => event === name);
  }

  get log(): { readonly durable: number; readonly signed: number } {
    return this.agent.status().log;
  }

  get receipted(): number {
    return this.agent.status().nodes[0]?.receiptedSize ?? 0;
  }

  stop(): Promise<void> {
    this.#stopped ??= this.agent.stop().then(() => this.key.close());
    return this.#stopped;
  }
}

export interface AgentMore {
  readonly nodes?: readonly NodeAt[];
  readonly checkpointSeconds?: number;
  /** More devices, as YAML. */
  readonly devices?: readonly string[];
}

/** The configuration in the gateway's folder, and lines of its own as another process has them. */
export function signingConfig(
  gateway: string,
  line: string,
  { nodes = [], devices = [], checkpointSeconds = 0.2 }: AgentMore = {},
): { readonly config: AgentConfig; readonly terms: KeyTerms } {
  const file = join(gateway, "agent.yaml");
  const listed = nodes.map(({ url, key, more = "" }) => `{url: "${url}", key: "${key}"${more}}`);
  const all = [
    `{id: feeder, driver: coprocessor, line: "${line}", timeoutMs: 200, intervalMs: 200}`,
    ...devices,
  ];
  writeFileSync(
    file,
    `{network: ${NETWORK}, key: k, journal: journal.sqlite, intervalSeconds: 1, commitSeconds: 0.1, checkpointSeconds: ${checkpointSeconds},
      signer: {coprocessor: "${line}"}, devices: [${all.join(", ")}], nodes: [${listed.join(", ")}]}\n`,
  );
  const lines = new CoprocessorLines(undefined, { timeoutMs: 150, attempts: 2 });
  return { config: loadAgentConfig(file, catalogueOver(lines)), terms: { lines, ...QUICK } };
}

function catalogueOver(lines: CoprocessorLines): DriverCatalogue {
  return catalogueOf([coprocessorDriverOver(lines)], {
    names: driverCatalogue.names,
    load: (name) => driverCatalogue.find(name),
  });
}
