/** Migrations of the store in order, as SQL scripts. */
export const STORE_SCHEMA: readonly URL[] = [
  ...["001-logs.sql", "002-faults.sql", "003-enrolment.sql", "004-audits.sql", "005-exchange.sql"],
  ...["006-flexibility.sql", "007-enclosures.sql"],
].map((name) => new URL(`migrations/${name}`, import.meta.url));
