import { Problem } from "../../attest/problem.ts";
import type { SmpConnection } from "../smp/connection.ts";
import type { ImageSlot } from "../smp/image-group.ts";
import { listRunning } from "./recovery.ts";

/** Opens the line to a microcontroller; called again where the line went away, as a USB port does with each reset. */
export type Connect = () => Promise<SmpConnection>;

/** So many looks in succession without an answer, and the line is opened anew: a port may be dead and not say so. */
const SILENT_LOOKS = 3;

/** A microcontroller at the end of a line that may go and come back. */
export class Target {
  readonly #connect: Connect;
  #connection: SmpConnection;
  #silentLooks = 0;
  /** Why the last look saw nothing. */
  lastProblem: Problem | undefined;

  private constructor(connect: Connect, connection: SmpConnection) {
    this.#connect = connect;
    this.#connection = connection;
  }

  /** @throws Problem `line-…` */
  static async open(connect: Connect): Promise<Target> {
    return new Target(connect, await connect());
  }

  get connection(): SmpConnection {
    return this.#connection;
  }

  get name(): string {
    return this.#connection.name;
  }

  /**
   * The images, asked for once; undefined where that gave no answer for whatever reason, which is what a microcontroller
   * does that is on its way. Opens the line anew where that may help.
   *
   * @throws Problem `smp-aborted`
   */
  async look(signal?: AbortSignal): Promise<readonly ImageSlot[] | undefined> {
    try {
      if (this.#connection.lost || this.#silentLooks >= SILENT_LOOKS) await this.#reopen();
      const slots = await listRunning(this.#connection, { attempts: 1, signal });
      this.#silentLooks = 0;
      return slots;
    } catch (error) {
      if (!(error instanceof Problem) || error.code === "smp-aborted") throw error;
      this.lastProblem = error;
      this.#silentLooks += 1;
      return undefined;
    }
  }

  /** Never throws. */
  close(): Promise<void> {
    return this.#connection.close();
  }

  async #reopen(): Promise<void> {
    this.#silentLooks = 0;
    await this.#connection.close();
    this.#connection = await this.#connect();
  }
}
