/** The statements by which checkpoints of other nodes are kept. */
export const EXCHANGE_SQL: URL = new URL("exchange.sql", import.meta.url);
