import { z } from "zod";
import type { LineAddress } from "../../drivers/line/address.ts";
import { lineSchema } from "../../drivers/line/address.ts";

/** Where the device's key is, when it is not in the key file. */
export interface SignerConfig {
  /** The line of a coprocessor that signs (docs/coprocessor-protocol.md). */
  readonly coprocessor: LineAddress;
}

/** The section `signer`. */
export const signerSchema: z.ZodType<SignerConfig> = z.strictObject({
  coprocessor: lineSchema.describe(
    "the coprocessor that holds the device's key: serial:///dev/serial/by-id/NAME or tcp://HOST:PORT, as its device has it",
  ),
});
