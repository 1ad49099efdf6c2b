import type { SqliteDatabase } from "../../runtime/database.ts";
import { type Approval, DAY_MS, type Quarantine, type QuarantineArchive } from "../quarantine/quarantine.ts";
import { EXCHANGE_SQL } from "./exchange-sql.ts";
import { NamedStatements } from "./named-statements.ts";
import { plain } from "./sqlite-proof-source.ts";

interface ApprovalRow {
  readonly approvedBy: string;
  readonly approvedMs: number;
  readonly epoch: number | null;
  readonly sinceMs: number | null;
}

/** Quarantined keys in the node's own SQLite file, which this process alone writes. */
export function sqliteQuarantine(database: SqliteDatabase): QuarantineArchive {
  const statements = new NamedStatements(database, EXCHANGE_SQL);
  const quarantineOf = (deviceKey: Uint8Array): Quarantine | undefined =>
    statements.get<Quarantine>("quarantine", { deviceKey });
  return {
    quarantineOf,
    quarantined: (after, limit) =>
      statements
        .all<Quarantine & { deviceKey: Uint8Array }>("quarantined", { after, limit })
        .map((row) => ({ ...row, deviceKey: plain(row.deviceKey) })),
    count: () => statements.get<{ count: number }>("quarantine-count", {})?.count ?? 0,
    openedEpochs: (deviceKey, nowMs, limit) => {
      // What a clock that was set back shows in a far future does not count against a device for years.
      const span = { afterMs: nowMs - DAY_MS, upToMs: nowMs + DAY_MS };
      const rows = statements.all<{ epoch: number }>("opened", {
        ...{ deviceKey, ...span, limit },
      });
      return rows.map(({ epoch }) => epoch);
    },
    add: (deviceKey, { epoch, sinceMs }) =>
      statements.run("add-quarantine", { deviceKey, epoch, nowMs: sinceMs }),
    approve: (deviceKey, approvedBy, nowMs) =>
      statements.transact(() => {
        const ended = quarantineOf(deviceKey);
        const { epoch = null, sinceMs = null } = ended ?? {};
        statements.run("add-approval", { deviceKey, approvedBy, nowMs, epoch, sinceMs });
        statements.run("end-quarantine", { deviceKey });
        return ended;
      }),
    approvals: (deviceKey, limit) =>
      statements.all<ApprovalRow>("approvals", { deviceKey, limit }).map(approvalOf),
  };
}

function approvalOf({ approvedBy, approvedMs, epoch, sinceMs }: ApprovalRow): Approval {
  const ended = epoch === null || sinceMs === null ? undefined : { epoch, sinceMs };
  return { approvedBy, approvedMs, ended };
}
