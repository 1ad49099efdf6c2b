import { Problem } from "../../../attest/problem.ts";

/** The code of a refusal and the byte that it names, or what else came of it. */
export interface Refused {
  readonly code: string;
  readonly offset?: number;
}

const OFFSET = /^offset (\d+)$/;

export function problemOf(act: () => unknown): Refused {
  try {
    act();
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    const digits = OFFSET.exec(error.detail.where ?? "")?.[1];
    return { code: error.code, ...(digits === undefined ? {} : { offset: Number(digits) }) };
  }
  return { code: "accepted" };
}
