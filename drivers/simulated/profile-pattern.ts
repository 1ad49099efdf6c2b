/** A text that a regular expression matches; undefined where none was found. */
export function textLike(pattern: string, repeats: number): string | undefined {
  try {
    const text = new PatternReader(pattern, repeats).read();
    return new RegExp(pattern, "u").test(text) ? text : undefined;
  } catch (error) {
    if (error instanceof Unreadable || error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/** Something that a text cannot simply be made for, such as a look-ahead. */
class Unreadable extends Error {}

/** Characters that are tried for a class, most likely ones first. */
const CHARACTERS = "0A1a2B3b456789CDEFGHIJKLMNOPQRSTUVWXYZcdefghijklmnopqrstuvwxyz-_./:+#() ";
const CLASSES: Readonly<Record<string, string>> = { d: "0", w: "A", s: " ", D: "A", W: "-", S: "A" };

/**
 * Reads a regular expression (ECMAScript, flag u) from left to right and writes the plainest text for it: the first
 * alternative, and `repeats` of what may be there any number of times.
 */
class PatternReader {
  readonly #pattern: string;
  readonly #repeats: number;
  #at = 0;

  constructor(pattern: string, repeats: number) {
    this.#pattern = pattern;
    this.#repeats = repeats;
  }

  read(): string {
    const text = this.#alternatives();
    if (this.#at < this.#pattern.length) throw new Unreadable("unbalanced");
    return text;
  }

  #alternatives(): string {
    const first = this.#sequence();
    while (this.#take("|")) this.#sequence();
    return first;
  }

  #sequence(): string {
    let text = "";
    while (this.#at < this.#pattern.length && !"|)".includes(this.#peek())) {
      const one = this.#atom();
      text += one.repeat(this.#count());
    }
    return text;
  }

  #atom(): string {
    const character = this.#next();
    switch (character) {
      case "^":
      case "$":
        return "";
      case ".":
        return "A";
      case "(":
        return this.#group();
      case "[":
        return this.#class();
      case "\\":
        return this.#escape();
      default:
        return character;
    }
  }

  #group(): string {
    if (this.#take("?")) {
      if (this.#peek() === "<" && !"=!".includes(this.#pattern[this.#at + 1] ?? "=")) this.#until(">");
      else if (!this.#take(":")) throw new Unreadable("look-around");
    }
    const text = this.#alternatives();
    if (!this.#take(")")) throw new Unreadable("open group");
    return text;
  }

  /** The first character that the class, tried by itself, takes. */
  #class(): string {
    const from = this.#at - 1;
    while (this.#peek() !== "]") if (this.#next() === "\\") this.#next();
    this.#next();
    const alone = new RegExp(`^${this.#pattern.slice(from, this.#at)}$`, "u");
    const found = [...CHARACTERS].find((character) => alone.test(character));
    if (found === undefined) throw new Unreadable("class");
    return found;
  }

  #escape(): string {
    const character = this.#next();
    if (character === "b" || character === "B") return "";
    if (/[1-9kpPcux]/.test(character)) throw new Unreadable("escape");
    return CLASSES[character] ?? character;
  }

  /** How often the atom before is written. */
  #count(): number {
    const count = this.#quantity();
    if (count !== undefined) this.#take("?");
    return count ?? 1;
  }

  #quantity(): number | undefined {
    if (this.#take("*")) return this.#repeats;
    if (this.#take("+")) return Math.max(1, this.#repeats);
    if (this.#take("?")) return Math.min(1, this.#repeats);
    if (!this.#take("{")) return undefined;
    const [least = "0", most] = this.#until("}").split(",");
    return most === undefined
      ? Number(least)
      : Math.max(Number(least), Math.min(this.#repeats, Number(most || 99)));
  }

  #until(end: string): string {
    const stop = this.#pattern.indexOf(end, this.#at);
    if (stop < 0) throw new Unreadable("open");
    const text = this.#pattern.slice(this.#at, stop);
    this.#at = stop + 1;
    return text;
  }

  #take(character: string): boolean {
    if (this.#peek() !== character) return false;
    this.#at += 1;
    return true;
  }

  #peek(): string {
    return this.#pattern[this.#at] ?? "";
  }

  #next(): string {
    const character = this.#pattern[this.#at];
    if (character === undefined) throw new Unreadable("end");
    this.#at += 1;
    return character;
  }
}
