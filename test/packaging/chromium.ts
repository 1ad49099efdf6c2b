import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Readable, Writable } from "node:stream";

/** Where Debian and others put it. */
const PLACES = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];
const FLAGS = [
  ...["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"],
  ...["--disable-background-networking", "--disable-component-update", "--disable-sync"],
  ...["--disable-dev-shm-usage", "--remote-debugging-pipe"],
];
const COMMAND_MS = 20_000;
const UNTIL_MS = 25_000;

/** The browser's program, or undefined where none is installed. */
export const CHROMIUM: string | undefined = PLACES.find((place) => existsSync(place));

type Fields = Readonly<Record<string, unknown>>;

interface Answer {
  readonly id?: number;
  readonly method?: string;
  readonly params?: Fields;
  readonly result?: Fields;
  readonly error?: { readonly message: string };
}

interface Waiting {
  readonly resolve: (result: Fields) => void;
  readonly reject: (error: Error) => void;
}

/**
 * One page of a headless browser with a profile of its own, over the DevTools protocol: JSON, each message ended by
 * a zero byte, through descriptors 3 and 4, so that no port is opened.
 */
export class Browser {
  /** Every event that the browser reported, in order. */
  readonly events: { readonly method: string; readonly params: Fields }[] = [];
  readonly #child: ChildProcess;
  readonly #profile: string;
  readonly #waiting = new Map<number, Waiting>();
  #received = "";
  #sent = 0;
  #sessionId: string | undefined;

  private constructor(program: string) {
    this.#profile = mkdtempSync(join(tmpdir(), "kilowitness-chromium-"));
    this.#child = spawn(program, [...FLAGS, `--user-data-dir=${this.#profile}`], {
      stdio: ["ignore", "ignore", "ignore", "pipe", "pipe"],
    });
    const output = this.#child.stdio[4] as Readable; // piped above
    output.setEncoding("utf8").on("data", (text: string) => this.#receive(text));
    this.#child.on("exit", () => this.#failAll("the browser ended"));
    this.#child.on("error", (error) => this.#failAll(error.message));
  }

  static async start(program: string): Promise<Browser> {
    const browser = new Browser(program);
    const { targetId } = await browser.command("Target.createTarget", { url: "about:blank" });
    const { sessionId } = await browser.command("Target.attachToTarget", { targetId, flatten: true });
    browser.#sessionId = String(sessionId);
    for (const domain of ["Page", "Network", "Runtime", "Log", "DOM"])
      await browser.command(`${domain}.enable`);
    return browser;
  }

  /** Sends a command and gives its result; ends at its own deadline. */
  async command(method: string, params: Fields = {}): Promise<Fields> {
    this.#sent += 1;
    const id = this.#sent;
    const { promise, resolve, reject } = Promise.withResolvers<Fields>();
    this.#waiting.set(id, { resolve, reject });
    const timer = setTimeout(() => reject(new Error(`${method}: no answer`)), COMMAND_MS);
    const session = this.#sessionId === undefined ? {} : { sessionId: this.#sessionId };
    (this.#child.stdio[3] as Writable).write(`${JSON.stringify({ id, method, params, ...session })}\0`);
    return await promise.finally(() => {
      clearTimeout(timer);
      this.#waiting.delete(id);
    });
  }

  /** Opens an address, from a blank page so that a fragment alone is a new visit, too. */
  async open(url: string): Promise<void> {
    await this.command("Page.navigate", { url: "about:blank" });
    await this.command("Page.navigate", { url });
    await this.until("document.readyState === 'complete' && location.href !== 'about:blank'");
  }

  /** What an expression says in the page; a promise is awaited. */
  async evaluate(expression: string): Promise<unknown> {
    const given = { expression, awaitPromise: true, returnByValue: true };
    const { result, exceptionDetails } = await this.command("Runtime.evaluate", given);
    if (exceptionDetails !== undefined) throw new Error(`${expression}: ${JSON.stringify(exceptionDetails)}`);
    return (result as { readonly value?: unknown }).value; // as the protocol describes Runtime.evaluate
  }

  /** Waits until an expression is true in the page. */
  async until(expression: string): Promise<void> {
    const deadline = Date.now() + UNTIL_MS;
    while ((await this.evaluate(expression)) !== true) {
      if (Date.now() > deadline) throw new Error(`never true: ${expression}`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  /** Sets the files of a file field as a person's choice would. */
  async choose(selector: string, files: readonly string[]): Promise<void> {
    const { root } = await this.command("DOM.getDocument");
    const { nodeId: from } = root as { readonly nodeId: number }; // as the protocol describes DOM.getDocument
    const { nodeId } = await this.command("DOM.querySelector", { nodeId: from, selector });
    await this.command("DOM.setFileInputFiles", { nodeId, files });
  }

  async end(): Promise<void> {
    const exited = this.#child.exitCode === null ? once(this.#child, "exit") : undefined;
    await this.command("Browser.close").catch(() => this.#child.kill("SIGKILL"));
    await exited;
    rmSync(this.#profile, { recursive: true, force: true, maxRetries: 5 });
  }

  #receive(text: string): void {
    const parts = `${this.#received}${text}`.split("\0");
    this.#received = parts.pop() ?? "";
    for (const part of parts) this.#take(JSON.parse(part));
  }

  #take(answer: Answer): void {
    if (answer.method !== undefined) this.events.push({ method: answer.method, params: answer.params ?? {} });
    const waiting = this.#waiting.get(answer.id ?? 0);
    if (answer.error !== undefined) waiting?.reject(new Error(answer.error.message));
    else waiting?.resolve(answer.result ?? {});
  }

  #failAll(reason: string): void {
    for (const { reject } of this.#waiting.values()) reject(new Error(reason));
  }
}
