import { type ChildProcess, execFile, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { eventually } from "../../kit/programs.ts";

/** Debian keeps servers where only root looks for programs. */
const ENV: NodeJS.ProcessEnv = { ...process.env, PATH: `${process.env["PATH"]}:/usr/sbin:/sbin` };
const WAIT_MS = 25_000;

export const USER = "meter";
export const PASSWORD = "correct horse";

export interface BrokerOptions {
  readonly password?: boolean;
  readonly tls?: Certificates;
}

/** A message as mosquitto_sub shows it. */
export interface Message {
  readonly topic: string;
  readonly payload: string;
}

/** A real mosquitto on a port of its own that forgets everything when it ends. */
export class Broker {
  readonly port: number;
  readonly #folder: string;
  readonly #options: BrokerOptions;
  #child: ChildProcess | undefined;

  private constructor(port: number, options: BrokerOptions) {
    this.port = port;
    this.#options = options;
    this.#folder = mkdtempSync(join(tmpdir(), "kilowitness-mqtt-"));
  }

  static async start(options: BrokerOptions = {}): Promise<Broker> {
    const broker = new Broker(await freePort(), options);
    broker.#configure();
    await broker.begin();
    return broker;
  }

  get url(): string {
    return this.#options.tls === undefined
      ? `mqtt://127.0.0.1:${this.port}`
      : `mqtts://localhost:${this.port}`;
  }

  /** Starts it, again after {@link kill}. */
  async begin(): Promise<void> {
    const child = spawn("mosquitto", ["-c", join(this.#folder, "mosquitto.conf")], {
      stdio: "ignore",
      env: ENV,
    });
    await once(child, "spawn").catch(missing);
    this.#child = child;
    await eventually("mosquitto listens", WAIT_MS, () => reachable(this.port));
  }

  signal(name: "SIGSTOP" | "SIGCONT"): void {
    this.#child?.kill(name);
  }

  async kill(): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    if (child === undefined || child.exitCode !== null) return;
    child.kill("SIGKILL");
    await once(child, "exit");
  }

  async close(): Promise<void> {
    await this.kill();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  /** The retained messages under a topic, read by mosquitto's own client: so many of them, or all that come in a second. */
  async retained(topic = "#", count = 0): Promise<ReadonlyMap<string, string>> {
    const end = count > 0 ? ["-C", String(count), "-W", "10"] : ["-W", "1"];
    const messages = await this.#subscribe(["-t", topic, "--retained-only", ...end]);
    return new Map(messages.map(({ topic: on, payload }) => [on, payload]));
  }

  /** The next messages under a topic. */
  next(topic: string, count: number): Promise<readonly Message[]> {
    return this.#subscribe(["-t", topic, "-C", String(count), "-W", "10", "-R"]);
  }

  async #subscribe(what: readonly string[]): Promise<Message[]> {
    const place = ["-h", "127.0.0.1", "-p", String(this.port), "-F", "%t %p", ...what];
    const user = this.#options.password === true ? ["-u", USER, "-P", PASSWORD] : [];
    const { stdout } = await promisify(execFile)("mosquitto_sub", [...place, ...user], { env: ENV }).catch(
      timedOut,
    );
    return stdout.split("\n").flatMap((line) => {
      const at = line.indexOf(" ");
      return at < 0 ? [] : [{ topic: line.slice(0, at), payload: line.slice(at + 1) }];
    });
  }

  #configure(): void {
    const { password, tls } = this.#options;
    const passwords = join(this.#folder, "passwords");
    if (password === true) {
      writeFileSync(passwords, "");
      chmodSync(passwords, 0o600);
      runTool("mosquitto_passwd", ["-b", passwords, USER, PASSWORD]);
    }
    const lines = [
      `listener ${this.port} 127.0.0.1`,
      // Started by root it would become another user, who may not read this folder.
      ...(process.getuid?.() === 0 ? ["user root"] : []),
      ...(password === true
        ? ["allow_anonymous false", `password_file ${passwords}`]
        : ["allow_anonymous true"]),
      ...(tls === undefined ? [] : [`certfile ${tls.certificate}`, `keyfile ${tls.key}`]),
      "persistence false",
    ];
    writeFileSync(join(this.#folder, "mosquitto.conf"), `${lines.join("\n")}\n`);
  }
}

/** mosquitto_sub ends with 27 when the time is over that it was given; what it has printed counts. */
function timedOut(cause: unknown): { readonly stdout: string } {
  const { code, stdout } = cause as { readonly code?: unknown; readonly stdout?: unknown };
  if (code === 27 && typeof stdout === "string") return { stdout };
  if (code === "ENOENT") return missing();
  throw cause;
}

function missing(): never {
  throw new Error("mosquitto is not installed: apt-get install mosquitto mosquitto-clients");
}

function runTool(name: string, args: readonly string[]): void {
  try {
    execFileSync(name, args, { env: ENV, stdio: "pipe" });
  } catch (cause) {
    const { code } = cause as { readonly code?: unknown };
    if (code !== "ENOENT") throw cause;
    throw new Error(`${name} is not installed: apt-get install mosquitto mosquitto-clients openssl`);
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  return typeof address === "object" && address !== null ? address.port : 0;
}

function reachable(port: number): Promise<true | undefined> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    socket.on("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.on("error", () => resolve(undefined));
  });
}

/** Paths of PEM files. */
export interface Certificates {
  readonly authority: string;
  readonly certificate: string;
  readonly key: string;
}

/** An authority, and a certificate for "localhost" that it signed. */
export function makeCertificates(folder: string): Certificates {
  const at = (name: string): string => join(folder, name);
  const curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"];
  const openssl = (...args: readonly string[]): void => runTool("openssl", args);
  openssl(
    "req",
    "-x509",
    ...curve,
    "-keyout",
    at("ca.key"),
    "-out",
    at("ca.pem"),
    "-subj",
    "/CN=Test authority",
  );
  openssl(
    "req",
    ...curve.slice(0, -2),
    "-keyout",
    at("broker.key"),
    "-out",
    at("broker.csr"),
    "-subj",
    "/CN=localhost",
  );
  writeFileSync(at("san"), "subjectAltName=DNS:localhost\n");
  const signed = ["-CA", at("ca.pem"), "-CAkey", at("ca.key"), "-CAcreateserial", "-extfile", at("san")];
  openssl("x509", "-req", "-in", at("broker.csr"), ...signed, "-days", "2", "-out", at("broker.pem"));
  return { authority: at("ca.pem"), certificate: at("broker.pem"), key: at("broker.key") };
}
