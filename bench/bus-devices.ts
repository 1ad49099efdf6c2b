import { startTcpPeer } from "../drivers/simulated/modbus-peer.ts";

/** `node bus-devices.ts COUNT` serves so many Modbus TCP devices, prints their ports as JSON, and ends with its stdin. */
const count = Number(process.argv[2] ?? 0);
const peers = await Promise.all(
  Array.from({ length: count }, () =>
    startTcpPeer({
      framing: "tcp",
      model: { read: ({ start, count: wanted }) => Array.from({ length: wanted }, (_, i) => start + i) },
    }),
  ),
);
process.stdout.write(`${JSON.stringify(peers.map(({ port }) => port))}\n`);
process.stdin.resume();
process.stdin.once("end", () => process.exit());
