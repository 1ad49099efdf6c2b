import { concatBytes } from "../../attest/bytes.ts";
import type { ByteLine } from "../../drivers/line/line.ts";
import { type SmpMap, smpMap } from "../smp/cbor.ts";
import { GROUP, type SmpMessage } from "../smp/message.ts";
import { type FlashContent, type FlashKeeper, ImageSlots, slotOf } from "./image-slots.ts";
import type { ImageHash } from "./mcuboot-image.ts";
import { ImageCommands } from "./smp-image-commands.ts";
import { consoleLines, type GroupHandler, type GroupRequest, SmpServer } from "./smp-server.ts";

/** What a simulated microcontroller does wrong, by name. Everything here is what real firmware does. */
export type MicrocontrollerMisbehaviour =
  /** Takes half of every piece of an image. */
  | "short-accepts"
  /** Loses every fifth piece of an image, and asks for it again: success, and the offset that it expects. */
  | "wrong-offset"
  /** Every seventh request stays without an answer: done and not said, or not even heard, in turn. */
  | "silence"
  /** Every seventh answer has a wrong CRC. */
  | "bad-crc"
  /** Resets once, in the middle of the first upload. */
  | "reset-in-upload"
  /** Loses its power once, when it is to be confirmed after a test. */
  | "power-loss-between-test-and-confirm"
  /** Maps and lists end with a break instead of saying their length. */
  | "indefinite-maps"
  /** Log text before, between and after the lines of an answer. */
  | "log-noise"
  /** Begins an upload anew whatever it has. */
  | "no-resume"
  /** An image that runs and is not confirmed answers echoes with nothing. */
  | "failed-check"
  /** An image that runs and is not confirmed says nothing. */
  | "no-return"
  /** The bootloader overwrites the image that runs, and says so. */
  | "overwrite-only";

export interface MicrocontrollerOptions {
  /** The image that runs. */
  readonly image: Uint8Array;
  readonly slotBytes?: number;
  /** What is in the flash already, in the place of `image` and `slotBytes`. */
  readonly flash?: FlashContent;
  /** Told of what becomes of the flash. */
  readonly keeper?: FlashKeeper;
  /** The hash that firmware and bootloader are built for. */
  readonly hash?: ImageHash;
  /** The bootloader's check of a signature, such as {@link bootCheck}; absent: it compares hashes alone. */
  readonly verifies?: (flash: Uint8Array) => boolean;
  readonly bufferBytes?: number;
  /** The bootloader's serial recovery instead of an application. */
  readonly recovery?: boolean;
  /** The recovery lists hash and flags as the firmware does. */
  readonly recoveryStates?: boolean;
  readonly misbehaviours?: readonly MicrocontrollerMisbehaviour[];
  readonly statistics?: Readonly<Record<string, Readonly<Record<string, number | bigint>>>>;
  /** More groups, such as an application's own from 64 on, or others in place of those there are. */
  readonly groups?: ReadonlyMap<number, GroupHandler>;
}

const DEFAULT_BUFFER_BYTES = 384;
const DEFAULT_SLOT_BYTES = 256 * 1024;
const LOG = "[00:00:12.345,000] \x1b[0m<inf> meter: 230 V\r\n";
/** mcu-tools/mcuboot boot/bootutil/include/bootutil/boot_status.h, `enum mcuboot_mode`. */
const OVERWRITE_ONLY = 2;
const PROMPT = "uart:~$ ";

/** A microcontroller with an SMP server: bytes in, bytes out, no clock. Flash survives a reset, memory does not. */
export class SimulatedMicrocontroller {
  readonly slots: ImageSlots;
  /** How often it booted since it was made. */
  boots = 0;
  readonly #options: MicrocontrollerOptions;
  readonly #misbehaves: Set<MicrocontrollerMisbehaviour>;
  readonly #images: ImageCommands;
  readonly #server: SmpServer;
  #requests = 0;
  #pieces = 0;
  #resetAsked = false;

