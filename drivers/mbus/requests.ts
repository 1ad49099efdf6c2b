import { checksum } from "./frame.ts";

/** Whoever was selected by its secondary address answers to this one (EN 13757-2). */
export const NETWORK_ADDRESS = 253;
/** Every meter answers to this one: for a line with a single meter. */
export const ANY_ADDRESS = 254;
/** Addresses that a meter can be given. */
export const MAX_PRIMARY_ADDRESS = 250;

const SND_NKE = 0x40;
/** With FCV set and FCB not, as masters send selections: repeated, it selects again and harms nothing. */
const SND_UD = 0x53;
const REQ_UD2 = 0x5b;
const FRAME_COUNT_BIT = 0x20;
const CI_SELECTION = 0x52;
const CI_APPLICATION_RESET = 0x50;

/** SND_NKE: the meter begins its readout with the first telegram and forgets the frame count; 253 deselects all. */
export function initialise(address: number): Uint8Array {
  return shortFrame(SND_NKE, address);
}

/**
 * REQ_UD2. A meter sends its next telegram when the frame count bit has changed, and the last one again when it has
 * not; the first request after {@link initialise} has it set (EN 13757-2).
 */
export function requestData(address: number, frameCount: boolean): Uint8Array {
  return shortFrame(REQ_UD2 | (frameCount ? FRAME_COUNT_BIT : 0), address);
}

/** SND_UD with CI 52: who fits the eight bytes of a secondary address answers to {@link NETWORK_ADDRESS} from here on. */
export function select(secondary: Uint8Array): Uint8Array {
  return longFrame([SND_UD, NETWORK_ADDRESS, CI_SELECTION, ...secondary]);
}

/** SND_UD with CI 50: back to the default readout, or to the one that the subcode names. */
export function resetApplication(address: number, subcode?: number): Uint8Array {
  return longFrame([SND_UD, address, CI_APPLICATION_RESET, ...(subcode === undefined ? [] : [subcode])]);
}

function shortFrame(control: number, address: number): Uint8Array {
  const content = Uint8Array.of(control, address);
  return Uint8Array.of(0x10, ...content, checksum(content), 0x16);
}

function longFrame(bytes: readonly number[]): Uint8Array {
  const content = Uint8Array.from(bytes);
  return Uint8Array.of(0x68, content.length, content.length, 0x68, ...content, checksum(content), 0x16);
}
