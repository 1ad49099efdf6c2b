import { homedir, hostname } from "node:os";
import { stringify } from "yaml";
import { z } from "zod";
import { readDeviceKey } from "../../runtime/key-file.ts";
import { isLoopback } from "../../runtime/loopback.ts";
import { readCredentials, readToken } from "../outlet/secret-file.ts";
import { fromConfig } from "../outlet/settings.ts";
import { isPrivateAddress, REMOVED, type Replacement, writtenForms } from "./support-bundle-redact.ts";

/** What a bundle needs of a configuration, which may be wrong in any other way. */
export interface LooseConfig {
  readonly key?: string | undefined;
  readonly journal?: string | undefined;
  readonly site?:
    | { readonly name?: string | undefined; readonly consentReference?: string | undefined }
    | undefined;
  readonly nodes: readonly { readonly url: string; readonly key: string }[];
  readonly devices: readonly { readonly host?: string | undefined; readonly line?: string | undefined }[];
  readonly signer?: { readonly coprocessor?: string | undefined } | undefined;
  readonly http?: LooseHttp | undefined;
  readonly mqtt?:
    | { readonly url?: string | undefined; readonly credentialsFile?: string | undefined }
    | undefined;
}

interface LooseHttp {
  readonly host?: string | undefined;
  readonly names?: readonly string[] | undefined;
  readonly tokenFile?: string | undefined;
}

const text = z.string().optional().catch(undefined);
const looseSchema: z.ZodType<LooseConfig> = z.looseObject({
  key: text,
  journal: text,
  site: z.looseObject({ name: text, consentReference: text }).optional().catch(undefined),
  nodes: z.array(z.looseObject({ url: z.string(), key: z.string() })).catch([]),
  devices: z.array(z.looseObject({ host: text, line: text })).catch([]),
  signer: z.looseObject({ coprocessor: text }).optional().catch(undefined),
  http: z
    .looseObject({ host: text, names: z.array(z.string()).optional().catch(undefined), tokenFile: text })
    .optional()
    .catch(undefined),
  mqtt: z.looseObject({ url: text, credentialsFile: text }).optional().catch(undefined),
});

/** A configuration as far as it can be read; without anything where it is no YAML of keys and values. */
export function looseConfig(value: unknown): LooseConfig {
  const result = looseSchema.safeParse(value);
  return result.success ? result.data : looseSchema.parse({});
}

/** Every secret that the configuration leads to, in every form that it could be written in; none where none is readable. */
export function secretsOf(config: LooseConfig, configPath: string): Replacement[] {
  const { key, http, mqtt } = config;
  const secrets = [
    ...tried(() => keySecrets(fromConfig(configPath, key ?? ""))),
    ...tried(() => textForms(readToken(fromConfig(configPath, http?.tokenFile ?? "")))),
    ...tried(() => textForms(readCredentials(fromConfig(configPath, mqtt?.credentialsFile ?? "")).password)),
    ...urlsOf(config).flatMap(urlSecrets),
  ];
  return secrets.map((text) => ({ text, by: REMOVED }));
}

function tried(read: () => string[]): string[] {
  try {
    return read();
  } catch {
    // What this user cannot read cannot get into the bundle either.
    return [];
  }
}

function keySecrets(path: string): string[] {
  const key = readDeviceKey(path);
  return [...("seed" in key ? writtenForms(key.seed) : []), ...writtenForms(key.saltKey)];
}

function textForms(text: string): string[] {
  const escaped = JSON.stringify(text).slice(1, -1);
  return [text, escaped, encodeURIComponent(text), ...writtenForms(Buffer.from(text, "utf8"))];
}

function urlsOf({ nodes, mqtt }: LooseConfig): URL[] {
  const texts = [...nodes.map(({ url }) => url), ...(mqtt?.url === undefined ? [] : [mqtt.url])];
  return texts.flatMap((text) => (URL.canParse(text) ? [new URL(text)] : []));
}

/** Tokens stand in queries and in names; what stands behind "=" is the token. */
function urlSecrets({ username, password, search, searchParams }: URL): string[] {
  const parts = [username, password, search.slice(1), ...searchParams.values()];
  return parts.filter((part) => part !== "").flatMap(textForms);
}

/** Names of people and places: kept only where the owner says so. */
export function privateTexts(config: LooseConfig): Replacement[] {
  const { site } = config;
  const names = [...new Set(hostsOf(config))].map((host, at) => ({
    text: host,
    by: `host-${at + 1}`,
    word: true,
  }));
  return [
    ...names,
    ...(site?.name === undefined ? [] : [{ text: site.name, by: REMOVED }]),
    ...(site?.consentReference === undefined ? [] : [{ text: site.consentReference, by: REMOVED }]),
    { text: homedir(), by: "~" },
  ];
}

function hostsOf(config: LooseConfig): string[] {
  const { devices, http, signer } = config;
  const lines = [...devices.map(({ line }) => line), signer?.coprocessor].flatMap((line) =>
    line?.startsWith("tcp:") && URL.canParse(line) ? [new URL(line)] : [],
  );
  const all = [
    ...[...urlsOf(config), ...lines].map((url) => url.hostname),
    ...devices.flatMap(({ host }) => host ?? []),
    ...(http?.host === undefined ? [] : [http.host]),
    ...(http?.names ?? []),
    hostname(),
  ];
  return all.filter((host) => host !== "" && !isLoopback(host) && !isPrivateAddress(host));
}

/** Keys whose values are secrets, whatever program once wanted them; those of paths only say where one is. */
const SECRET_KEY = /pass|secret|token|credential|passphrase|\bpin\b|psk|auth|private|seed|salt|api_?key/i;

/** The configuration as YAML again: without comments, and without the values of keys that sound like a secret. */
export function shownConfig(value: unknown): string {
  return stringify(withoutSecrets(value, []));
}

function withoutSecrets(value: unknown, path: readonly string[]): unknown {
  if (Array.isArray(value)) return value.map((item) => withoutSecrets(item, path));
  if (typeof value === "object" && value !== null)
    return Object.fromEntries(
      Object.entries(value).map(([key, inner]) => [key, withoutSecrets(inner, [...path, key])]),
    );
  return isSecret(path) ? REMOVED : value;
}

function isSecret(path: readonly string[]): boolean {
  const key = path.at(-1) ?? "";
  if (key.endsWith("File")) return false;
  // `key` at the top is a path and a node's is public; a device's would be what decrypts its telegrams.
  return SECRET_KEY.test(key) || (path[0] === "devices" && /key$/i.test(key));
}
