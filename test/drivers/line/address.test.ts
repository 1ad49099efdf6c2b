import { describe, expect, it } from "vitest";
import { z } from "zod";
import { lineName, lineSchema, parseLineAddress } from "../../../drivers/line/address.ts";

describe("line address", () => {
  it.each([
    ["tcp://gateway.local:2001", { kind: "tcp", host: "gateway.local", port: 2001 }],
    ["tcp://192.168.1.4:5000/", { kind: "tcp", host: "192.168.1.4", port: 5000 }],
    ["tcp://[fe80::1]:5000", { kind: "tcp", host: "fe80::1", port: 5000 }],
    ["serial:///dev/ttyUSB0", { kind: "serial", path: "/dev/ttyUSB0" }],
    [
      "serial:///dev/serial/by-id/usb-FTDI_P1_Converter-if00-port0?baud=9600&format=7E1",
      {
        kind: "serial",
        path: "/dev/serial/by-id/usb-FTDI_P1_Converter-if00-port0",
        baudRate: 9600,
        dataBits: 7,
        parity: "even",
        stopBits: 1,
      },
    ],
    [
      "serial:///dev/serial/by-path/pci-0000:00%20x",
      { kind: "serial", path: "/dev/serial/by-path/pci-0000:00 x" },
    ],
  ])("reads %s", (text, address) => {
    expect(parseLineAddress(text)).toEqual(address);
  });

  it.each([
    ["/dev/ttyUSB0", "serial:///dev/serial/by-id/NAME"],
    ["", "tcp://HOST:PORT"],
    ["http://gateway:80", "tcp://HOST:PORT"],
    ["tcp://gateway", "port"],
    ["tcp://gateway:0", "port"],
    ["tcp://gateway:70000", "not the address"],
    ["tcp://gateway:1/x", "path"],
    ["tcp://gateway:1?baud=9600", "query"],
    ["tcp://me@gateway:1", "user"],
    ["serial://dev/ttyUSB0", "three slashes"],
    ["serial:///", "path from /"],
    ["serial:///dev/%zz", "path from /"],
    ["serial:///dev/ttyUSB0?speed=9600", '"baud" or "format"'],
    ["serial:///dev/ttyUSB0?baud=fast", "300 to 4000000"],
    ["serial:///dev/ttyUSB0?baud=12", "300 to 4000000"],
    ["serial:///dev/ttyUSB0?format=8X1", "8N1 or 7E1"],
  ])("refuses %j and says what it expects", (text, part) => {
    const result = lineSchema.safeParse(text);
    expect(result.success).toBe(false);
    expect(result.error?.issues[0]?.message).toContain(part);
    expect(() => parseLineAddress(text)).toThrow(part);
  });

  it("names a line as it was written", () => {
    expect(lineName(parseLineAddress("tcp://[fe80::1]:5000"))).toBe("tcp://[fe80::1]:5000");
    expect(lineName(parseLineAddress("serial:///dev/ttyUSB0?baud=300"))).toBe("/dev/ttyUSB0");
  });

  it("describes itself as text in a JSON Schema of the configuration", () => {
    expect(z.toJSONSchema(lineSchema, { io: "input" })).toMatchObject({ type: "string" });
  });
});
