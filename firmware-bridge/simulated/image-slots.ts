import { equalBytes } from "../../attest/bytes.ts";
import { readImage, type SimulatedImage } from "./mcuboot-image.ts";

export type SlotNumber = 0 | 1;

/** What happens at the next reset: MCUboot's swap types. */
export type SwapType = "none" | "test" | "permanent" | "revert";

const ERASED = 0xff;

/**
 * The flash of a microcontroller under MCUboot, swapping: an image runs from slot 0, an update is stored in slot 1, and a
 * reset exchanges them where a swap is pending, or back where the running image was tested and not confirmed. All of it
 * survives a reset. Source: mcu-tools/mcuboot docs/design.md, "Boot swap types".
 */
export class ImageSlots {
  readonly slotBytes: number;
  #slots: [Uint8Array, Uint8Array];
  #swap: SwapType = "none";

  constructor(running: Uint8Array, slotBytes: number) {
    this.slotBytes = slotBytes;
    this.#slots = [erased(slotBytes), erased(slotBytes)];
    this.#slots[0].set(running);
  }

  get swap(): SwapType {
    return this.#swap;
  }

  /** The bytes of a slot as they are. */
  flash(slot: SlotNumber): Uint8Array {
    return this.#slots[slot];
  }

  image(slot: SlotNumber): SimulatedImage | undefined {
    return readImage(this.#slots[slot]);
  }

  find(hash: Uint8Array): SlotNumber | undefined {
    return ([0, 1] as const).find((slot) => equalBytes(this.image(slot)?.hash ?? new Uint8Array(0), hash));
  }

  erase(slot: SlotNumber): void {
    this.#slots[slot] = erased(this.slotBytes);
  }

  write(slot: SlotNumber, offset: number, bytes: Uint8Array): void {
    this.#slots[slot].set(bytes, offset);
  }

  /** Slot 1 runs after the next reset, once or for good. */
  setPending(swap: "test" | "permanent"): void {
    this.#swap = swap;
  }

  /** What runs stays. */
  confirm(): void {
    if (this.#swap === "revert") this.#swap = "none";
  }

  /** What the bootloader does before anything runs; a broken image is never swapped in. */
  boot(): void {
    const swap = this.#swap;
    this.#swap = "none";
    if (swap === "none" || this.image(1)?.whole !== true) return;
    this.#slots = [this.#slots[1], this.#slots[0]];
    if (swap === "test") this.#swap = "revert";
  }
}

function erased(length: number): Uint8Array {
  return new Uint8Array(length).fill(ERASED);
}