  constructor(options: MicrocontrollerOptions) {
    this.#options = options;
    this.#misbehaves = new Set(options.misbehaviours);
    const {
      recovery = false,
      recoveryStates = false,
      slotBytes = DEFAULT_SLOT_BYTES,
      hash = "sha256",
      verifies,
      keeper,
    } = options;
    const { flash = { slots: [slotOf(slotBytes, options.image), slotOf(slotBytes)], swap: "none" } } =
      options;
    const overwrites = this.#misbehaves.has("overwrite-only");
    this.slots = new ImageSlots(flash, { hash, verifies, keeper, overwrites });
    this.#images = new ImageCommands(this.slots, {
      ...{ recovery, recoveryStates },
      hashBytes: hash === "sha512" ? 64 : 32,
      resumes: !recovery && !this.#misbehaves.has("no-resume"),
      accepted: (pieceBytes) => this.#accepted(pieceBytes),
      powered: (request) => this.#powered(request),
    });
    this.#server = new SmpServer({
      groups: this.#groups(),
      bufferBytes: options.bufferBytes ?? DEFAULT_BUFFER_BYTES,
      indefiniteMaps: this.#misbehaves.has("indefinite-maps"),
      original: recovery,
    });
  }

  /** What it says to these bytes. */
  receive(bytes: Uint8Array): Uint8Array {
    return concatBytes(...this.#server.receive(bytes).map((message) => this.#react(message)));
  }

  /** As if the power had gone and come back. */
  restart(): void {
    this.#images.forget();
    this.#server.forget();
    this.slots.boot();
    this.boots += 1;
  }

  #react(message: SmpMessage): Uint8Array {
    this.#requests += 1;
    const seventh = this.#requests % 7 === 0;
    const silent = seventh && this.#misbehaves.has("silence");
    if (silent && this.#requests % 2 === 0) return new Uint8Array(0);
    const answer = this.#underTest("no-return") ? undefined : this.#server.answer(message);
    const crcError = seventh && this.#misbehaves.has("bad-crc") ? 0x0100 : 0;
    const lines = answer === undefined || silent ? [] : consoleLines(answer, crcError);
    if (this.#resetAsked) {
      this.#resetAsked = false;
      this.restart();
    }
    return this.#misbehaves.has("log-noise") ? withLog(lines) : concatBytes(...lines);
  }

  #groups(): ReadonlyMap<number, GroupHandler> {
    const groups = new Map<number, GroupHandler>();
    groups.set(GROUP.os, (request) => this.#osCommand(request));
    groups.set(GROUP.image, this.#images.handle);
    if (this.#options.recovery !== true) groups.set(GROUP.statistics, (request) => this.#statistics(request));
    return new Map([...groups, ...(this.#options.groups ?? [])]);
  }

  #osCommand({ operation, command, fields }: GroupRequest): ReturnType<GroupHandler> {
    if (command === 5 && operation === "write") {
      this.#resetAsked = true;
      return smpMap({});
    }
    // The control of the console's echo is the only other command that every recovery knows.
    if (this.#options.recovery === true) return smpMap({ rc: command === 1 ? 0 : 8 });
    if (command === 0) return smpMap({ r: this.#underTest("failed-check") ? "" : fields.get("d") });
    if (command === 8 && this.#misbehaves.has("overwrite-only")) return smpMap({ mode: OVERWRITE_ONLY });
    if (command === 6)
      return smpMap({ buf_size: this.#options.bufferBytes ?? DEFAULT_BUFFER_BYTES, buf_count: 4 });
    if (command === 7)
      return fields.get("format") === "a"
        ? smpMap({ output: "Zephyr unknown v3.7.0 arm cortex-m33 simulated Zephyr" })
        : { rc: 2, commonRc: 3 };
    return smpMap({ rc: 8 });
  }

  /** Whether the image that runs is not confirmed, and misbehaves in that way. */
  #underTest(misbehaviour: MicrocontrollerMisbehaviour): boolean {
    return this.slots.swap === "revert" && this.#misbehaves.has(misbehaviour);
  }

  #statistics({ operation, command, fields }: GroupRequest): ReturnType<GroupHandler> {
    const { statistics = {} } = this.#options;
    if (operation !== "read" || command > 1) return smpMap({ rc: 8 });
    if (command === 1) return smpMap({ stat_list: Object.keys(statistics) });
    const name = fields.get("name");
    const counters = typeof name === "string" ? statistics[name] : undefined;
    if (counters === undefined) return { rc: 2, commonRc: 1 };
    const list: SmpMap = smpMap(counters);
    return new Map(Object.entries({ name: name ?? "", fields: list }));
  }

  #accepted(pieceBytes: number): number {
    this.#pieces += 1;
    if (this.#misbehaves.has("wrong-offset") && this.#pieces % 5 === 0) return 0;
    return this.#misbehaves.has("short-accepts") ? Math.ceil(pieceBytes / 2) : pieceBytes;
  }

  /** False once where the power is lost just now; it is back when that is known. */
  #powered({ command, fields }: GroupRequest): boolean {
    const confirming = command === 0 && fields.get("confirm") === true && this.slots.swap === "revert";
    return !(
      (confirming && this.#losesPower("power-loss-between-test-and-confirm")) ||
      (command === 1 && this.#pieces === 7 && this.#losesPower("reset-in-upload"))
    );
  }

  #losesPower(misbehaviour: MicrocontrollerMisbehaviour): boolean {
    if (!this.#misbehaves.delete(misbehaviour)) return false;
    this.restart();
    return true;
  }
}

/**
 * Joins a microcontroller to its end of a line, which is opened here.
 *
 * @throws Problem `line-…`
 */
export async function attachMicrocontroller(mcu: SimulatedMicrocontroller, line: ByteLine): Promise<void> {
  await line.open({
    onBytes: (bytes) => {
      const said = mcu.receive(bytes);
      // A line that is lost meanwhile takes the answer with it.
      if (said.length > 0) line.write(said).catch(() => undefined);
    },
    onClosed: () => undefined,
  });
}

function withLog(lines: readonly Uint8Array[]): Uint8Array {
  const log = Buffer.from(LOG, "latin1");
  return concatBytes(log, ...lines.flatMap((line) => [line, log]), Buffer.from(PROMPT, "latin1"));
}
