import { equalBytes } from "../../attest/bytes.ts";
import { type ImageHash, readImage, type SimulatedImage } from "./mcuboot-image.ts";

export type SlotNumber = 0 | 1;

/** What happens at the next reset: MCUboot's swap types. */
export type SwapType = "none" | "test" | "permanent" | "revert";

/** What a flash holds. */
export interface FlashContent {
  readonly slots: readonly [Uint8Array, Uint8Array];
  readonly swap: SwapType;
}

/** Told of everything that becomes of the flash, in its order, so that it can be kept. */
export interface FlashKeeper {
  /** Bytes of a slot were written or erased. */
  onBytes(slot: SlotNumber, offset: number, bytes: Uint8Array): void;
  /** Another thing happens at the next reset. */
  onSwapType(swap: SwapType): void;
  /** The slots changed places, at once. */
  onExchanged(swap: SwapType): void;
}

export interface ImageSlotsOptions {
  /** The hash that firmware and bootloader are built for. */
  readonly hash?: ImageHash;
  /**
   * What the bootloader asks of an image before it swaps it in, given the slot: whether its signature is good. Absent: a
   * bootloader that only compares hashes.
   */
  readonly verifies?: ((flash: Uint8Array) => boolean) | undefined;
  /** A bootloader that overwrites slot 0 and keeps nothing. */
  readonly overwrites?: boolean;
  readonly keeper?: FlashKeeper | undefined;
}

const ERASED = 0xff;

/** A slot of that size with an image in it, or none. */
export function slotOf(slotBytes: number, image: Uint8Array = new Uint8Array(0)): Uint8Array {
  const slot = new Uint8Array(slotBytes).fill(ERASED);
  slot.set(image);
  return slot;
}

/**
 * The flash of a microcontroller under MCUboot, swapping: an image runs from slot 0, an update is stored in slot 1, and a
 * reset exchanges them where a swap is pending, or back where the running image was tested and not confirmed. All of it
 * survives a reset. Source: mcu-tools/mcuboot docs/design.md, "Boot swap types".
 */
export class ImageSlots {
  readonly slotBytes: number;
  readonly #options: ImageSlotsOptions;
  #slots: readonly [Uint8Array, Uint8Array];
  #swap: SwapType;

  constructor({ slots, swap }: FlashContent, options: ImageSlotsOptions = {}) {
    this.slotBytes = slots[0].length;
    this.#slots = slots;
    this.#swap = swap;
    this.#options = options;
  }

  get swap(): SwapType {
    return this.#swap;
  }

  /** The bytes of a slot as they are. */
  flash(slot: SlotNumber): Uint8Array {
    return this.#slots[slot];
  }

  image(slot: SlotNumber): SimulatedImage | undefined {
    return readImage(this.#slots[slot], this.#options.hash);
  }

  find(hash: Uint8Array): SlotNumber | undefined {
    return ([0, 1] as const).find((slot) => equalBytes(this.image(slot)?.hash ?? new Uint8Array(0), hash));
  }

  erase(slot: SlotNumber): void {
    this.write(slot, 0, slotOf(this.slotBytes));
  }

  write(slot: SlotNumber, offset: number, bytes: Uint8Array): void {
    this.#slots[slot].set(bytes, offset);
    this.#options.keeper?.onBytes(slot, offset, bytes);
  }

  /** Slot 1 runs after the next reset, once or for good. */
  setPending(swap: "test" | "permanent"): void {
    this.#setSwap(swap);
  }

  /** What runs stays. */
  confirm(): void {
    if (this.#swap === "revert") this.#setSwap("none");
  }

  /**
   * What the bootloader does before anything runs. An image that is broken or not signed is not swapped in: it is erased, and
   * what runs stays (mcu-tools/mcuboot boot/bootutil/src/loader.c, commit 2d4bacc3, `boot_validate_slot`).
   */
  boot(): void {
    const swap = this.#swap;
    if (swap === "none") return;
    if (!this.#isBootable(1)) {
      this.#setSwap("none");
      this.erase(1);
      return;
    }
    const { overwrites = false, keeper } = this.#options;
    this.#swap = swap === "test" && !overwrites ? "revert" : "none";
    this.#slots = [this.#slots[1], this.#slots[0]];
    keeper?.onExchanged(this.#swap);
    if (overwrites) this.erase(1);
  }

  #isBootable(slot: SlotNumber): boolean {
    const { verifies = () => true } = this.#options;
    return this.image(slot)?.whole === true && verifies(this.#slots[slot]);
  }

  #setSwap(swap: SwapType): void {
    this.#swap = swap;
    this.#options.keeper?.onSwapType(swap);
  }
}
