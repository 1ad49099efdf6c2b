import { REGISTER, type ReadingLeaf } from "./leaf.ts";

/**
 * A reading straight out of its bytes, with nothing made on the way: the rules of a log ask for a few numbers of it,
 * and its hash is over the bytes. This is not a second codec: it takes only what is beyond doubt and says false for
 * everything else, also for what is wrong, and leaf-codec.ts then goes the general way, which names the fault.
 */

const UINT = 0x00;
const NEGATIVE = 0x20;
const BYTES_16 = 0x50;
const ARRAY = 0x80;
const MAP = 0xa0;
const MAX_LIST = 8;
const BEST_QUALITY = 4;
const TWO_TO_32 = 0x1_0000_0000;
const GREATEST_HIGH_WORD = 0x1f_ffff;
const NOTHING: Uint8Array = new Uint8Array(0);

/** What the rules of a log ask of a reading. */
export interface ReadingFacts {
  readonly seq: number;
  readonly timeMs: number;
  readonly timeQuality: number;
  readonly channel: number;
  /** OR of its status bits; 0 when it carries none. */
  readonly status: number;
  /** OR of {@link REGISTER}: which registers it shows. */
  readonly registers: number;
  /** Meaningless unless `registers` has it. */
  readonly importMwh: number;
  readonly exportMwh: number;
  readonly hasPower: boolean;
  /** Meaningless unless `hasPower`. */
  readonly activePowerMw: number;
}

type Building = { -readonly [P in keyof ReadingLeaf]: ReadingLeaf[P] };

/** One reading at a time: what it says is true until the next call. */
export class ReadingScan implements ReadingFacts {
  seq = 0;
  timeMs = 0;
  timeQuality = 0;
  channel = 0;
  status = 0;
  registers = 0;
  importMwh = 0;
  exportMwh = 0;
  hasPower = false;
  activePowerMw = 0;
  /** Offset behind the reading. */
  end = 0;
  /** Bit k: key k is there. */
  #keys = 0;
  #stateOfChargePpm = 0;
  #frequencyMhz = 0;
  #meterTimeMs = 0;
  #resolutionMwh = 0;
  /** Where lists and the content of byte strings begin. */
  #voltageAt = 0;
  #currentAt = 0;
  #evidenceAt = 0;
  #saltAt = 0;
  #bytes = NOTHING;
  #at = 0;
  /** Keys that the map still holds; below zero once the bytes have left the narrow path. */
  #left = 0;

  /** Reads the reading that begins at `offset`, strictly; false where the general way must decide. */
  read(bytes: Uint8Array, offset: number): boolean {
    const head = bytes[offset] ?? 0;
    if (head < MAP || head >= MAP + 24) return false;
    this.#bytes = bytes;
    this.#left = head - MAP;
    this.#at = offset + 1;
    this.#keys = 0;
    const isSound = this.#readCommon() && this.#readValues();
    this.#bytes = NOTHING; // what was read may be a whole batch, and must not be kept for the sake of this
    this.end = this.#at;
    return isSound;
  }

  /** The facts of a leaf that is there as an object. */
  of(leaf: ReadingLeaf): this {
    const { importMwh, exportMwh, activePowerMw } = leaf;
    this.seq = leaf.seq;
    this.timeMs = leaf.timeMs;
    this.timeQuality = leaf.timeQuality;
    this.channel = leaf.channel;
    this.status = leaf.status ?? 0;
    this.registers =
      (importMwh === undefined ? 0 : REGISTER.import) | (exportMwh === undefined ? 0 : REGISTER.export);
    this.importMwh = importMwh ?? 0;
    this.exportMwh = exportMwh ?? 0;
    this.hasPower = activePowerMw !== undefined;
    this.activePowerMw = activePowerMw ?? 0;
    return this;
  }

