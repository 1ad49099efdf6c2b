import { createHash } from "node:crypto";
import { equalBytes } from "../../attest/bytes.ts";
import { type SmpMap, type SmpValue, smpMap } from "../smp/cbor.ts";
import type { ImageSlots, SlotNumber } from "./image-slots.ts";
import type { GroupError, GroupHandler, GroupRequest } from "./smp-server.ts";

/** What goes otherwise than in Zephyr's own server. */
export interface ImageCommandsOptions {
  /** MCUboot's recovery: uploads into slot 0, ignores `sha`, tells no flags, and sets no state. */
  readonly recovery: boolean;
  /** The recovery lists hash and flags as well, as BOOT_SERIAL_IMG_GRP_IMAGE_STATE has it, and sets states. */
  readonly recoveryStates: boolean;
  /** Length of the hash that the firmware is built for; others are refused. */
  readonly hashBytes: number;
  readonly resumes: boolean;
  /** How many bytes of a piece are taken. */
  readonly accepted: (pieceBytes: number, offset: number) => number;
  /** Whether the running image may be confirmed now; what makes it false has taken the power away. */
  readonly powered: (request: GroupRequest) => boolean;
}

const COMMAND = { state: 0, upload: 1, erase: 5 } as const;

const ERROR = {
  noFreeSlot: { rc: 9, commonRc: 6 },
  hashNotFound: { rc: 8, commonRc: 1 },
  invalidSlot: { rc: 14, commonRc: 3 },
  noOffset: { rc: 20, commonRc: 3 },
  noLength: { rc: 21, commonRc: 3 },
  shortHeader: { rc: 22, commonRc: 3 },
  badMagic: { rc: 23, commonRc: 1 },
  badHash: { rc: 24, commonRc: 3 },
  alreadyPending: { rc: 28, commonRc: 6 },
  tooLarge: { rc: 30, commonRc: 1 },
  overrun: { rc: 31, commonRc: 1 },
  testActive: { rc: 33, commonRc: 1 },
} as const satisfies Readonly<Record<string, GroupError>>;

const NOT_SUPPORTED: SmpMap = smpMap({ rc: 8 });
const HEADER_BYTES = 32;
const MAGIC = Uint8Array.of(0x3d, 0xb8, 0xf3, 0x96);
const NO_BYTES = new Uint8Array(0);

/** Of the memory that a reset clears. */
interface UploadState {
  readonly length: number;
  readonly sha: Uint8Array;
  offset: number;
}

/**
 * Group 1 of a simulated microcontroller. Source: zephyrproject-rtos/zephyr
 * subsys/mgmt/mcumgr/grp/img_mgmt/src/zephyr_img_mgmt.c, commit 03730ae, img_mgmt.c, commit 06407b7, img_mgmt_state.c,
 * commit 0014f3d; recovery: mcu-tools/mcuboot boot/boot_serial/src/boot_serial.c, commit 01562f5.
 */
export class ImageCommands {
  readonly #slots: ImageSlots;
  readonly #options: ImageCommandsOptions;
  #upload: UploadState | undefined;

  constructor(slots: ImageSlots, options: ImageCommandsOptions) {
    this.#slots = slots;
    this.#options = options;
  }

  /** What a reset forgets. */
  forget(): void {
    this.#upload = undefined;
  }

