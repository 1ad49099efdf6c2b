import { once } from "node:events";
import { connect } from "node:net";

/** Function 3 of Modbus Application Protocol v1.1b3, in a frame of Modbus TCP, by nothing of the house's own. */
export async function rawRegisters(port: number, start: number, count: number): Promise<readonly number[]> {
  const socket = connect(port, "127.0.0.1");
  try {
    await once(socket, "connect");
    const request = Buffer.from([0, 1, 0, 0, 0, 6, 1, 3, 0, 0, 0, 0]);
    request.writeUInt16BE(start, 8);
    request.writeUInt16BE(count, 10);
    socket.write(request);
    let answer = Buffer.alloc(0);
    for await (const chunk of socket) {
      answer = Buffer.concat([answer, chunk as Buffer]);
      if (answer.length >= 9 + 2 * count || (answer[7] ?? 0) > 0x80) break;
    }
    if (answer.length < 9 + 2 * count) throw new Error(`register ${start}: ${answer.toString("hex")}`);
    return Array.from({ length: count }, (_, at) => answer.readUInt16BE(9 + 2 * at));
  } finally {
    socket.destroy();
  }
}

const SUNSPEC_BASE = 40_000;
const END_OF_CHAIN = 0xffff;

/** The first register of a SunSpec model's points, found by walking the chain. */
export async function sunspecModel(port: number, wanted: number): Promise<number> {
  let at = SUNSPEC_BASE + 2;
  for (;;) {
    const [id = END_OF_CHAIN, length = 0] = await rawRegisters(port, at, 2);
    if (id === wanted) return at + 2;
    if (id === END_OF_CHAIN) throw new Error(`no model ${wanted}`);
    at += 2 + length;
  }
}
