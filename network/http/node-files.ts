import type { NodeConfig } from "../config.ts";
import type { WebServer } from "../listen.ts";
import { readTls, renewTls, type TlsMaterial } from "./tls-files.ts";
import { readTokens, type Tokens } from "./tokens.ts";

interface Contents {
  readonly tokens: Tokens | undefined;
  readonly listenTls: TlsMaterial | undefined;
  readonly httpTls: TlsMaterial | undefined;
}

/** Tokens and certificates, as the files had them when they were last read. */
export class NodeFiles {
  readonly #config: NodeConfig;
  #contents: Contents;

  /** Throws `config-tls` or `config-tokens`. */
  constructor(config: NodeConfig) {
    this.#config = config;
    this.#contents = contentsOf(config);
  }

  get tokens(): Tokens | undefined {
    return this.#contents.tokens;
  }

  get listenTls(): TlsMaterial | undefined {
    return this.#contents.listenTls;
  }

  get httpTls(): TlsMaterial | undefined {
    return this.#contents.httpTls;
  }

  /** Reads all of them again, and has the servers show the new certificates. Throws as the constructor does. */
  reload(servers: { readonly stream: WebServer; readonly questions: WebServer }): void {
    const contents = contentsOf(this.#config);
    if (contents.listenTls !== undefined) renewTls(servers.stream, contents.listenTls);
    if (contents.httpTls !== undefined) renewTls(servers.questions, contents.httpTls);
    this.#contents = contents;
  }
}

function contentsOf({ listen, http }: NodeConfig): Contents {
  return {
    tokens: http.tokens === undefined ? undefined : readTokens(http.tokens),
    listenTls: listen.tls === undefined ? undefined : readTls(listen.tls, "listen.tls"),
    httpTls: http.tls === undefined ? undefined : readTls(http.tls, "http.tls"),
  };
}
