import type { OrderRefusedMessage } from "../../attest/messages.ts";
import { nativeSuite } from "../../attest/native.ts";

/** Who takes what a node orders; it answers by leaves of the log, or with an `orderRefused`. */
export interface OrderTaker {
  /** A commitment, a dispatch or a challenge, as the node signed it; nothing is verified yet. */
  order(bytes: Uint8Array): void;
  /** A node's signed list of its dispatches; nothing is verified yet. */
  list(bytes: Uint8Array): void;
}

/** For a node that the configuration does not let order anything. */
export function ordersOfNobody(send: (message: OrderRefusedMessage) => void): OrderTaker {
  return {
    order: (bytes) =>
      send({
        ...{ type: "orderRefused", digest: nativeSuite.sha256(bytes), code: "order-not-allowed" },
        message:
          "this node may not order anything here; the owner allows it with control: true beside the node's key",
      }),
    list: () => undefined,
  };
}
