import { openAudits } from "./audit/extension.ts";
import { openExchange } from "./exchange/extension.ts";
import { openFlexibility } from "./flexibility/extension.ts";
import type { OpenExtension } from "./node.ts";

/** The further parts of a node that runs as a program. */
export const NODE_EXTENSIONS: readonly OpenExtension[] = [
  openAudits,
  (inside) => openExchange(inside, inside.config.peers),
  (inside) => openFlexibility(inside),
];
