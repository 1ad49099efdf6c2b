import { SerialLine } from "../../../drivers/line/serial.ts";
import { bootCheck } from "../../../firmware-bridge/simulated/bootloader.ts";
import { SimulatedMicrocontroller } from "../../../firmware-bridge/simulated/microcontroller.ts";
import { publicKeyOf, SEED } from "../../firmware-bridge/image/build.ts";
import { OLD } from "../../firmware-bridge/update/kit-images.ts";

/*
 * A microcontroller in a process of its own, on the serial port that it is given. Told a `Doom`, it signals that process at
 * the piece of that number that arrives while its flash is in that state, and does not answer it. Told "state" or "restart", it answers with what
 * is in its flash, after the restart.
 */
interface Doom {
  readonly pid: number;
  readonly signal: NodeJS.Signals;
  readonly swap: string;
  readonly piece: number;
  /** Whether it still does what the piece says. */
  readonly acts: boolean;
}

const [path = ""] = process.argv.slice(2);
const mcu = new SimulatedMicrocontroller({
  ...{ image: OLD, slotBytes: 16 * 1024 },
  verifies: bootCheck({ publicKeys: [publicKeyOf(SEED)], variant: "digest" }),
});
const line = new SerialLine({ path, baudRate: 115_200, dataBits: 8, parity: "none", stopBits: 1 });

let doom: Doom | undefined;
let pieces = 0;

function answer(bytes: Uint8Array): void {
  if (doom !== undefined && mcu.slots.swap === doom.swap) pieces += 1;
  const { acts } = doom ?? { acts: true };
  const isDoomed = doom !== undefined && pieces === doom.piece;
  if (doom !== undefined && isDoomed) {
    process.kill(doom.pid, doom.signal);
    doom = undefined;
  }
  const said = isDoomed && !acts ? new Uint8Array(0) : mcu.receive(bytes);
  if (said.length > 0 && !isDoomed) line.write(said).catch(() => undefined);
}

process.on("message", (told: Doom | "state" | "restart") => {
  if (typeof told === "object") {
    doom = told;
    pieces = 0;
    return;
  }
  if (told === "restart") mcu.restart();
  process.send?.({ flash: Buffer.from(mcu.slots.flash(0)).toString("hex"), swap: mcu.slots.swap });
});

await line.open({ onBytes: answer, onClosed: () => process.exit(0) });
process.send?.({ ready: true });
