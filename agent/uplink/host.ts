import type { EnrolmentRecord } from "../../attest/enrolled-key.ts";
import type { LogIdentity } from "../../attest/identity.ts";
import type { WelcomeMessage } from "../../attest/messages.ts";
import type { Receipt } from "../../attest/receipt.ts";
import type { Journal } from "../journal/journal.ts";

/** What an uplink asks of the agent. */
export interface UplinkHost {
  /** The log that is streamed now; another object after a new epoch. */
  log(): { readonly journal: Journal; readonly identity: LogIdentity };
  /** The node has shown what it holds. Returns the size to go on from; throws when this epoch is not to be sent. */
  welcomed(nodeKey: Uint8Array, welcome: WelcomeMessage): number;
  /** A receipt was verified against the local log. */
  receipted(nodeKey: Uint8Array, receipt: Receipt, bytes: Uint8Array): void;
  /** The node has enrolled this device, which was verified. */
  enrolled?(nodeKey: Uint8Array, record: EnrolmentRecord): void;
}
