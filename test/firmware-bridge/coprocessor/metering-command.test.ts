import { once } from "node:events";
import { createServer } from "node:net";
import { describe, expect, it } from "vitest";
import { closeLater } from "../../kit/close-later.ts";
import { commandAlone, type Outcome, outcomeOf } from "../../kit/run-command.ts";
import { type Bench, bench } from "./kit.ts";

const COMMAND = new URL("../../../agent/cli/firmware.ts", import.meta.url).href;
const RUN = commandAlone(COMMAND, "firmwareCommand");

function checked(...args: readonly string[]): Promise<Outcome> {
  return outcomeOf([...RUN, "check", ...args]);
}

/** A TCP port behind which the microcontroller of `made` answers. */
async function portOf({ mcu }: Bench): Promise<string> {
  const server = createServer((socket) => {
    socket.on("data", (bytes: Uint8Array) => socket.write(mcu.receive(bytes)));
    socket.on("error", () => socket.destroy());
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  closeLater({ close: async () => void server.close() });
  const address = server.address();
  return typeof address === "object" ? `tcp://127.0.0.1:${address?.port}` : "";
}

describe("kilowitness firmware check --watch", () => {
  it("reads on for so long and compares registers with power, which it says otherwise that it does not", async () => {
    const monotonicMs = (): number => performance.now();
    const port = await portOf(bench({ monotonicMs, keyless: true }));
    const [watched, plain] = await Promise.all([
      checked("--port", port, "--watch", "1", "--json"),
      checked("--port", await portOf(bench({ monotonicMs })), "--json"),
    ]);
    const named = ({ out }: Outcome): unknown[] => Object(JSON.parse(out)).checks;
    expect(named(watched)).toContainEqual({ name: "read: goes on for 1 s", outcome: "passed" });
    expect(named(watched)).toContainEqual({
      ...{ name: "read: registers of grid go with its power", outcome: "skipped" },
      detail: expect.stringMatching(/^too little flowed to tell/),
    });
    expect(named(plain)).toContainEqual({
      ...{ name: "read: registers go with power", outcome: "skipped" },
      detail: expect.stringMatching(/--watch 60/),
    });
  });

  it("refuses what is no number of seconds up to an hour", async () => {
    const wrong = ["0", "3601", "1.5"];
    const refused = await Promise.all(
      wrong.map((seconds) => checked("--port", "/dev/no-such-port", "--watch", seconds)),
    );
    expect(refused.map(({ out }) => out)).toEqual(["", "", ""]);
    for (const [at, { err }] of refused.entries())
      expect(err).toContain(`'${wrong[at]}' is invalid. expected 1 to 3600 seconds, got "${wrong[at]}"`);
  });
});
