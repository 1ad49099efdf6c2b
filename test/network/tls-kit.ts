import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { TlsFiles } from "../../network/http/tls-files.ts";

/** An authority of one's own, made by openssl. */
export class Authority {
  readonly #folder: string;
  readonly #name: string;

  constructor(folder: string, name = "ca") {
    this.#folder = folder;
    this.#name = name;
    const made = ["-keyout", this.#path(`${name}.key`), "-out", this.#path(`${name}.pem`)];
    openssl("req", "-x509", ...EC, "-days", "30", "-subj", `/CN=${name}`, ...made);
  }

  /** The authority's certificate, PEM. */
  get pem(): string {
    return readFileSync(this.#path(`${this.#name}.pem`), "utf8");
  }

  /** A server's certificate for 127.0.0.1 and node.example, and its key. */
  issue(server: string): TlsFiles {
    const [key, request, certificate] = ["key", "csr", "pem"].map((end) => this.#path(`${server}.${end}`));
    if (key === undefined || request === undefined || certificate === undefined)
      throw new Error("three files");
    openssl(
      "req",
      ...EC,
      "-subj",
      `/CN=${server}`,
      "-addext",
      "subjectAltName=IP:127.0.0.1,DNS:node.example",
      "-keyout",
      key,
      "-out",
      request,
    );
    const by = ["-CA", this.#path(`${this.#name}.pem`), "-CAkey", this.#path(`${this.#name}.key`)];
    openssl(
      "x509",
      "-req",
      "-in",
      request,
      ...by,
      "-days",
      "30",
      "-copy_extensions",
      "copy",
      "-out",
      certificate,
    );
    return { certificate, key };
  }

  #path(file: string): string {
    return join(this.#folder, file);
  }
}

const EC = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];

function openssl(...args: readonly string[]): void {
  execFileSync("openssl", [...args], { stdio: "pipe" });
}
