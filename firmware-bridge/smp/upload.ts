import { createHash } from "node:crypto";
import { Problem } from "../../attest/problem.ts";
import { encodeSmpMap, type SmpMap, smpMap } from "./cbor.ts";
import type { SmpConnection, SmpRequest } from "./connection.ts";
import { Fields } from "./fields.ts";
import { GROUP, HEADER_BYTES } from "./message.ts";
import { abortedProblem } from "./problems.ts";

export interface UploadProgress {
  /** As the microcontroller says; it may fall when it lost something. */
  readonly storedBytes: number;
  readonly totalBytes: number;
}

export interface UploadOptions {
  /**
   * Which of several images of a device, 0 where there is one. MCUboot's recovery takes 0 as the **running** slot and
   * may know others by other numbers.
   */
  readonly image?: number;
  /** False: begins anew even where the microcontroller has a part already. */
  readonly resume?: boolean;
  /** Has the microcontroller refuse what is not newer than the running image. */
  readonly upgradeOnly?: boolean;
  readonly onProgress?: (progress: UploadProgress) => void;
  /** Ends the upload between two messages; what is stored stays, and the next upload may go on from there. */
  readonly signal?: AbortSignal;
  /** Of the first piece, before which the slot may be erased as a whole. */
  readonly firstTimeoutMs?: number;
  readonly timeoutMs?: number;
  /** How often in succession a piece may stay without an answer, less one. */
  readonly attempts?: number;
}

export interface UploadResult {
  /** What the microcontroller had already of an earlier upload. */
  readonly resumedAtBytes: number;
  /** How often it lost all and had to be given it from the beginning. */
  readonly restarts: number;
  /** Whether the microcontroller compared the hash of the file; not all do. */
  readonly compared: boolean;
}

const UPLOAD: SmpRequest = { name: "image upload", operation: "write", group: GROUP.image, command: 1 };

const FIRST_TIMEOUT_MS = 40_000;

/** The header of an image has to be in the first piece: Zephyr img_mgmt_upload_inspect. */
const MIN_PIECE_BYTES = 32;

/**
 * How often in succession the microcontroller may take nothing of a piece; and how often it may fall back without
 * getting further than it ever was.
 */
const MAX_SETBACKS = 5;

/**
 * Uploads an image, piece by piece, each as long as a message may be, always from where the microcontroller says that
 * it stands: it may take less than it is given, ask again for what was lost, or know a part from an upload that was
 * broken off. Where no message as long was ever answered, silence makes them shorter: there are consoles that drop long
 * ones (intercreate/smpmgr issue 8).
 *
 * Source: zephyrproject-rtos/zephyr subsys/mgmt/mcumgr/grp/img_mgmt/src/img_mgmt.c, commit 06407b7, zephyr_img_mgmt.c,
 * commit 03730ae; mcu-tools/mcuboot boot/boot_serial/src/boot_serial.c, commit 01562f5.
 *
 * @throws Problem `smp-timeout`, `smp-aborted`, `smp-upload-…`, `line-…`, and what the microcontroller refuses with
 */
export function uploadImage(
  connection: SmpConnection,
  image: Uint8Array,
  options: UploadOptions = {},
): Promise<UploadResult> {
  return new Upload(connection, image, options).run();
}

class Upload {
  readonly #connection: SmpConnection;
  readonly #image: Uint8Array;
  readonly #options: UploadOptions;
  readonly #sha256: Uint8Array | undefined;
  /** Where the microcontroller stands; undefined before it first said so. */
  #storedBytes: number | undefined;
  #resumedAtBytes = 0;
  #restarts = 0;
  #compared = false;
  /** The furthest that it ever stood. */
  #furthestBytes = 0;
  /** The furthest that it can know, from here or from an earlier upload. */
  #knownBytes = 0;
  #refusals = 0;
  #falls = 0;
  #silences = 0;
  /** How long messages are made, and the longest of them that was answered. */
  #messageBytes: number;
  #answeredBytes = 0;

  constructor(connection: SmpConnection, image: Uint8Array, options: UploadOptions) {
    this.#connection = connection;
    this.#image = image;
    this.#options = options;
    this.#messageBytes = connection.maxMessageBytes;
    this.#sha256 = options.resume === false ? undefined : createHash("sha256").update(image).digest();
  }

