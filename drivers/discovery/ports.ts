import { readdir, readFile, realpath } from "node:fs/promises";
import { basename, join } from "node:path";
import { SerialPort } from "serialport";

/** A serial port of this machine. */
export interface FoundPort {
  /** Best under /dev/serial/by-id, which survives replugging. */
  readonly path: string;
  /** Where that leads to. */
  readonly device: string;
  /** Maker of the adapter, if it says; else empty. */
  readonly maker: string;
}

/** Where {@link serialPorts} looks. */
export interface PortSources {
  /** Device nodes, with the maker of the adapter where it is known. */
  list(): Promise<readonly { readonly path: string; readonly manufacturer?: string | undefined }[]>;
  /** Stable names with the device nodes they lead to. */
  stableNames(): Promise<readonly (readonly [name: string, device: string])[]>;
  /** Kind of UART behind a device node as the kernel names it, "0" for none; undefined where it does not say. */
  uartType(device: string): Promise<string | undefined>;
}

const BY_ID = "/dev/serial/by-id";
const NO_UART = "0";

/** Serial ports that there is hardware behind, each once, in the order of their names. */
export async function serialPorts(sources: PortSources = systemSources): Promise<readonly FoundPort[]> {
  const [listed, stable] = await Promise.all([sources.list(), sources.stableNames()]);
  const makers = new Map(listed.map(({ path, manufacturer }) => [path, manufacturer ?? ""]));
  const names = new Map(stable.toReversed().map(([name, device]) => [device, name]));
  const devices = [...new Set([...makers.keys(), ...names.keys()])];
  const real = await Promise.all(
    devices.map(async (device) => ((await sources.uartType(device)) === NO_UART ? [] : [device])),
  );
  return real
    .flat()
    .map((device) => ({ path: names.get(device) ?? device, device, maker: makers.get(device) ?? "" }))
    .sort((a, b) => (a.path < b.path ? -1 : 1));
}

const systemSources: PortSources = {
  // Without udev there is no list, and what is plugged in has to be named.
  list: () => SerialPort.list().catch(() => []),
  stableNames: async () => {
    const names = await readdir(BY_ID).catch(() => []);
    return await Promise.all(
      names.sort().map(async (name) => {
        const path = join(BY_ID, name);
        return [path, await realpath(path).catch(() => path)] as const;
      }),
    );
  },
  uartType: async (device) => {
    const text = await readFile(`/sys/class/tty/${basename(device)}/type`, "utf8").catch(() => undefined);
    return text?.trim();
  },
};
