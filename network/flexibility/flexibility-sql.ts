/** The statements of this folder. */
export const FLEXIBILITY_SQL: URL = new URL("flexibility.sql", import.meta.url);
