import { decodeAnyLeafAt, decodeLeaf, encodeAnyLeaf, encodeLeaf } from "../attest/leaf-codec.ts";
import { variedReading } from "./logs.ts";
import { type Result, results, type Work } from "./measure.ts";

/** Readings to bytes and, strictly, back, held against the codec of all kinds, with which they must agree. */
export async function codecBench(): Promise<readonly Result[]> {
  const readings = Array.from({ length: 1000 }, (_, at) => variedReading(at));
  const encoded = readings.map(encodeLeaf);
  return [
    ...(await results(["codec"], { name: "encode", unit: "leaves/s" }, [
      each(readings, encodeLeaf),
      each(readings, encodeAnyLeaf),
    ])),
    ...(await results(["codec"], { name: "strict decode", unit: "leaves/s" }, [
      each(encoded, decodeLeaf),
      each(encoded, (leaf) => decodeAnyLeafAt(leaf, 0)),
    ])),
  ];
}

function each<T>(items: readonly T[], work: (item: T) => unknown): Work {
  return {
    count: items.length,
    run: () => {
      for (const item of items) work(item);
    },
  };
}
