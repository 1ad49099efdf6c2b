import { Problem } from "../../attest/problem.ts";
import type { WireFault } from "./modbus-faults.ts";

/** Faults of the wire and of gateways, which hit one reply in ten or so. */
const WIRE_FAULTS = {
  late: "one reply in ten comes 1.5 s late",
  lost: "one reply in ten never comes",
  truncated: "one reply in ten ends after its fourth byte",
  damaged: "one reply in ten has a wrong byte: in its header over TCP, else under its CRC",
  "wrong-unit": "one reply in ten has another unit's number",
  "wrong-function": "one reply in ten has another function's code",
  "wrong-byte-count": "one reply in ten has a wrong byte count",
  "wrong-size": "one reply in ten is well formed and one register too long",
  twice: "one reply in ten comes twice",
  "behind-previous": "one reply in ten comes behind the previous reply, sent again",
  "before-foreign": "one reply in ten has another unit's reply right behind it",
  unsolicited: "after one reply in ten comes a reply that nobody asked for",
  noise: "before one reply in ten come some bytes of nothing",
} as const;

/** Faults of the device itself, which stay for as long as they are switched on. */
const DEVICE_FAULTS = {
  "all-ones": "every register reads 0xFFFF, as of a device that is starting",
  "all-zeros": "every register reads 0, as of an inverter that is asleep",
  "zero-energy-after-wake-up":
    "energy registers read 0 while everything else is good, as after the wake-up of a dongle",
  frozen: "nothing changes any more, as of a gateway that serves what it read long ago",
  "counter-reset": "energy registers begin again at 0",
  rollover: "energy registers are a few steps before their end, and go on from 0",
  "torn-phases": "phases are of another instant than their total",
  "ratio-changed": "the transformer ratio is twice what it was",
  "other-serial": "another serial number answers, as of a meter that was replaced",
  "not-implemented": 'measured values hold what stands for "no value"',
  "fault-status": "status points say that the device has a fault",
  "stuck-busy": "every request is answered with exception 6, busy",
  "gateway-zeros": "a gateway answers for all other units with zeros",
} as const;

/** Faults of a device that takes commands. */
const CONTROL_FAULTS = {
  "ignores-command": "commands are confirmed and shown, and not obeyed",
  "obeys-late": "commands take effect 20 s late",
  "bms-limit": "the battery's own management lets a quarter of its power through",
  "loses-connection-in-the-middle": "the second write is not answered, and the connection is gone",
  "clamps-silently": "what is asked for is confirmed, and half of it written down",
  "forgets-timer": "the time of a command is over, and nothing ends it",
  "wrong-readback": "registers of commands read other than they are",
} as const;

/** What can go wrong with a simulated device, one sentence each. */
export const SIMULATED_FAULTS: Readonly<Record<SimulatedFault, string>> = {
  ...WIRE_FAULTS,
  ...DEVICE_FAULTS,
  ...CONTROL_FAULTS,
};

export type SimulatedWireFault = keyof typeof WIRE_FAULTS;
export type SimulatedDeviceFault = keyof typeof DEVICE_FAULTS;
export type SimulatedControlFault = keyof typeof CONTROL_FAULTS;
export type SimulatedFault = SimulatedWireFault | SimulatedDeviceFault | SimulatedControlFault;

/** The fault of that name. Throws Problem `simulate-fault`, which lists the known names. */
export function faultNamed(name: string): SimulatedFault {
  if (isFault(name)) return name;
  throw new Problem("simulate-fault", "there is no such fault", {
    expected: `one of ${Object.keys(SIMULATED_FAULTS).join(", ")}`,
    got: JSON.stringify(name),
  });
}

/** A fault that this profile has no place for. */
export function noPlaceFor(fault: SimulatedFault, why: string): Problem {
  return new Problem("simulate-fault", `the fault ${fault} cannot happen to this device`, { got: why });
}

const LATE_MS = 1500;
const SOON_MS = 40;
/** From one spoilt reply to the next: 5 to 15, so that no reader's own rhythm always meets it. */
const GAP = { least: 5, choices: 11 };

/** Picks what goes wrong with each reply: the first one, and then one in ten, each of the faults in turn. */
export class WireFaults {
  readonly #tcp: boolean;
  #names: readonly SimulatedWireFault[] = [];
  #spoilt = 0;
  #left = 0;

  constructor(framing: "rtu" | "tcp") {
    this.#tcp = framing === "tcp";
  }

  set(names: readonly SimulatedFault[]): void {
    this.#names = names.filter(isWireFault);
    this.#spoilt = 0;
    this.#left = 0;
  }

  /** The fault of the next reply. */
  next(unit: number): WireFault | undefined {
    const name = this.#names[this.#spoilt % this.#names.length];
    if (name === undefined || this.#left-- > 0) return undefined;
    this.#spoilt += 1;
    this.#left = GAP.least + ((this.#spoilt * 7) % GAP.choices) - 1;
    return this.#fault(name, unit);
  }

  #fault(name: SimulatedWireFault, unit: number): WireFault {
    switch (name) {
      case "late":
        return { kind: "late", ms: LATE_MS };
      case "lost":
        return { kind: "lost" };
      case "truncated":
        return { kind: "truncated", bytes: 4 };
      case "damaged":
        // TCP has check sums of its own: what still arrives wrong there is a gateway's header.
        return { kind: "damaged", at: this.#tcp ? 2 : 5, xor: 0x10 };
      case "wrong-unit":
        return { kind: "wrong-header", field: 0, xor: 0x55 };
      case "wrong-function":
        return { kind: "wrong-header", field: 1, xor: 0x07 };
      case "wrong-byte-count":
        return { kind: "wrong-header", field: 2, xor: 0x02 };
      case "wrong-size":
        return { kind: "wrong-size", words: 1 };
      case "twice":
        return { kind: "twice", gapMs: SOON_MS };
      case "behind-previous":
      case "before-foreign":
        return { kind: name };
      case "unsolicited":
        return {
          kind: "then-unsolicited",
          afterMs: SOON_MS,
          reply: { unit, pdu: Uint8Array.of(3, 4, 0, 1, 0, 2) },
        };
      case "noise":
        return { kind: "noise", bytes: [0xff, 0x00, 0xa5, 0x5a, 0xff] };
    }
  }
}

export function isDeviceFault(name: SimulatedFault): name is SimulatedDeviceFault {
  return Object.hasOwn(DEVICE_FAULTS, name);
}

export function isControlFault(name: SimulatedFault): name is SimulatedControlFault {
  return Object.hasOwn(CONTROL_FAULTS, name);
}

function isFault(name: string): name is SimulatedFault {
  return Object.hasOwn(SIMULATED_FAULTS, name);
}

function isWireFault(name: SimulatedFault): name is SimulatedWireFault {
  return Object.hasOwn(WIRE_FAULTS, name);
}
