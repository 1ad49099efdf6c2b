/** `fn` and `sn` of RFC 9162, 2.1.3 and 2.1.4: a node on the way up, and the last node of its level. */
export interface Path {
  readonly node: number;
  readonly last: number;
}

export function parentOf({ node, last }: Path): Path {
  return { node: Math.floor(node / 2), last: Math.floor(last / 2) };
}

/** The sibling is on the left: the node is odd, or it is the last of its level and was carried up. */
export function isRightChild({ node, last }: Path): boolean {
  return node % 2 === 1 || node === last;
}

/** A last node without sibling is the same on the next level: climb until it is a right child or the root. */
export function climbToRightChild(path: Path): Path {
  let at = path;
  while (at.node % 2 === 0 && at.node !== 0) at = parentOf(at);
  return at;
}

/** From the last leaf of the first tree to the root of the largest complete subtree that ends there. */
export function climbToLeftChild(path: Path): Path {
  let at = path;
  while (at.node % 2 === 1) at = parentOf(at);
  return at;
}