  async run(): Promise<UploadResult> {
    if (this.#image.length === 0)
      throw this.#problem("empty", "there is nothing to upload", {
        hint: "give it the signed image",
      });
    while (this.#storedBytes !== this.#image.length) await this.#step();
    return { resumedAtBytes: this.#resumedAtBytes, restarts: this.#restarts, compared: this.#compared };
  }

  async #step(): Promise<void> {
    const { onProgress } = this.#options;
    const from = this.#storedBytes ?? 0;
    const piece = this.#piece(from);
    const answer = await this.#sent({ ...UPLOAD, fields: this.#fields(from, piece) }, from);
    if (answer === undefined) {
      // It may have taken the piece and the answer was lost: then it says so next time.
      if (this.#messageBytes > this.#answeredBytes) this.#messageBytes >>= 1;
      return;
    }
    this.#silences = 0;
    this.#answeredBytes = Math.max(this.#answeredBytes, this.#messageBytes);
    this.#stands(new Fields(answer, this.#connection.where(UPLOAD)), { from, bytes: piece.length });
    onProgress?.({ storedBytes: this.#storedBytes ?? 0, totalBytes: this.#image.length });
  }

  /** The answer; undefined where none came and the piece may be sent again. */
  async #sent(request: SmpRequest, from: number): Promise<SmpMap | undefined> {
    const { signal, attempts = this.#connection.attempts } = this.#options;
    if (signal?.aborted === true) throw abortedProblem(this.#connection.where(UPLOAD));
    try {
      return await this.#connection.ask(request, { timeoutMs: this.#timeoutMs(from), attempts: 1, signal });
    } catch (error) {
      if (!(error instanceof Problem) || error.code !== "smp-timeout") throw error;
      this.#silences += 1;
      if (this.#silences >= attempts) throw error;
      return undefined;
    }
  }

  #timeoutMs(from: number): number {
    const { firstTimeoutMs = FIRST_TIMEOUT_MS, timeoutMs = this.#connection.timeoutMs } = this.#options;
    return from === 0 ? firstTimeoutMs : timeoutMs;
  }

  #piece(from: number): Uint8Array {
    const { maxMessageBytes } = this.#connection;
    // The length of the data takes up to two bytes more than that of no data.
    const overhead = HEADER_BYTES + encodeSmpMap(this.#fields(from, new Uint8Array(0))).length + 2;
    if (maxMessageBytes - overhead < MIN_PIECE_BYTES)
      throw this.#problem("no-room", "the messages of the microcontroller are too short for an image", {
        expected: `at least ${overhead + MIN_PIECE_BYTES} bytes`,
        got: String(maxMessageBytes),
        hint: "the firmware needs larger buffers (CONFIG_MCUMGR_TRANSPORT_NETBUF_SIZE)",
      });
    return this.#image.subarray(from, from + Math.max(MIN_PIECE_BYTES, this.#messageBytes - overhead));
  }

  /** The first piece says what is uploaded; so does every one that begins anew. */
  #fields(from: number, data: Uint8Array): SmpMap {
    if (from > 0) return smpMap({ off: from, data });
    const { image = 0, upgradeOnly = false } = this.#options;
    return smpMap({
      image: image === 0 ? undefined : image,
      len: this.#image.length,
      off: 0,
      sha: this.#sha256,
      data,
      upgrade: upgradeOnly ? true : undefined,
    });
  }

  /** Takes over where the microcontroller says that it stands. */
  #stands(answer: Fields, sent: Sent): void {
    const stored = answer.count("off");
    const first = this.#storedBytes === undefined;
    this.#checkPossible(stored, sent);
    if (first && stored > sent.bytes) this.#resumedAtBytes = stored;
    if (stored === 0 && sent.from > 0) this.#restarts += 1;
    this.#checkProgress(stored, sent.from);
    this.#storedBytes = stored;
    const match = answer.optionalFlag("match");
    if (match === false)
      throw this.#problem("mismatch", "what the microcontroller stored is not what was sent", {
        hint: "upload it again, with no other program on the port",
      });
    this.#compared = match === true;
  }

  /** Only the answer to a first piece with a hash may know more than was sent: of an earlier upload. */
  #checkPossible(stored: number, { from, bytes }: Sent): void {
    const resumes = from === 0 && this.#sha256 !== undefined;
    this.#knownBytes = Math.max(this.#knownBytes, from + bytes, resumes ? stored : 0);
    const most = Math.min(this.#knownBytes, this.#image.length);
    if (stored <= most) return;
    throw this.#problem("offset", "the microcontroller has more than it was given", {
      expected: `at most ${most} bytes`,
      got: String(stored),
      hint: "is another program uploading? end it, then upload again",
    });
  }

  #checkProgress(stored: number, from: number): void {
    this.#refusals = stored === from ? this.#refusals + 1 : 0;
    if (stored < from) this.#falls += 1;
    if (stored > this.#furthestBytes) {
      this.#furthestBytes = stored;
      this.#falls = 0;
    }
    if (Math.max(this.#refusals, this.#falls) <= MAX_SETBACKS) return;
    throw this.#problem("stalled", "the upload does not get on", {
      expected: `more than ${stored} of ${this.#image.length} bytes`,
      got: `the same again, ${MAX_SETBACKS + 1} times`,
      hint: "is another program uploading? end it, or reset the microcontroller; then upload again",
    });
  }

  #problem(code: string, what: string, detail: { expected?: string; got?: string; hint: string }): Problem {
    return new Problem(`smp-upload-${code}`, what, { where: this.#connection.where(UPLOAD), ...detail });
  }
}

interface Sent {
  readonly from: number;
  readonly bytes: number;
}
