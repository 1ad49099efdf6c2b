/** An address as it may be shown: without name, password, query and fragment, where tokens hide. */
export function withoutSecrets(text: string): string {
  if (!URL.canParse(text)) return "not an address";
  const { protocol, host, pathname } = new URL(text);
  return `${protocol}//${host}${pathname === "/" ? "" : pathname}`;
}