  /** The leaf that {@link ReadingScan.read} has just read out of `bytes`; it keeps nothing of them. */
  leaf(bytes: Uint8Array): ReadingLeaf {
    const { seq, timeMs, timeQuality, status, channel } = this;
    const salt = copy16(bytes, this.#saltAt);
    const leaf: Building =
      status === 0
        ? { kind: "reading", seq, timeMs, timeQuality, salt, channel }
        : { kind: "reading", seq, timeMs, timeQuality, status, salt, channel };
    if (this.#has(6)) leaf.importMwh = this.importMwh;
    if (this.#has(7)) leaf.exportMwh = this.exportMwh;
    if (this.#has(8)) leaf.activePowerMw = this.activePowerMw;
    if (this.#has(9)) leaf.stateOfChargePpm = this.#stateOfChargePpm;
    if (this.#has(10)) leaf.voltageMv = this.#listAt(bytes, this.#voltageAt);
    if (this.#has(11)) leaf.currentMa = this.#listAt(bytes, this.#currentAt);
    if (this.#has(12)) leaf.frequencyMhz = this.#frequencyMhz;
    if (this.#has(13)) leaf.meterTimeMs = this.#meterTimeMs;
    if (this.#has(14)) leaf.evidence = copy16(bytes, this.#evidenceAt);
    if (this.#has(16)) leaf.resolutionMwh = this.#resolutionMwh;
    return leaf;
  }

  /** Keys 1 to 5. */
  #readCommon(): boolean {
    if (!this.#take(1)) return false;
    this.seq = this.#argument(UINT);
    if (!this.#take(2)) return false;
    this.timeMs = this.#argument(UINT);
    if (!this.#take(3)) return false;
    this.timeQuality = this.#argument(UINT);
    if (!this.#take(4)) return false;
    this.channel = this.#argument(UINT);
    const hasStatus = this.#take(5);
    this.status = hasStatus ? this.#argument(UINT) : 0;
    return this.timeQuality <= BEST_QUALITY && (!hasStatus || this.status !== 0);
  }

  /** Keys 6 to 16; true when nothing follows them. */
  #readValues(): boolean {
    this.registers = 0;
    if (this.#take(6)) {
      this.importMwh = this.#argument(UINT);
      this.registers |= REGISTER.import;
    }
    if (this.#take(7)) {
      this.exportMwh = this.#argument(UINT);
      this.registers |= REGISTER.export;
    }
    this.hasPower = this.#take(8);
    if (this.hasPower) this.activePowerMw = this.#signed();
    if (this.#take(9)) this.#stateOfChargePpm = this.#argument(UINT);
    if (this.#take(10)) this.#voltageAt = this.#passList();
    if (this.#take(11)) this.#currentAt = this.#passList();
    if (this.#take(12)) this.#frequencyMhz = this.#argument(UINT);
    if (this.#take(13)) this.#meterTimeMs = this.#argument(UINT);
    if (this.#take(14)) this.#evidenceAt = this.#passBytes16();
    if (!this.#take(15)) return false;
    this.#saltAt = this.#passBytes16();
    if (this.#take(16)) this.#resolutionMwh = this.#argument(UINT);
    return this.#left === 0;
  }

  #has(key: number): boolean {
    return (this.#keys & (1 << key)) !== 0;
  }

  #take(key: number): boolean {
    if (this.#left <= 0 || this.#bytes[this.#at] !== key) return false;
    this.#left -= 1;
    this.#at += 1;
    this.#keys |= 1 << key;
    return true;
  }

  #leave(): number {
    this.#left = -1;
    return 0;
  }

  #byte(at: number): number {
    return this.#bytes[at] ?? 0xff;
  }

  /** An integer head in its shortest form. */
  #argument(major: number): number {
    const at = this.#at;
    const info = this.#byte(at) - major;
    if (info >= 0 && info < 24) {
      this.#at = at + 1;
      return info;
    }
    if (info < 24 || info > 27) return this.#leave();
    const width = 1 << (info - 24);
    this.#at = at + 1 + width;
    if (this.#at > this.#bytes.length) return this.#leave();
    if (width === 8) return this.#long(at + 1);
    const value = width === 4 ? this.#word(at + 1) : this.#short(at + 1, width);
    return value >= (width === 4 ? 0x1_0000 : width === 2 ? 0x100 : 24) ? value : this.#leave();
  }

  #signed(): number {
    if ((this.#byte(this.#at) & 0xe0) !== NEGATIVE) return this.#argument(UINT);
    const value = -1 - this.#argument(NEGATIVE);
    return Number.isSafeInteger(value) ? value : this.#leave();
  }

  #short(at: number, width: number): number {
    return width === 1 ? this.#byte(at) : (this.#byte(at) << 8) | this.#byte(at + 1);
  }

  #word(at: number): number {
    return ((this.#short(at, 2) << 16) | this.#short(at + 2, 2)) >>> 0;
  }

  #long(at: number): number {
    const high = this.#word(at);
    if (high === 0 || high > GREATEST_HIGH_WORD) return this.#leave();
    return high * TWO_TO_32 + this.#word(at + 4);
  }

  /** Goes over a list of 1 to 8 integers; returns where it begins. */
  #passList(): number {
    const from = this.#at;
    const count = this.#byte(from) - ARRAY;
    if (count < 1 || count > MAX_LIST) return this.#leave();
    this.#at = from + 1;
    for (let i = 0; i < count && this.#left >= 0; i++) this.#argument(UINT);
    return from;
  }

  /** Goes over a byte string of 16; returns where its content begins. */
  #passBytes16(): number {
    const from = this.#at + 1;
    if (this.#byte(from - 1) !== BYTES_16 || from + 16 > this.#bytes.length) return this.#leave();
    this.#at = from + 16;
    return from;
  }

  /** The integers of a list that was gone over. */
  #listAt(bytes: Uint8Array, from: number): number[] {
    this.#bytes = bytes;
    this.#at = from + 1;
    const list = Array.from({ length: this.#byte(from) - ARRAY }, () => this.#argument(UINT));
    this.#bytes = NOTHING;
    return list;
  }
}

function copy16(bytes: Uint8Array, from: number): Uint8Array {
  const copy = new Uint8Array(16);
  for (let i = 0; i < 16; i++) copy[i] = bytes[from + i] ?? 0;
  return copy;
}
