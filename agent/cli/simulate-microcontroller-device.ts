import { toHex } from "../../attest/bytes.ts";
import { nativeSigner } from "../../attest/native.ts";
import { telegramHome } from "../../drivers/simulated/telegram-home.ts";
import type { BootTrust } from "../../firmware-bridge/simulated/bootloader.ts";
import { bootCheck, HASH_OF } from "../../firmware-bridge/simulated/bootloader.ts";
import { type ShownByChannel, SimulatedCoprocessor } from "../../firmware-bridge/simulated/coprocessor.ts";
import type { FlashContent, SwapType } from "../../firmware-bridge/simulated/image-slots.ts";
import { SimulatedMicrocontroller } from "../../firmware-bridge/simulated/microcontroller.ts";
import type { MicrocontrollerFault } from "../../firmware-bridge/simulated/microcontroller-faults.ts";
import { monotonicMs } from "../../runtime/monotonic.ts";
import type { MicrocontrollerFolder } from "./simulate-microcontroller-folder.ts";

export interface DeviceOptions {
  readonly folder: MicrocontrollerFolder;
  readonly faults: readonly MicrocontrollerFault[];
  /** Public keys that the bootloader has beside that of the folder's own signer. */
  readonly keys: readonly Uint8Array[];
  /** MCUboot's recovery answers until there was a reset. */
  readonly recovery: boolean;
  readonly daySpeed: number;
  /** A line for whoever watches. */
  readonly onEvent: (text: string) => void;
}

/** What each slot holds, and what the next reset does. */
export interface DeviceState {
  readonly versions: readonly [string | undefined, string | undefined];
  readonly swap: SwapType;
  readonly starts: number;
  readonly requests: number;
}

/** Of a message with its framing: 4096 bytes are taken by the host. */
const BUFFER_BYTES = 1_024;
/** Registers are written down ahead of what is shown, so that none falls when the simulator is killed. */
const AHEAD_MWH = 100_000;
/** Of the registers, as the simulated coprocessor describes them. */
const STEP_MWH = 1_000;
const RECOVERY_IS_OVER = "the recovery is left";

/** A simulated microcontroller with a metering front end and a key, all of which is kept in a folder. */
export class MicrocontrollerDevice {
  readonly #options: DeviceOptions;
  readonly #coprocessor: SimulatedCoprocessor;
  readonly #home: () => ShownByChannel;
  #mcu: SimulatedMicrocontroller;
  #boots = 0;
  #requests = 0;
  #isRecovery: boolean;

