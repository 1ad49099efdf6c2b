import type { NetworkInterfaceInfoIPv4 } from "node:os";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Problem } from "../../../attest/problem.ts";
import { serialPorts } from "../../../drivers/discovery/ports.ts";
import {
  hostsOf,
  localSubnets,
  parseSubnet,
  requireScannable,
  sizeOf,
  subnetText,
} from "../../../drivers/discovery/subnets.ts";

function codeOf(work: () => unknown): string {
  try {
    work();
    return "none";
  } catch (error) {
    return error instanceof Problem ? error.code : String(error);
  }
}

function card(cidr: string, internal = false): NetworkInterfaceInfoIPv4 {
  const [address = ""] = cidr.split("/");
  return { address, cidr, internal, family: "IPv4", mac: "", netmask: "" };
}

describe("a network", () => {
  it("comes back as it was written, without the bits behind the prefix", () => {
    const octet = fc.integer({ min: 0, max: 255 });
    fc.assert(
      fc.property(
        fc.tuple(octet, octet, octet, octet),
        fc.integer({ min: 20, max: 32 }),
        (address, prefix) => {
          const subnet = parseSubnet(`${address.join(".")}/${prefix}`);
          expect(parseSubnet(subnetText(subnet))).toEqual(subnet);
          const hosts = hostsOf(subnet);
          expect(hosts.length).toBe(prefix >= 31 ? sizeOf(subnet) : sizeOf(subnet) - 2);
          expect(
            hosts.every((host) => subnetText(parseSubnet(`${host}/${prefix}`)) === subnetText(subnet)),
          ).toBe(true);
        },
      ),
      { numRuns: 20 },
    );
  });

  it("has every host once, and neither its own address nor that of all", () => {
    expect(hostsOf(parseSubnet("192.168.1.77/29"))).toEqual(
      [73, 74, 75, 76, 77, 78].map((last) => `192.168.1.${last}`),
    );
    expect(hostsOf(parseSubnet("10.255.255.254/31"))).toEqual(["10.255.255.254", "10.255.255.255"]);
    expect(new Set(hostsOf(parseSubnet("10.0.0.0/16"))).size).toBe(65_534);
  });

  it.each(["", "192.168.1.0", "192.168.1.0/33", "192.168.256.0/24", "fe80::/64", "1.2.3/24", "a.b.c.d/24"])(
    "is not %j",
    (text) => {
      expect(codeOf(() => parseSubnet(text))).toBe("scan-subnet");
    },
  );

  it.each([
    ["192.168.0.0/22", false, "none"],
    ["192.168.0.0/21", false, "scan-too-large"],
    ["192.168.0.0/16", true, "none"],
    ["10.0.0.0/15", true, "scan-too-large"],
    ["127.0.0.0/24", false, "none"],
    ["8.8.8.0/24", false, "scan-public"],
    ["8.8.8.0/24", true, "none"],
    ["172.32.0.0/24", false, "scan-public"],
  ])("%s with force %s may be scanned: %s", (text, forced, code) => {
    expect(codeOf(() => requireScannable(parseSubnet(text), forced))).toBe(code);
  });
});

describe("the networks of this machine", () => {
  it("are the private ones of a size that can be scanned, each once", () => {
    const { subnets, leftOut, own } = localSubnets({
      lo: [card("127.0.0.1/8", true)],
      eth0: [card("192.168.1.5/24"), card("192.168.1.6/25")],
      wlan0: [card("192.168.1.9/24")],
      docker0: [card("172.17.0.1/16")],
      wan: [card("203.0.113.7/24")],
      tunnel: [card("10.8.0.2/32")],
    });
    expect(subnets.map(subnetText)).toEqual(["192.168.1.0/24"]);
    expect(leftOut).toEqual([
      { subnet: "172.17.0.0/16", why: "larger than /22" },
      { subnet: "203.0.113.0/24", why: "not private" },
      { subnet: "10.8.0.2/32", why: "no room for another host" },
    ]);
    expect(own).toContain("192.168.1.9");
    expect(own).not.toContain("127.0.0.1");
  });
});

describe("serial ports", () => {
  it("go by their stable names, each once, without those that have no hardware", async () => {
    const found = await serialPorts({
      list: () =>
        Promise.resolve([
          { path: "/dev/ttyS0" },
          { path: "/dev/ttyS1" },
          { path: "/dev/ttyUSB0", manufacturer: "FTDI" },
        ]),
      stableNames: () =>
        Promise.resolve([
          ["/dev/serial/by-id/usb-A", "/dev/ttyUSB0"],
          ["/dev/serial/by-id/usb-B", "/dev/ttyACM0"],
        ]),
      uartType: (device) => Promise.resolve({ "/dev/ttyS0": "4", "/dev/ttyS1": "0" }[device]),
    });
    expect(found).toEqual([
      { path: "/dev/serial/by-id/usb-A", device: "/dev/ttyUSB0", maker: "FTDI" },
      { path: "/dev/serial/by-id/usb-B", device: "/dev/ttyACM0", maker: "" },
      { path: "/dev/ttyS0", device: "/dev/ttyS0", maker: "" },
    ]);
  });
});
