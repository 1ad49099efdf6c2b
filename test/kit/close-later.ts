import { afterEach } from "vitest";

const open: { close(): unknown }[] = [];
afterEach(async () => {
  for (const one of open.splice(0).reverse()) await one.close();
});

/** Closes it after the test, the newest first. */
export function closeLater<T extends { close(): unknown }>(one: T): T {
  open.push(one);
  return one;
}
