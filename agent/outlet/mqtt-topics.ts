/** A device's key says which agent it is; so many of its hexadecimal digits tell agents of one broker apart. */
const ID_DIGITS = 16;
const MOST_CHARACTERS = 64;

/** Where an agent's messages go. */
export class Topics {
  readonly agentId: string;
  readonly #base: string;

  /** @param deviceKey hexadecimal */
  constructor(first: string, deviceKey: string) {
    this.agentId = deviceKey.slice(0, ID_DIGITS);
    this.#base = `${first}/${this.agentId}`;
  }

  /** "online", or "offline" as the agent's last will. */
  get status(): string {
    return `${this.#base}/status`;
  }

  availability(device: string): string {
    return `${this.#base}/${device}/availability`;
  }

  state(device: string, channel: string): string {
    return `${this.#base}/${device}/${channel}/state`;
  }
}

/** Names of channels as levels of topics and parts of Home Assistant's ids: a-z 0-9 _ -, each another one. */
export function topicNames(channels: readonly string[]): ReadonlyMap<string, string> {
  const names = new Map<string, string>();
  const taken = new Set<string>();
  for (const channel of channels) {
    const plain =
      channel
        .toLowerCase()
        .replace(/[^a-z0-9_-]+/g, "_")
        .slice(0, MOST_CHARACTERS) || "_";
    let name = plain;
    for (let number = 2; taken.has(name); number += 1) name = `${plain}_${number}`;
    taken.add(name);
    names.set(channel, name);
  }
  return names;
}
