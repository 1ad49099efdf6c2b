import { generateKeyPairSync } from "node:crypto";
import { closeSync, existsSync, openSync, readFileSync, rmSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { describeProblem, Problem } from "../../attest/problem.ts";
import type { BootVariant } from "../../firmware-bridge/simulated/bootloader.ts";
import {
  type FlashContent,
  type FlashKeeper,
  type SlotNumber,
  type SwapType,
  slotOf,
} from "../../firmware-bridge/simulated/image-slots.ts";
import { publicKeyOf } from "../../firmware-bridge/simulated/signed-image.ts";
import { makeFolder, replaceDurably } from "../../runtime/files.ts";
import { loadOrCreateKey } from "../../runtime/key-file.ts";
import { firstImages } from "./simulate-microcontroller-images.ts";

/** What a folder is made with; later starts find it there. */
export interface FolderWish {
  readonly variant?: BootVariant;
  readonly slotBytes?: number;
}

const FORMAT = "kilowitness microcontroller 1";
const FLASH_NAMES = ["flash-a.bin", "flash-b.bin"] as const;
const DEFAULT_SLOT_BYTES = 512 * 1024;

interface State {
  readonly format: typeof FORMAT;
  readonly variant: BootVariant;
  readonly slotBytes: number;
  /** Which file is slot 0. */
  readonly primary: 0 | 1;
  readonly swap: SwapType;
  readonly starts: number;
  readonly importMwh: number;
  readonly exportMwh: number;
}

const energySchema = z.int().min(0);
const stateSchema: z.ZodType<State> = z.strictObject({
  format: z.literal(FORMAT),
  variant: z.enum(["digest", "pure"]),
  slotBytes: z.int().min(4_096),
  primary: z.literal([0, 1]),
  swap: z.enum(["none", "test", "permanent", "revert"]),
  starts: z.int().min(0),
  importMwh: energySchema,
  exportMwh: energySchema,
});

/** The files of one, by what they are for. */
export function folderPaths(
  folder: string,
): Readonly<Record<"deviceKey" | "signer" | "signerPublic" | "update", string>> {
  return {
    deviceKey: join(folder, "device.key"),
    signer: join(folder, "image-signer.pem"),
    signerPublic: join(folder, "image-signer-public.pem"),
    update: join(folder, "update.bin"),
  };
}

/**
 * What survives a reset of a simulated microcontroller, and the simulator itself: flash, key, starts and registers. What is
 * written to flash is in its file when that is done; an exchange of slots is one small file that is replaced.
 */
export class MicrocontrollerFolder implements FlashKeeper {
  readonly path: string;
  readonly seed: Uint8Array;
  /** Of the signer whose images the folder came with. */
  readonly signerPublicKey: Uint8Array;
  readonly flash: FlashContent;
  #state: State;
  readonly #files: readonly [number, number];

  private constructor(path: string, state: State) {
    const { deviceKey, signer } = folderPaths(path);
    this.path = path;
    this.#state = state;
    this.seed = loadOrCreateKey(deviceKey).key.seed;
    this.signerPublicKey = signerKeyIn(signer);
    const slots = [this.#read(0), this.#read(1)] as const;
    this.#files = [openSync(this.#file(0), "r+"), openSync(this.#file(1), "r+")];
    this.flash = { slots, swap: state.swap };
  }

  /**
   * Opens a folder, or makes it: a key, a signer of images, a first image that runs and a second one to install.
   *
   * @throws Problem `simulate-folder`
   */
  static open(path: string, wish: FolderWish): MicrocontrollerFolder {
    try {
      makeFolder(path);
      lock(path);
      const state = existsSync(statePath(path)) ? readState(path) : made(path, wish);
      requireSame(path, state, wish);
      return new MicrocontrollerFolder(path, state);
    } catch (cause) {
      if (cause instanceof Problem) throw cause;
      throw folderProblem(path, {
        got: describeProblem(cause).message,
        hint: "check the path, and who may write there",
        cause,
      });
    }
  }

  get variant(): BootVariant {
    return this.#state.variant;
  }

  /** How often the microcontroller was started, in its life. */
  get starts(): number {
    return this.#state.starts;
  }

  /** No register that was ever shown is above these. */
  get registers(): Readonly<Record<"importMwh" | "exportMwh", number>> {
    const { importMwh, exportMwh } = this.#state;
    return { importMwh, exportMwh };
  }

  update(changes: Partial<Pick<State, "starts" | "importMwh" | "exportMwh">>): void {
    this.#save({ ...this.#state, ...changes });
  }

  onBytes(slot: SlotNumber, offset: number, bytes: Uint8Array): void {
    const number = this.#fileOf(slot);
    kept(this.#file(number), () => writeSync(this.#files[number], bytes, 0, bytes.length, offset));
  }

  onSwapType(swap: SwapType): void {
    this.#save({ ...this.#state, swap });
  }

  onExchanged(swap: SwapType): void {
    this.#save({ ...this.#state, swap, primary: this.#fileOf(1) });
  }

  close(): void {
    for (const file of this.#files) closeSync(file);
    rmSync(lockPath(this.path), { force: true });
  }

  #fileOf(slot: SlotNumber): 0 | 1 {
    return slot === this.#state.primary ? 0 : 1;
  }

  #file(number: 0 | 1): string {
    return join(this.path, FLASH_NAMES[number]);
  }

  #read(slot: SlotNumber): Uint8Array {
    const path = this.#file(this.#fileOf(slot));
    const bytes = new Uint8Array(readFileSync(path));
    if (bytes.length === this.#state.slotBytes) return bytes;
    throw folderProblem(path, {
      expected: `${this.#state.slotBytes} bytes`,
      got: String(bytes.length),
      hint: "remove the folder; it is made anew",
    });
  }

  #save(state: State): void {
    this.#state = state;
    const file = statePath(this.path);
    kept(file, () => replaceDurably(file, `${JSON.stringify(state)}\n`));
  }
}

/** What was written before stays, as after a power cut. @throws Problem `simulate-folder` */
function kept(where: string, write: () => void): void {
  try {
    write();
  } catch (cause) {
    throw folderProblem(where, {
      got: describeProblem(cause).message,
      hint: "make room, or see who may write there; started again it goes on as after a power cut",
      cause,
    });
  }
}

function signerKeyIn(path: string): Uint8Array {
  try {
    return publicKeyOf(readFileSync(path, "latin1"));
  } catch (cause) {
    throw folderProblem(path, {
      expected: "the private key of the signer of its images, as PEM",
      got: describeProblem(cause).message,
      hint: "remove the folder; it is made anew",
      cause,
    });
  }
}

function made(path: string, { variant = "digest", slotBytes = DEFAULT_SLOT_BYTES }: FolderWish): State {
  const { signer, signerPublic, update } = folderPaths(path);
  const { privateKey, publicKey } = generateKeyPairSync("ed25519");
  const images = firstImages(privateKey, variant);
  writeFileSync(signer, privateKey.export({ format: "pem", type: "pkcs8" }), { mode: 0o600 });
  writeFileSync(signerPublic, publicKey.export({ format: "pem", type: "spki" }));
  writeFileSync(update, images.update);
  writeFileSync(join(path, FLASH_NAMES[0]), slotOf(slotBytes, images.running));
  writeFileSync(join(path, FLASH_NAMES[1]), slotOf(slotBytes));
  const state: State = {
    ...{ format: FORMAT, variant, slotBytes, primary: 0, swap: "none" },
    ...{ starts: 0, importMwh: 0, exportMwh: 0 },
  };
  // Last: without it the folder is made anew.
  replaceDurably(statePath(path), `${JSON.stringify(state)}\n`);
  return state;
}

function readState(path: string): State {
  const file = statePath(path);
  try {
    return stateSchema.parse(JSON.parse(readFileSync(file, "utf8")));
  } catch (cause) {
    throw folderProblem(file, {
      expected: `the state of a simulated microcontroller (${FORMAT})`,
      got: "something else",
      hint: "take another folder, or remove this one; it is made anew",
      cause,
    });
  }
}

function requireSame(path: string, state: State, wish: FolderWish): void {
  for (const name of ["variant", "slotBytes"] as const) {
    const wished = wish[name];
    if (wished === undefined || wished === state[name]) continue;
    throw folderProblem(path, {
      expected: `${name} ${state[name]}, as at its first start`,
      got: String(wished),
      hint: "leave the option out, or take another folder",
    });
  }
}

/** One simulator for each folder; a lock of a process that is gone is none. */
function lock(path: string): void {
  const file = lockPath(path);
  if (existsSync(file)) {
    const pid = Number(readFileSync(file, "latin1"));
    if (pid !== process.pid && isAlive(pid))
      throw folderProblem(path, {
        got: `process ${pid} uses it`,
        hint: `stop that one, or take another folder; where that process is something else, remove ${file}`,
      });
  }
  writeFileSync(file, String(process.pid));
}

function isAlive(pid: number): boolean {
  try {
    return Number.isSafeInteger(pid) && pid > 0 && process.kill(pid, 0) && !isZombie(pid);
  } catch (error) {
    return describeProblem(error).code === "EPERM";
  }
}

/** Dead, and nobody has waited for it: in a container without an init that stays so. */
function isZombie(pid: number): boolean {
  try {
    return /\) Z /.test(readFileSync(`/proc/${pid}/stat`, "latin1"));
  } catch {
    // Where there is no /proc, or it has ended just now, the signal has told.
    return false;
  }
}

function statePath(path: string): string {
  return join(path, "state.json");
}

function lockPath(path: string): string {
  return join(path, "running.pid");
}

function folderProblem(where: string, detail: ConstructorParameters<typeof Problem>[2]): Problem {
  return new Problem("simulate-folder", "the folder of the microcontroller cannot be used", {
    where,
    ...detail,
  });
}