  constructor(options: DeviceOptions) {
    const { folder, faults, recovery } = options;
    this.#options = options;
    this.#isRecovery = recovery;
    this.#home = keptHome(folder, options.daySpeed);
    this.#coprocessor = new SimulatedCoprocessor({
      ...{
        serial: serialOf(folder.seed),
        shown: () => [this.shown()],
        monotonicMs,
        starts: () => folder.starts,
      },
      seed: folder.seed,
      misbehaviours: faults.flatMap((fault) => (fault.part === "coprocessor" ? [fault.misbehaviour] : [])),
    });
    this.#coprocessor.boot = folder.starts;
    this.#mcu = this.#made(folder.flash);
    this.powerCut();
  }

  /** What the front end shows now. */
  shown(): ShownByChannel {
    return this.#home();
  }

  state(): DeviceState {
    const { slots } = this.#mcu;
    const versions = [slots.image(0)?.version, slots.image(1)?.version] as const;
    return { versions, swap: slots.swap, starts: this.#options.folder.starts, requests: this.#requests };
  }

  /** What it says to these bytes. */
  receive(bytes: Uint8Array): Uint8Array {
    this.#requests += bytes.includes(0x0a) && bytes.length > 1 ? 1 : 0;
    const said = this.#mcu.receive(bytes);
    if (this.#mcu.boots !== this.#boots) this.#started();
    return said;
  }

  /** Its power goes and comes back. */
  powerCut(): void {
    this.#mcu.restart();
    this.#started();
  }

  #started(): void {
    this.#boots = this.#mcu.boots;
    const { folder, onEvent } = this.#options;
    folder.update({ starts: folder.starts + 1 });
    if (this.#isRecovery && this.#boots > 1 && this.#mcu.slots.image(0)?.whole === true) {
      this.#isRecovery = false;
      const { slots } = this.#mcu;
      this.#mcu = this.#made({ slots: [slots.flash(0), slots.flash(1)], swap: slots.swap });
      this.#boots = this.#mcu.boots;
      onEvent(RECOVERY_IS_OVER);
    }
    const { versions, swap } = this.state();
    const what = this.#isRecovery ? "MCUboot's recovery answers" : `${versions[0] ?? "nothing"} runs`;
    onEvent(`start ${folder.starts}: ${what}${swap === "revert" ? ", not confirmed" : ""}`);
  }

  #made(flash: FlashContent): SimulatedMicrocontroller {
    const { folder, faults, keys } = this.#options;
    const trust: BootTrust = { publicKeys: [folder.signerPublicKey, ...keys], variant: folder.variant };
    const check = bootCheck(trust);
    return new SimulatedMicrocontroller({
      ...{ image: new Uint8Array(0), flash, keeper: folder, bufferBytes: BUFFER_BYTES },
      ...{ hash: HASH_OF[folder.variant], recovery: this.#isRecovery },
      verifies: (slot) => this.#verifies(check(slot)),
      misbehaviours: faults.flatMap((fault) =>
        fault.part === "microcontroller" ? [fault.misbehaviour] : [],
      ),
      groups: this.#isRecovery ? new Map() : new Map([[64, this.#coprocessor.handle]]),
    });
  }

  #verifies(isSigned: boolean): boolean {
    if (!isSigned)
      this.#options.onEvent("the bootloader has no key that signed the image in slot 1: it is erased");
    return isSigned;
  }
}

/** A home behind the front end, whose registers never show less than they did, whatever became of the simulator. */
function keptHome(folder: MicrocontrollerFolder, daySpeed: number): () => ShownByChannel {
  const home = telegramHome({
    part: "grid",
    serial: serialOf(folder.seed),
    daySpeed,
    monotonicMs,
    clockMs: () => Date.now(),
  });
  const first = sums(home());
  const kept = folder.registers;
  const above = (name: "importMwh" | "exportMwh"): number => Math.max(0, kept[name] - first[name]);
  const [importAbove, exportAbove] = [above("importMwh"), above("exportMwh")];
  return () => {
    const { activePowerMw, voltageMv, currentMa, frequencyMhz, ...registers } = home();
    const raw = sums(registers);
    const importMwh = wholeSteps(raw.importMwh + importAbove);
    const exportMwh = wholeSteps(raw.exportMwh + exportAbove);
    if (importMwh > folder.registers.importMwh || exportMwh > folder.registers.exportMwh)
      folder.update({ importMwh: importMwh + AHEAD_MWH, exportMwh: exportMwh + AHEAD_MWH });
    return {
      ...{ name: "grid", role: "grid", importMwh, exportMwh },
      activePowerMw,
      voltageMv,
      currentMa,
      frequencyMhz,
    };
  };
}

function wholeSteps(mwh: number): number {
  return mwh - (mwh % STEP_MWH);
}

interface Registers {
  readonly importT1Mwh: number;
  readonly importT2Mwh: number;
  readonly exportT1Mwh: number;
  readonly exportT2Mwh: number;
}

function sums({ importT1Mwh, importT2Mwh, exportT1Mwh, exportT2Mwh }: Registers): {
  readonly importMwh: number;
  readonly exportMwh: number;
} {
  return { importMwh: importT1Mwh + importT2Mwh, exportMwh: exportT1Mwh + exportT2Mwh };
}

/** Another folder is another device: its key is another one. */
function serialOf(seed: Uint8Array): string {
  return `SIMULATED-${toHex(nativeSigner(seed).publicKey).slice(0, 8)}`;
}