  readonly handle: GroupHandler = (request) => {
    const { operation, command, fields } = request;
    if (operation === "read") return command === COMMAND.state ? this.#list() : NOT_SUPPORTED;
    if (!this.#options.powered(request)) return undefined;
    if (command === COMMAND.upload) return this.#uploaded(fields);
    if (this.#options.recovery && !(this.#options.recoveryStates && command === COMMAND.state))
      return NOT_SUPPORTED;
    if (command === COMMAND.state) return this.#setState(fields);
    return command === COMMAND.erase ? this.#erase(fields) : NOT_SUPPORTED;
  };

  /** Where an upload goes. */
  get #target(): SlotNumber {
    return this.#options.recovery ? 0 : 1;
  }

  #list(): SmpMap {
    const images = ([0, 1] as const).flatMap((slot) => {
      const image = this.#slots.image(slot);
      if (image === undefined) return [];
      // The bootloader validates what it lists; an application only reads header and trailer.
      const { version, hash } = image;
      const { recovery, recoveryStates } = this.#options;
      if (recovery && !image.whole) return [];
      if (recovery && !recoveryStates) return [smpMap({ slot, version })];
      return [smpMap({ slot, version, hash, bootable: true, ...this.#flags(slot) })];
    });
    return smpMap({ images, splitStatus: 0 });
  }

  #flags(slot: SlotNumber): Readonly<Record<string, boolean>> {
    const { swap } = this.#slots;
    const pending = slot === 1 && (swap === "test" || swap === "permanent");
    const confirmed = swap === "revert" ? slot === 1 : slot === 0;
    return { pending, confirmed, active: slot === 0, permanent: pending && swap === "permanent" };
  }

  #setState(fields: SmpMap): SmpMap | GroupError {
    const confirm = fields.get("confirm") === true;
    const hash = bytesOf(fields.get("hash"));
    if (hash.length === 0 && !confirm) return ERROR.badHash;
    if (hash.length > 0 && hash.length !== this.#options.hashBytes) return ERROR.badHash;
    const slot = hash.length === 0 ? 0 : this.#slots.find(hash);
    if (slot === undefined) return ERROR.hashNotFound;
    return this.#setNextBoot(slot, confirm) ?? this.#list();
  }

  #setNextBoot(slot: SlotNumber, confirm: boolean): GroupError | undefined {
    const { swap } = this.#slots;
    if (!confirm && slot === 0) return ERROR.testActive;
    if (swap === "test") return !confirm && slot === 1 ? undefined : ERROR.alreadyPending;
    if (swap === "permanent") return confirm && slot === 1 ? undefined : ERROR.alreadyPending;
    if (swap === "revert" && !confirm) return ERROR.alreadyPending;
    if (slot === 0) this.#slots.confirm();
    // After a test the other slot is confirmed already: it is the way back.
    else if (swap === "none") this.#slots.setPending(confirm ? "permanent" : "test");
    return undefined;
  }

  #erase(fields: SmpMap): SmpMap | GroupError {
    const slot = fields.get("slot") ?? 1;
    if (slot !== 0 && slot !== 1) return ERROR.invalidSlot;
    if (slot === 0 || this.#slots.swap !== "none") return ERROR.noFreeSlot;
    this.#slots.erase(slot);
    this.#upload = undefined;
    return smpMap({});
  }

  #uploaded(fields: SmpMap): SmpMap | GroupError {
    const offset = fields.get("off");
    const data = bytesOf(fields.get("data"));
    if (typeof offset !== "number") return ERROR.noOffset;
    const answer = offset === 0 ? this.#begin(fields, data) : undefined;
    if (answer !== undefined) return answer;
    const state = this.#upload;
    if (state === undefined || state.offset !== offset) return smpMap({ off: state?.offset ?? 0 });
    if (offset + data.length > state.length) return ERROR.overrun;
    return this.#store(state, data);
  }

  /** Undefined where the upload may go on, from its beginning or from where it was broken off. */
  #begin(fields: SmpMap, data: Uint8Array): SmpMap | GroupError | undefined {
    const length = fields.get("len");
    const sha = bytesOf(fields.get("sha"));
    if (data.length < HEADER_BYTES) return ERROR.shortHeader;
    if (typeof length !== "number") return ERROR.noLength;
    if (!equalBytes(data.subarray(0, MAGIC.length), MAGIC)) return ERROR.badMagic;
    if (this.#options.resumes && sha.length > 0 && equalBytes(this.#upload?.sha ?? NO_BYTES, sha))
      return undefined;
    if (!this.#options.recovery && this.#slots.swap !== "none") return ERROR.noFreeSlot;
    if (length > this.#slots.slotBytes) return ERROR.tooLarge;
    // As with CONFIG_IMG_ENABLE_IMAGE_CHECK: what is there already is not written again.
    if (this.#options.resumes && this.#matches(length, sha)) return smpMap({ off: length, match: true });
    this.#slots.erase(this.#target);
    this.#upload = { length, sha, offset: 0 };
    return undefined;
  }

  #store(state: UploadState, data: Uint8Array): SmpMap {
    const bytes = this.#options.accepted(data.length, state.offset);
    this.#slots.write(this.#target, state.offset, data.subarray(0, bytes));
    state.offset += bytes;
    if (state.offset < state.length || this.#options.recovery) return smpMap({ off: state.offset });
    this.#upload = undefined;
    const match = state.sha.length > 0 ? this.#matches(state.length, state.sha) : undefined;
    return smpMap({ off: state.length, match });
  }

  #matches(length: number, sha: Uint8Array): boolean {
    const stored = this.#slots.flash(this.#target).subarray(0, length);
    return equalBytes(createHash("sha256").update(stored).digest(), sha);
  }
}

function bytesOf(value: SmpValue | undefined): Uint8Array {
  return value instanceof Uint8Array ? value : NO_BYTES;
}
