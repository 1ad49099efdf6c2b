import { type VerifiedImage, verifyImage } from "../../../firmware-bridge/image/verify-image.ts";
import { bootCheck } from "../../../firmware-bridge/simulated/bootloader.ts";
import {
  type MicrocontrollerOptions,
  SimulatedMicrocontroller,
} from "../../../firmware-bridge/simulated/microcontroller.ts";
import type { GroupHandler } from "../../../firmware-bridge/simulated/smp-server.ts";
import { smpMap } from "../../../firmware-bridge/smp/cbor.ts";
import { SmpConnection } from "../../../firmware-bridge/smp/connection.ts";
import { GROUP } from "../../../firmware-bridge/smp/message.ts";
import type {
  UpdateEvent,
  UpdateResult,
  UpdateSettings,
  UpdateTimes,
} from "../../../firmware-bridge/update/settings.ts";
import type { Connect } from "../../../firmware-bridge/update/target.ts";
import { updateFirmware } from "../../../firmware-bridge/update/update.ts";
import { publicKeyOf, SEED } from "../image/build.ts";
import { lineTo, type Wire } from "../smp/kit.ts";
import { NEW, OLD, OTHER } from "./kit-images.ts";

const TRUST = { publicKey: publicKeyOf(SEED), variant: "digest" } as const;

export function verified(image: Uint8Array): VerifiedImage {
  return verifyImage(image, TRUST);
}

/** Of {@link NEW}. */
export const HASH: Uint8Array = verified(NEW).digest;
/** What group 0 answers of its parameters: the lengths of its buffers. */
export const PARAMETERS: Readonly<Record<6, ReturnType<typeof smpMap>>> = {
  6: smpMap({ buf_size: 384, buf_count: 4 }),
};

export function microcontroller(options: Partial<MicrocontrollerOptions> = {}): SimulatedMicrocontroller {
  const verifies = bootCheck({ publicKeys: [TRUST.publicKey], variant: "digest" });
  return new SimulatedMicrocontroller({ image: OLD, slotBytes: 16 * 1024, verifies, ...options });
}

/** Whatever answers bytes with bytes. */
export interface Answering {
  receive(bytes: Uint8Array): Uint8Array;
}

/** Short where a loss is to be noticed: nothing that answers in this process is late, whatever else the machine does. */
export const QUICK_CONNECTION = { timeoutMs: 6, attempts: 2 } as const;
export const QUICK: UpdateTimes = { settleMs: 0, pollMs: 1, repeatMs: 10, returnMs: 20_000, firstPieceMs: 6 };

export function connectTo(mcu: Answering, wire: Wire = {}): Connect {
  return () =>
    SmpConnection.over(
      lineTo((bytes) => mcu.receive(bytes), wire),
      QUICK_CONNECTION,
    );
}

export type Told = Partial<UpdateSettings> & { readonly wire?: Wire };

/** An update to {@link NEW}, on short times. */
export function update(mcu: Answering, { wire, ...settings }: Told = {}): Promise<UpdateResult> {
  const { times, ...others } = settings;
  return updateFirmware({
    connect: connectTo(mcu, wire),
    image: verified(NEW),
    ...others,
    times: { ...QUICK, ...times },
  });
}

/** The stages that an update goes through. */
export function recorder(): { readonly stages: string[]; readonly onEvent: (event: UpdateEvent) => void } {
  const stages: string[] = [];
  const onEvent = (event: UpdateEvent): void => {
    if (event.kind === "stage") stages.push(event.stage);
    if (event.kind === "going-back") stages.push(event.kind);
  };
  return { stages, onEvent };
}

const NAMES = [
  ["old", OLD],
  ["new", NEW],
  ["other", OTHER],
] as const;

/** "old none": which image is in slot 0, byte for byte and verified, and what the next reset will do. */
export function seen(mcu: SimulatedMicrocontroller): string {
  const flash = mcu.slots.flash(0);
  const [name = "neither", image] = NAMES.find(([, one]) => startsWith(flash, one)) ?? [];
  if (image !== undefined) verified(flash.slice(0, image.length));
  return `${name} ${mcu.slots.swap}`;
}

function startsWith(flash: Uint8Array, image: Uint8Array): boolean {
  return Buffer.from(flash.subarray(0, image.length)).equals(image);
}

/** A microcontroller with one of its own groups 0, which resets when `resets` is called. */
export function ownSystem(
  answers: (resets: () => void) => Readonly<Record<number, ReturnType<GroupHandler>>>,
): SimulatedMicrocontroller {
  const handler: GroupHandler = ({ command }) => {
    const known = answers(() => mcu.restart());
    return command in known ? known[command] : smpMap({ rc: 8 });
  };
  const mcu = microcontroller({ groups: new Map([[GROUP.os, handler]]) });
  return mcu;
}

/** The code of what it fails with; "done" otherwise. */
export async function codeOf(work: Promise<unknown>): Promise<string> {
  try {
    await work;
    return "done";
  } catch (error) {
    return error instanceof Error && "code" in error ? String(error.code) : String(error);
  }
}
