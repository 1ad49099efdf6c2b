/** How a point is stored; names as in the SunSpec Device Information Model Specification 1.1, 4.2. */
export type PointType =
  | "int16"
  | "uint16"
  | "count"
  | "enum16"
  | "bitfield16"
  | "sunssf"
  | "acc32"
  | "uint32"
  | "int32"
  | "bitfield32"
  | "float32"
  | "acc64"
  | "uint64"
  | "string";

/** One value of a model. */
export interface Point {
  readonly name: string;
  /** Registers after the model's ID and L, or after the beginning of its group. */
  readonly offset: number;
  readonly type: PointType;
  /** Registers that it takes. */
  readonly width: number;
  /** The point with the power of ten; it stands outside of groups. */
  readonly scale?: string;
  readonly unit?: string;
}

export type Points = ReadonlyMap<string, Point>;

/** Points that come several times, one set behind the other. */
export interface Group {
  readonly name: string;
  /** Registers of the model, after ID and L, before the first set. */
  readonly offset: number;
  /** Registers of one set. */
  readonly size: number;
  /** The point that says how many sets there are. */
  readonly count: string;
  readonly points: Points;
}

/** A SunSpec model: one block of registers with a fixed meaning. */
export interface Model {
  readonly id: number;
  readonly title: string;
  readonly points: Points;
  readonly group?: Group;
  /** Wires that carry current; 0 for a model that is not of an AC connection, or says so itself. */
  readonly phases: 0 | 1 | 2 | 3;
}

/** `third` is the scale factor of a number, the registers of a string. */
export type Row = readonly [
  name: string,
  offset: number,
  type: PointType,
  third?: string | number | undefined,
  unit?: string | undefined,
];

const WIDTH: Readonly<Record<Exclude<PointType, "string">, number>> = {
  int16: 1,
  uint16: 1,
  count: 1,
  enum16: 1,
  bitfield16: 1,
  sunssf: 1,
  acc32: 2,
  uint32: 2,
  int32: 2,
  bitfield32: 2,
  float32: 2,
  acc64: 4,
  uint64: 4,
};

/** Points of a table, by name. */
export function points(rows: readonly Row[]): Points {
  return new Map(rows.map((row) => [row[0], point(row)]));
}

function point([name, offset, type, third, unit]: Row): Point {
  const width = type === "string" ? Number(third) : WIDTH[type];
  return {
    ...{ name, offset, type, width },
    ...(typeof third === "string" ? { scale: third } : {}),
    ...(unit === undefined ? {} : { unit }),
  };
}

/** A model without AC wires of its own. */
export function model(id: number, title: string, rows: readonly Row[], group?: Group): Model {
  return { id, title, points: points(rows), phases: 0, ...(group === undefined ? {} : { group }) };
}

/** Sets of a repeating group that `length` registers after ID and L have room for. */
export function roomFor({ offset, size }: Group, length: number): number {
  return Math.max(0, Math.floor((length - offset) / size));
}
