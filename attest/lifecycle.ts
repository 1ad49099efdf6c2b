import type { Leaf } from "./leaf.ts";
import { LIFECYCLE_KINDS, type LifecycleLeaf } from "./leaf-flexibility.ts";

/** Whether the leaf tells of a commitment or a challenge. */
export function isLifecycle(leaf: Leaf): leaf is LifecycleLeaf {
  return LIFECYCLE_KINDS.some((kind) => kind === leaf.kind);
}
