import { join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { toHex } from "../../../attest/bytes.ts";
import { decodeCbor, decodeCborMap } from "../../../attest/cbor.ts";
import { CHECKPOINT_FIELDS } from "../../../attest/checkpoint.ts";
import type { LocalSigner } from "../../../attest/signature.ts";
import { deviceSigner, FakeTime, temporaryFolder } from "../kit.ts";
import { FailingWrites, type Fault, WRITE_FAULTS } from "./failing-writes.ts";
import { fsck, MEBIBYTE, nodeSigner, Station } from "./ledger-kit.ts";
import { SmallDisk } from "./small-disk.ts";

/** Several lives of one device on one disk, and everything that it ever said. */
class Device {
  readonly path: string;
  readonly time = new FakeTime();
  station: Station;
  /** Registers that were durable, or signed, at some time. */
  readonly durable: number[] = [];
  /** Roots that were signed, by log and size; the signature need not have been stored. */
  readonly roots = new Map<string, string>();
  readonly wrongs: string[] = [];
  #importMwh = 1_000_000;

  constructor(path: string) {
    this.path = path;
    this.station = this.#start();
  }

  read(count: number): void {
    const { ledger } = this.station;
    // As samples that were under way when the disk became full.
    if (ledger.status().state !== "takes-over" && ledger.sealer.writer.fullness < 0.9)
      this.station.read(count);
  }

  /** Commits, and remembers what the journal says that it holds. */
  tick(): void {
    this.station.ledger.tick();
    this.#note();
  }

  async sign(): Promise<void> {
    await this.station.ledger.checkpoint().catch(() => undefined);
  }

  async witness(): Promise<void> {
    await this.station.witness().catch(() => undefined);
  }

  /** The power goes and comes back. */
  cut(): void {
    this.#note();
    this.#importMwh = this.station.importMwh;
    this.station.cut();
    this.station = this.#start();
  }

  /** Whatever failed works again. */
  async recover(): Promise<void> {
    for (let tick = 0; tick < 4; tick++) {
      this.tick();
      await this.station.settle();
    }
    this.read(3);
    this.tick();
    await this.station.ledger.checkpoint();
    this.#note();
  }

  expectSound(): void {
    const { station } = this;
    expect(this.wrongs).toEqual([]);
    expect(this.roots.size).toBeGreaterThan(0);
    expect(station.ledger.status().state).toBe("ok");
    expect(fsck(this.path)).toEqual([]);
    const epochs = station.ledger.log.journal.epochs().reverse();
    const held = epochs.flatMap((epoch) => station.registers(epoch));
    const lost = this.durable.filter((register) => !held.includes(register));
    const released = station.leaves().some(({ kind }) => kind === "tombstone");
    if (!released) expect(lost).toEqual([]);
    // This life's readings are there in their order, each once.
    const now = new Set(station.sealed);
    if (!released) expect(held.filter((register) => now.has(register))).toEqual(station.sealed);
  }

  #start(): Station {
    const { path, time } = this;
    const signer: LocalSigner = {
      publicKey: deviceSigner.publicKey,
      sign: (message) => {
        this.#witnessed(message);
        return deviceSigner.sign(message);
      },
    };
    const station = new Station({
      ...{ path, time, signer, nodes: [nodeSigner.publicKey], reserveBytes: MEBIBYTE / 4 },
      keeping: { maxBytes: 64 * MEBIBYTE },
    });
    station.importMwh = this.#importMwh;
    return station;
  }

  /** Nothing is signed that is not durable, nor two roots for one size. */
  #witnessed(message: Uint8Array): void {
    const parts = decodeCbor(message, { maxDepth: 4, maxLength: 8192 });
    if (!Array.isArray(parts)) throw new Error("no Sig_structure");
    const [, header, , payload] = parts;
    if (!(payload instanceof Uint8Array) || !(header instanceof Uint8Array))
      throw new Error("no Sig_structure");
    const fields = decodeCborMap(payload);
    const [size, root] = [fields.get(CHECKPOINT_FIELDS.size.key), fields.get(CHECKPOINT_FIELDS.root.key)];
    if (typeof size !== "number" || !(root instanceof Uint8Array)) throw new Error("no checkpoint");
    const { journal, identity } = this.station.ledger.log;
    const durable = journal.size(identity.epoch);
    if (durable < size) this.wrongs.push(`size ${size} was signed with ${durable} leaves durable`);
    const name = `${toHex(header)} ${size}`;
    if ((this.roots.get(name) ?? toHex(root)) !== toHex(root)) this.wrongs.push(`two roots of size ${size}`);
    this.roots.set(name, toHex(root));
  }

  #note(): void {
    const { ledger, sealed } = this.station;
    if (ledger.status().state === "lost") return;
    const waiting = new Set(
      ledger.sealer.writer.pending.flatMap((leaf) => (leaf.kind === "reading" ? [leaf.importMwh ?? 0] : [])),
    );
    const known = new Set(this.durable);
    this.durable.push(...sealed.filter((register) => !waiting.has(register) && !known.has(register)));
  }
}

