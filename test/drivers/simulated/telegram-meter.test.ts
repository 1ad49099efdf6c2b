import { spawnSync } from "node:child_process";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { SerialLine } from "../../../drivers/line/serial.ts";
import type { ShownByMeter } from "../../../drivers/simulated/speaking.ts";
import type { TelegramFault } from "../../../drivers/simulated/telegram-faults.ts";
import { telegramHome } from "../../../drivers/simulated/telegram-home.ts";
import {
  startAnsweringMeter,
  startSpeakingMeter,
  type TelegramMeterHandle,
} from "../../../drivers/simulated/telegram-meter.ts";
import { Recorder, until, unusedPort } from "../line/kit.ts";

const HOST = "127.0.0.1";
const HAS_SOCAT = spawnSync("socat", ["-V"]).status === 0;

let folder = "";
const open: { close(): Promise<unknown> }[] = [];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "meter-"));
});
afterEach(async () => {
  for (const one of open.splice(0).reverse()) await one.close();
  rmSync(folder, { recursive: true });
});

/** Says a number a line. */
const speaker = {
  telegrams: (shown: number) => [Buffer.from(`<${shown}>`)],
  withWrongChecksum: (telegram: Uint8Array) => telegram.map((byte) => (byte === 0x3e ? 0x21 : byte)),
};

/** Repeats each line that it is sent, with a count of its own. */
function answerer() {
  let line = "";
  let count = 0;
  return {
    answers: (bytes: Uint8Array, shown: string) => {
      line += Buffer.from(bytes).toString();
      if (!line.endsWith("\n")) return [];
      count += 1;
      const answer = `${shown} ${count} ${line}`;
      line = "";
      return [Buffer.from(answer)];
    },
    withWrongChecksum: () => undefined,
  };
}

interface Client {
  readonly socket: Socket;
  text: string;
  closed: boolean;
}

async function client(port: number): Promise<Client> {
  const socket = connect(port, HOST);
  const seen = { socket, text: "", closed: false };
  socket.on("data", (bytes) => {
    seen.text += bytes.toString();
  });
  socket.on("error", () => undefined);
  socket.on("close", () => {
    seen.closed = true;
  });
  await once(socket, "connect");
  open.push({ close: async () => socket.destroy() });
  return seen;
}

function kept(meter: TelegramMeterHandle): TelegramMeterHandle {
  open.push(meter);
  return meter;
}

const tcp = { kind: "tcp", host: HOST, port: 0 } as const;

