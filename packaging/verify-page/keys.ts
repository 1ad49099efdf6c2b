/** What the reader of a proof trusts, as the fields of the page say it. */
export interface Trust {
  readonly deviceKeys: readonly Uint8Array[];
  readonly nodeKeys: readonly Uint8Array[];
  /** Empty: any network. */
  readonly network: string;
}

/** A value, or one sentence that says what is wrong with the text it was to be read from. */
export type Parsed<T> = { readonly value: T } | { readonly fault: string };

const MAX_KEYS = 64;
const SHOWN_CHARACTERS = 24;

/** Reads `device:HEX` or `node:HEX`, one a line; without a role it is a device key. Empty lines say nothing. */
export function parseTrust(lines: string, network: string): Parsed<Trust> {
  const deviceKeys: Uint8Array[] = [];
  const nodeKeys: Uint8Array[] = [];
  for (const [index, line] of lines.split("\n").entries()) {
    const text = line.trim();
    if (text === "") continue;
    const match = /^(?:(device|node):)?([0-9a-f]{64})$/i.exec(text);
    if (match?.[2] === undefined) return { fault: keyFault(index + 1, text) };
    (match[1]?.toLowerCase() === "node" ? nodeKeys : deviceKeys).push(bytesOf(match[2]));
  }
  if (deviceKeys.length + nodeKeys.length > MAX_KEYS) return { fault: `More than ${MAX_KEYS} keys.` };
  return { value: { deviceKeys, nodeKeys, network: network.trim() } };
}

/** What a link fills into the fields: `#trust=device:HEX,node:HEX&network=NAME`, each part optional. */
export interface Prefilled {
  readonly lines: string;
  readonly network: string;
}

/** Reads the fragment of the page's address; a part it does not know is a fault, so that none is dropped unseen. */
export function parseFragment(fragment: string): Parsed<Prefilled> {
  const parameters = new URLSearchParams(fragment.replace(/^#/, ""));
  const names = [...parameters.keys()];
  const odd = names.find((name, at) => !["trust", "network"].includes(name) || names.indexOf(name) !== at);
  if (odd !== undefined)
    return { fault: `The link says "${shown(odd)}", which this page does not know or has seen already.` };
  const lines = (parameters.get("trust") ?? "").split(",").join("\n");
  return { value: { lines, network: parameters.get("network") ?? "" } };
}

function keyFault(line: number, text: string): string {
  return `Line ${line} is not a key: expected device: or node: and 64 hexadecimal digits, got "${shown(text)}".`;
}

function shown(text: string): string {
  return text.length <= SHOWN_CHARACTERS ? text : `${text.slice(0, SHOWN_CHARACTERS)}…`;
}

function bytesOf(hex: string): Uint8Array {
  return Uint8Array.from(hex.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
}
