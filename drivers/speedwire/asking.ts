import type { Problem } from "../../attest/problem.ts";
import type { MeterIdentity } from "../driver.ts";
import { UdpLine, type UdpSettings } from "../line/udp.ts";
import { SpeedwireFramer } from "./framing.ts";
import { identityOf } from "./identity.ts";
import { SPEEDWIRE_GROUP, SPEEDWIRE_PORT } from "./place.ts";
import { parseSpeedwire } from "./telegram.ts";

/** A meter that was heard, and the address that it speaks from. */
export interface HeardMeter {
  readonly identity: MeterIdentity;
  readonly address: string;
}

/** No network has more meters; beyond, others are not remembered. */
const MAX_METERS = 256;

/**
 * Listens for SMA's meters and sends nothing: they speak at least once a second.
 *
 * @param signal ends the listening early
 * @param ms how long to listen; 2.5 s hear every meter twice
 * @throws Problem `line-interface`, `line-busy`, `line-…` where it cannot be listened at all
 */
export async function listenSpeedwire(
  signal: AbortSignal,
  ms: number,
  options: Partial<Pick<UdpSettings, "group" | "port" | "interface">> = {},
): Promise<readonly HeardMeter[]> {
  const heard = new Map<string, HeardMeter>();
  const onDatagram = (bytes: Uint8Array, address: string): void => {
    for (const meter of metersIn(bytes, address))
      if (heard.size < MAX_METERS || heard.has(meter.identity.serial))
        heard.set(meter.identity.serial, meter);
  };
  const line = new UdpLine({ group: SPEEDWIRE_GROUP, port: SPEEDWIRE_PORT, ...options, onDatagram });
  let lost: Problem | undefined;
  try {
    const ended = until(signal, ms);
    await line.open({
      onBytes: () => undefined,
      onClosed: (problem) => {
        lost = problem;
      },
    });
    await ended;
  } finally {
    await line.close();
  }
  if (lost !== undefined && heard.size === 0) throw lost;
  return [...heard.values()];
}

/** A datagram has one telegram; what it is not whole in does not count. */
function metersIn(bytes: Uint8Array, address: string): readonly HeardMeter[] {
  return new SpeedwireFramer()
    .push(bytes)
    .flatMap((framed) =>
      framed.kind === "telegram" ? [{ identity: identityOf(parseSpeedwire(framed.bytes)), address }] : [],
    );
}

function until(signal: AbortSignal, ms: number): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal.addEventListener("abort", done, { once: true });
  });
}