describe("a meter that speaks", () => {
  it("says the same to everybody on its port", async () => {
    let shown = 0;
    const served: number[] = [];
    const meter = kept(
      await startSpeakingMeter({
        place: tcp,
        speaker,
        periodMs: 10,
        shown: () => ++shown,
        onServed: (one) => served.push(one),
      }),
    );
    await new Promise((resolve) => setTimeout(resolve, 30));
    expect(shown).toBe(0);
    const clients = [await client(meter.port), await client(meter.port)];
    await until("ten telegrams", () => clients.every(({ text }) => text.split("<").length > 10));
    expect(meter.clients()).toBe(2);
    // Who comes later hears what is said from then on.
    const all = Array.from({ length: shown }, (_, at) => `<${at + 1}>`).join("");
    expect(all.startsWith(clients[0]?.text ?? "-")).toBe(true);
    expect(all).toContain(clients[1]?.text ?? "-");
    expect(served.slice(0, 3)).toEqual([1, 2, 3]);
    meter.hangUp();
    await until("both gone", () => clients.every(({ closed }) => closed));
  });

  it("spoils what it is told to, and says so", async () => {
    const faults: (TelegramFault | undefined)[] = [
      "wrong-checksum",
      undefined,
      "silence",
      "repeated-telegram",
    ];
    let shown = 0;
    const served: (TelegramFault | undefined)[] = [];
    const meter = kept(
      await startSpeakingMeter({
        place: tcp,
        speaker,
        periodMs: 10,
        shown: () => ++shown,
        fault: () => faults[shown - 1],
        onServed: (_shown, fault) => served.push(fault),
      }),
    );
    const one = await client(meter.port);
    await until("all of them", () => one.text.includes("<5>"));
    expect(one.text.slice(0, 12)).toBe("<1!<2><4><4>");
    expect(served.slice(0, 4)).toEqual(["wrong-checksum", undefined, "repeated-telegram", undefined]);
  });

  it("drops a client that takes nothing instead of keeping all for it", async () => {
    const huge = Buffer.alloc(32 * 1024, 0x41);
    const meter = kept(
      await startSpeakingMeter({
        place: tcp,
        speaker: { telegrams: () => [huge], withWrongChecksum: () => undefined },
        periodMs: 2,
        shown: () => 0,
      }),
    );
    const lazy = await client(meter.port);
    lazy.socket.pause();
    await until("the lazy one is there", () => meter.clients() === 1);
    await until("the lazy one is gone", () => meter.clients() === 0);
    expect(lazy.closed).toBe(false);
  });

  it("sends datagrams to a group", async () => {
    const port = await unusedPort();
    const receiver = createSocket({ type: "udp4", reuseAddr: true });
    const received: string[] = [];
    receiver.on("message", (bytes) => received.push(bytes.toString()));
    receiver.bind(port);
    await once(receiver, "listening");
    open.push({ close: () => new Promise<void>((resolve) => receiver.close(() => resolve())) });
    receiver.addMembership("239.255.77.1", HOST);
    let shown = 0;
    const place = { kind: "datagrams", group: "239.255.77.1", port, interfaceAddress: HOST } as const;
    kept(await startSpeakingMeter({ place, speaker, periodMs: 10, shown: () => ++shown }));
    await until("three datagrams", () => received.length >= 3);
    expect(received.slice(0, 3)).toEqual(["<1>", "<2>", "<3>"]);
  });

  it("says when its port is taken", async () => {
    const first = kept(await startSpeakingMeter({ place: tcp, speaker, periodMs: 1000, shown: () => 0 }));
    const place = { ...tcp, port: first.port };
    await expect(
      startSpeakingMeter({ place, speaker, periodMs: 1000, shown: () => 0 }),
    ).rejects.toMatchObject({ code: "simulate-place" });
  });
});

describe("a meter that answers", () => {
  it("has a conversation of its own with each client", async () => {
    const meter = kept(await startAnsweringMeter({ place: tcp, answerer, shown: () => "a" }));
    const [left, right] = [await client(meter.port), await client(meter.port)];
    left.socket.write("on");
    right.socket.write("two\n");
    await until("an answer", () => right.text !== "");
    left.socket.write("e\n");
    right.socket.write("three\n");
    await until("all answers", () => left.text !== "" && right.text.includes("three"));
    expect([left.text, right.text]).toEqual(["a 1 one\n", "a 1 two\na 2 three\n"]);
  });

  it("loses an answer in silence, and does not spoil what has no checksum", async () => {
    const faults: TelegramFault[] = ["silence", "wrong-checksum"];
    const served: (TelegramFault | undefined)[] = [];
    const meter = kept(
      await startAnsweringMeter({
        place: tcp,
        answerer,
        shown: () => "a",
        fault: () => faults.shift(),
        onServed: (_shown, fault) => served.push(fault),
      }),
    );
    const one = await client(meter.port);
    one.socket.write("one\n");
    await until("the silence", () => faults.length === 1);
    one.socket.write("two\n");
    await until("an answer", () => one.text !== "");
    expect(one.text).toBe("a 2 two\n");
    expect(served).toEqual([undefined]);
  });
});