const fault: fc.Arbitrary<Fault> = fc.record({
  code: fc.constantFrom(...WRITE_FAULTS),
  after: fc.nat({ max: 60 }),
  count: fc.integer({ min: 1, max: 40 }),
  late: fc.boolean(),
});

describe("writes that fail", () => {
  let folder = "";
  let remove = (): void => undefined;
  let failing: FailingWrites;

  beforeEach(() => {
    const made = temporaryFolder();
    folder = made.folder;
    remove = made.remove;
    failing = new FailingWrites();
  });
  afterEach(() => {
    failing.restore();
    remove();
  });

  it("leave nothing signed that is not durable, and memory as the file is, wherever in a commit they fail", async () => {
    let run = 0;
    const step = fc.record({ fault, cut: fc.boolean(), readings: fc.integer({ min: 1, max: 30 }) });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 4 }), async (steps) => {
        run += 1;
        const device = new Device(join(folder, `${run}.sqlite`));
        try {
          for (const { fault: armed, cut, readings } of steps) {
            device.read(readings);
            failing.arm(armed);
            device.tick();
            device.read(2);
            await device.sign();
            await device.witness();
            device.tick();
            failing.disarm();
            if (cut) device.cut();
          }
          await device.recover();
          device.expectSound();
        } finally {
          failing.disarm();
          device.station.close();
        }
      }),
      { numRuns: 25, seed: 11 },
    );
    expect(failing.failed).toBeGreaterThan(100);
  });

  it("leave the same on a disk that is full at any moment", async (context) => {
    const disk = SmallDisk.mount(8 * MEBIBYTE);
    if (disk === undefined) return context.skip("only root can make a file system that is soon full");
    const actions = fc.constantFrom("read", "read", "tick", "sign", "witness", "fill", "free", "cut");
    const step = fc.record({ action: actions, amount: fc.integer({ min: 0, max: 200 }) });
    let run = 0;
    try {
      await fc.assert(
        fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 40 }), async (steps) => {
          run += 1;
          const device = new Device(join(disk.folder, `${run}.sqlite`));
          try {
            for (const { action, amount } of steps) await act(device, disk, { action, amount });
            disk.free();
            await device.recover();
            device.expectSound();
          } finally {
            device.station.close();
            disk.clear();
          }
        }),
        { numRuns: 15, seed: 5 },
      );
    } finally {
      disk.close();
    }
  });
});

interface Action {
  readonly action: string;
  readonly amount: number;
}

async function act(device: Device, disk: SmallDisk, { action, amount }: Action): Promise<void> {
  if (action === "read") device.read(amount);
  else if (action === "tick") device.tick();
  else if (action === "sign") await device.sign();
  else if (action === "witness") await device.witness();
  else if (action === "fill") disk.fill(amount * 1024);
  else if (action === "free") disk.free();
  else if (disk.freeBytes > MEBIBYTE) device.cut();
}
