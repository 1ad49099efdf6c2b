import type { SmlValue } from "./decode.ts";

/**
 * The status word of a German basic meter, sent with its registers (bits as `BzStatusWord` of TRuDI, the transparency
 * software for smart meter gateways, names them: ZERYCON-GmbH/trudi-koala @ f18e40c): the low byte is always 04; bit 8 is
 * above the starting current, bit 11 says that the sum of the phases flows out of the boundary, bit 17 is a fatal error.
 * In the captures of devZer0/libsml-testing @ a3c7869 meters of DZG set bit 11 exactly while they export, and those of EMH,
 * Holley, ISKRA and ITRON, which all import, leave it out. Older meters (EDL) have other words, about whose bits the
 * sources contradict each other.
 */
const BASIC_METER = 0x04n;
const ABOVE_STARTING_CURRENT = 1n << 8n;
const EXPORTING = 1n << 11n;
const FATAL_ERROR = 1n << 17n;

/** What a basic meter says of itself beside its values. */
export interface MeterStatus {
  /** Absent below the starting current. */
  readonly direction?: "import" | "export";
  readonly fault: boolean;
}

const REGISTER = /^1-\d+:[12]\.8\.\d\*255$/;

/** The status word beside the registers; undefined where there is none, or none of a basic meter. */
export function meterStatus(values: readonly SmlValue[]): MeterStatus | undefined {
  for (const { code, status } of values)
    if (status !== undefined && REGISTER.test(code) && (status & 0xffn) === BASIC_METER) return read(status);
  return undefined;
}

function read(status: bigint): MeterStatus {
  const fault = (status & FATAL_ERROR) !== 0n;
  if ((status & ABOVE_STARTING_CURRENT) === 0n) return { fault };
  return { fault, direction: (status & EXPORTING) === 0n ? "import" : "export" };
}