describe.skipIf(!HAS_SOCAT)(
  `a meter on a pseudo terminal${HAS_SOCAT ? "" : " (socat is not installed)"}`,
  () => {
    it("is a serial port to whoever opens the link, and takes it away with itself", async () => {
      const link = join(folder, "port");
      const meter = await startAnsweringMeter({ place: { kind: "pty", link }, answerer, shown: () => "a" });
      const line = new SerialLine({ path: link, baudRate: 9600, dataBits: 8, parity: "none", stopBits: 1 });
      const recorder = new Recorder();
      await line.open(recorder);
      await line.write(Buffer.from("hello\n"));
      await until("an answer", () => recorder.received === "a 1 hello\n");
      await line.close();
      await meter.close();
      expect(existsSync(link)).toBe(false);
    });

    it("speaks on after a reader that took nothing", async () => {
      const link = join(folder, "port");
      let shown = 0;
      const place = { kind: "pty", link } as const;
      kept(await startSpeakingMeter({ place, speaker, periodMs: 5, shown: () => ++shown }));
      await until("a while without a reader", () => shown > 50);
      const line = new SerialLine({ path: link, baudRate: 9600, dataBits: 8, parity: "none", stopBits: 1 });
      open.push(line);
      const recorder = new Recorder();
      await line.open(recorder);
      const since = shown;
      await until("a telegram of now", () => recorder.received.includes(`<${since + 1}>`));
    });

    it("does not take the place of a file", async () => {
      await expect(
        startSpeakingMeter({ place: { kind: "pty", link: folder }, speaker, periodMs: 5, shown: () => 1 }),
      ).rejects.toMatchObject({ code: "simulate-place" });
      const link = join(folder, "no", "such", "folder");
      await expect(
        startSpeakingMeter({ place: { kind: "pty", link }, speaker, periodMs: 5, shown: () => 1 }),
      ).rejects.toMatchObject({ code: "simulate-place", detail: { where: link } });
    });
  },
);

describe("a meter's part of a home", () => {
  function shown(part: "grid" | "solar" | "battery"): { readonly at: (ms: number) => ShownByMeter } {
    let nowMs = 0;
    const home = telegramHome({
      part,
      serial: "1",
      daySpeed: 60,
      monotonicMs: () => nowMs,
      clockMs: () => 1_000_000 + nowMs,
    });
    return {
      at: (ms) => {
        nowMs = ms;
        return home();
      },
    };
  }

  it.each(["grid", "solar", "battery"] as const)("%s has registers that are its power over time", (part) => {
    const meter = shown(part);
    let before = meter.at(0);
    let energyUj = 0;
    const startMwh = netMwh(before);
    for (let ms = 100; ms <= 60_000; ms += 100) {
      energyUj += before.activePowerMw * 100;
      before = meter.at(ms);
    }
    expect(Math.abs(netMwh(before) - startMwh - energyUj / 3_600_000)).toBeLessThan(4);
    expect(before.timeMs).toBe(1_060_000);
    expect(energyUj).not.toBe(0);
  });

  it("adds up at the grid connection", () => {
    const [grid, solar, battery] = [shown("grid"), shown("solar"), shown("battery")].map((one) =>
      one.at(30_000),
    );
    const loadMw = (grid?.activePowerMw ?? 0) - (solar?.activePowerMw ?? 0) - (battery?.activePowerMw ?? 0);
    expect(loadMw).toBeGreaterThan(300_000);
    expect(loadMw).toBeLessThan(19_000_000);
  });

  it("shows currents that fit power and voltage", () => {
    const { voltageMv, currentMa, activePowerMw } = shown("grid").at(10_000);
    const microwatts = voltageMv.reduce((sum, mv, phase) => sum + mv * (currentMa[phase] ?? 0), 0);
    expect(Math.abs(microwatts / 1000 - Math.abs(activePowerMw))).toBeLessThan(500);
  });
});

function netMwh({ importT1Mwh, importT2Mwh, exportT1Mwh, exportT2Mwh }: ShownByMeter): number {
  return importT1Mwh + importT2Mwh - exportT1Mwh - exportT2Mwh;
}
