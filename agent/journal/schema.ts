/** Migrations of the journal in order, as SQL scripts. */
export const JOURNAL_SCHEMA: readonly URL[] = ["./schema-1.sql", "./schema-2.sql", "./schema-3.sql"].map(
  (name) => new URL(name, import.meta.url),
);
