/** The constructors by which code under test gets memory of a length that it chooses. */
const CONSTRUCTORS = ["Uint8Array", "Uint32Array", "Array"] as const;

/**
 * How many bytes `run` makes arrays of, at 8 bytes for an element of a plain one: those that it constructs and those
 * that it cuts out of others, by whatever length was asked for. What grows element by element is not counted, for it
 * cannot grow faster than it is read.
 */
export function allocatedBy(run: () => void): number {
  let bytes = 0;
  const note = (made: unknown): void => {
    bytes += sizeOf(made);
  };
  const undo = [...CONSTRUCTORS.map((name) => replaceGlobal(name, note)), replaceSlice(note)];
  try {
    run();
  } finally {
    for (const restore of undo) restore();
  }
  return bytes;
}

type Note = (made: unknown) => void;

function sizeOf(made: unknown): number {
  if (ArrayBuffer.isView(made)) return made.byteLength;
  return Array.isArray(made) ? 8 * made.length : 0;
}

function replaceGlobal(name: (typeof CONSTRUCTORS)[number], note: Note): () => void {
  const original = globalThis[name];
  const watched = new Proxy<object>(original, {
    construct: (target, given) => noted(Reflect.construct(asConstructor(target), given), note),
  });
  Reflect.set(globalThis, name, watched);
  return () => Reflect.set(globalThis, name, original);
}

function asConstructor(target: object): new (...given: unknown[]) => object {
  // Only the constructors named above come here.
  return target as new (
    ...given: unknown[]
  ) => object;
}

function noted<T>(made: T, note: Note): T {
  note(made);
  return made;
}

function replaceSlice(note: Note): () => void {
  const { prototype } = Uint8Array;
  const original = prototype.slice;
  prototype.slice = function slice(from, to) {
    const made = original.call(this, from, to);
    note(made);
    return made;
  };
  return () => Reflect.deleteProperty(prototype, "slice");
}
