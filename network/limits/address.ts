/**
 * Whose limits an address counts for: an IPv4 address as it is, also where it came mapped into IPv6 (RFC 4291, 2.5.5.2),
 * and of another IPv6 address its first 64 bits, because one subscriber has all of those (RFC 6177).
 */
export function sourceOf(address: string): string {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1];
  if (mapped !== undefined) return mapped;
  return address.includes(":") ? `${firstGroups(address).join(":")}::/64` : address;
}

function firstGroups(address: string): string[] {
  const [before = "", after] = (address.split("%", 1)[0] ?? "").split("::");
  const groups = before === "" ? [] : before.split(":");
  // What "::" leaves out are zeros, up to where the rest begins.
  const rest = after === undefined || after === "" ? [] : after.split(":");
  const zeros = after === undefined ? 0 : 8 - groups.length - rest.length;
  const all = [...groups, ...Array.from({ length: Math.max(0, zeros) }, () => "0"), ...rest];
  return all.slice(0, 4).map((group) => group.toLowerCase().replace(/^0+(?=.)/, ""));
}
