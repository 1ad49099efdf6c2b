import { describe, expect, it } from "vitest";
import { hostOfHeader, isLoopback, isPlainToOthers, LOOPBACK_HOSTS } from "../../runtime/loopback.ts";

describe("what can only mean this machine", () => {
  it.each([...LOOPBACK_HOSTS, "127.0.0.2", "127.255.255.254", "[::1]"])("is %s", (host) => {
    expect(isLoopback(host)).toBe(true);
  });

  it.each(["", "0.0.0.0", "::", "128.0.0.1", "127.example", "127.0.0.1.example", "localhost.example", "::2"])(
    "is not %j",
    (host) => {
      expect(isLoopback(host)).toBe(false);
    },
  );

  it.each([
    ["localhost:8788", "localhost"],
    ["LOCALHOST", "localhost"],
    ["127.0.0.1", "127.0.0.1"],
    ["[::1]:1", "[::1]"],
    [undefined, ""],
  ])("is told by a Host header without its port: %s", (header, host) => {
    expect(hostOfHeader(header)).toBe(host);
  });

  it.each([
    ["ws://127.0.0.3:1", false],
    ["ws://[::1]", false],
    ["wss://node.example", false],
    ["ws://node.example", true],
    ["ws://127.0.0.1.example", true],
    ["no address", false],
  ])("is where unencrypted addresses may lead: %s", (url, expected) => {
    expect(isPlainToOthers(url, "ws:")).toBe(expected);
  });
});
