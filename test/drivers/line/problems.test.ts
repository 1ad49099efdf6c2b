import { describe, expect, it } from "vitest";
import { Problem } from "../../../attest/problem.ts";
import { lineProblem, silentProblem } from "../../../drivers/line/problems.ts";

function withCode(code: string): Error {
  return Object.assign(new Error(`${code}: from the system`), { code });
}

describe("line problems", () => {
  it.each([
    [withCode("ENOENT"), "line-not-found", "/dev/serial/by-id"],
    [withCode("ENXIO"), "line-not-found", "/dev/serial/by-id"],
    [withCode("EACCES"), "line-permission", "group dialout"],
    [withCode("EBUSY"), "line-busy", "stop the agent if it is the one"],
    [withCode("ECONNREFUSED"), "line-refused", "ser2net"],
    [withCode("ENOTFOUND"), "line-host-not-found", "spelling"],
    [withCode("EHOSTUNREACH"), "line-unreachable", "same network"],
    [withCode("ETIMEDOUT"), "line-timeout", "firewall"],
    [
      new Error("Error: No such file or directory, cannot open /dev/x"),
      "line-not-found",
      "/dev/serial/by-id",
    ],
    [new Error("Error: Permission denied, cannot open /dev/x"), "line-permission", "group dialout"],
    [new Error("Error Resource temporarily unavailable Cannot lock port"), "line-busy", "fuser -v /dev/x"],
    [new Error("Inappropriate ioctl for device"), "line-not-serial", "/dev/serial/by-id"],
    [new Error("Error: Is a directory, cannot open /tmp"), "line-not-serial", "/dev/serial/by-id"],
    [withCode("EADDRNOTAVAIL"), "line-interface", "ip -brief address"],
    [new Error("something new"), "line-failed", "adapter"],
    ["a text", "line-failed", "adapter"],
  ])("%s", (thrown, code, hint) => {
    const problem = lineProblem("/dev/x", thrown);
    expect(problem.code).toBe(code);
    expect(problem.message).toMatch(/^\/dev\/x: /);
    expect(problem.detail.hint).toContain(hint);
    expect(problem.cause).toBe(thrown);
  });

  it("say of silence what the line can have: a network has no wiring", () => {
    expect(silentProblem("/dev/x", 1).detail.hint).toContain("optical head");
    expect(silentProblem("udp://239.12.255.254:9522", 1).detail.hint).toContain("multicast");
  });

  it("leaves a problem as it is", () => {
    const problem = new Problem("line-silent", "nothing");
    expect(lineProblem("/dev/x", problem)).toBe(problem);
  });
});
