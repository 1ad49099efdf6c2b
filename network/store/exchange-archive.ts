import { toHex } from "../../attest/bytes.ts";
import type { SqliteDatabase } from "../../runtime/database.ts";
import type {
  ExchangeArchive,
  Head,
  HeadPage,
  OtherEpochs,
  ShownHead,
  StoredLog,
  WaitingHead,
} from "../exchange/exchange-archive.ts";
import { EXCHANGE_SQL } from "./exchange-sql.ts";
import { NamedStatements } from "./named-statements.ts";
import { plain } from "./sqlite-proof-source.ts";

/** Epochs of one device of which what a peer shows is kept: a device can sign more than a store holds. */
const KEPT_EPOCHS = 8;

type ShownRow = Omit<WaitingHead, "proven" | "judged"> & { readonly proven: number; readonly judged: number };

/** The exchange's part of the node's own SQLite file, which this process alone writes. */
export function sqliteExchange(database: SqliteDatabase): ExchangeArchive {
  const statements = new NamedStatements(database, EXCHANGE_SQL);
  const self = toHex(statements.get<{ id: Uint8Array }>("self", {})?.id ?? new Uint8Array(0));
  const keepShown = (peer: Uint8Array, shown: ShownHead): void => {
    const { deviceKey } = shown;
    statements.run("keep-shown", { ...rowOf(shown), peer });
    statements.run("forget-shown", { peer, deviceKey, keep: KEPT_EPOCHS });
  };
  return {
    headsAfter: async (place, limit) => headsAfter(statements, { self, place, limit }),
    holds: async (deviceKey) => statements.get("holds", { deviceKey }) !== undefined,
    logOf: async (logId) => {
      const row = statements.get<StoredLog>("log-of", { logId });
      return row && { ...row, deviceKey: plain(row.deviceKey) };
    },
    placeAt: async (peer) => statements.get<{ place: string }>("place", { peer })?.place ?? "",
    shown: async (peer, deviceKey, epoch) => {
      const row = statements.get<ShownRow>("shown", { peer, deviceKey, epoch });
      return row && shownOf(row);
    },
    keepPage: async (peer, { place, shown }) =>
      statements.transact(() => {
        for (const head of shown) keepShown(peer, head);
        statements.run("keep-place", { peer, place });
      }),
    keepShown: async (peer, shown) => statements.transact(() => keepShown(peer, shown)),
    waiting: async (peer, after, limit) =>
      statements.all<ShownRow>("waiting", { peer, after, limit }).map(shownOf),
    unjudged: async (peer, after, limit) =>
      statements.all<ShownRow>("unjudged", { peer, after, limit }).map(shownOf),
    otherEpochs: async (peer, mostMoves) => otherEpochs(statements, peer, mostMoves),
    keepOwnMove: async (peer, ownMove) => {
      statements.run("keep-own-move", { peer, ownMove });
    },
  };
}

interface Asked {
  readonly self: string;
  readonly place: string;
  readonly limit: number;
}

function headsAfter(statements: NamedStatements, { self, place, limit }: Asked): HeadPage {
  const [store, text = ""] = place.split(".");
  const upTo = lastMove(statements);
  const asked = store === self && /^\d{1,15}$/.test(text) ? Number(text) : 0;
  // Beyond the last move there is nothing: the store was set back to a copy of itself.
  const after = asked > upTo ? 0 : asked;
  const rows = statements.all<Head & { move: number }>("moved", { after, upTo, limit });
  const isLast = rows.length < limit;
  return {
    place: `${self}.${isLast ? upTo : (rows.at(-1)?.move ?? upTo)}`,
    isLast,
    heads: rows.map(({ deviceKey, epoch, size, checkpoint, receipt }) => ({
      ...{ deviceKey: plain(deviceKey), epoch, size },
      ...{ checkpoint: plain(checkpoint), receipt: plain(receipt) },
    })),
  };
}

function lastMove(statements: NamedStatements): number {
  return statements.get<{ move: number }>("last-move", {})?.move ?? 0;
}

function otherEpochs(statements: NamedStatements, peer: Uint8Array, mostMoves: number): OtherEpochs {
  const last = lastMove(statements);
  const asked = statements.get<{ ownMove: number }>("place", { peer })?.ownMove ?? 0;
  const after = asked > last ? 0 : asked;
  const ownMove = Math.min(last, after + mostMoves);
  const rows = statements.all<ShownRow>("other-epochs", { peer, after, upTo: ownMove });
  return { ownMove, isLast: ownMove === last, shown: rows.map(shownOf) };
}

function shownOf(row: ShownRow): WaitingHead {
  const { id, epoch, size, compared } = row;
  const bytes = {
    deviceKey: plain(row.deviceKey),
    logId: plain(row.logId),
    checkpoint: plain(row.checkpoint),
  };
  return { id, epoch, size, compared, ...bytes, proven: row.proven === 1, judged: row.judged === 1 };
}

function rowOf(shown: ShownHead): { readonly [name: string]: Uint8Array | number } {
  const { deviceKey, epoch, logId, size, checkpoint, compared } = shown;
  const flags = { proven: shown.proven ? 1 : 0, judged: shown.judged ? 1 : 0 };
  return { deviceKey, epoch, logId, size, checkpoint, compared, ...flags };
}
