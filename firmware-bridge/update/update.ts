import { Problem } from "../../attest/problem.ts";
import type { SmpConnection } from "../smp/connection.ts";
import { confirmImage, type ImageSlot, testImage } from "../smp/image-group.ts";
import { learnParameters } from "../smp/os-group.ts";
import { type UploadOptions, type UploadResult, uploadImage } from "../smp/upload.ts";
import { bootloaderMode, requireWayBack } from "./bootloader.ts";
import {
  checkProblem,
  hashLengthProblem,
  hashProblem,
  lostProblem,
  noRoomProblem,
  notStartedProblem,
  recoveryProblem,
  staysProblem,
  stoppedProblem,
  stuckProblem,
} from "./problems.ts";
import { listRunning } from "./recovery.ts";
import { RESTART_TIMES, restart } from "./restart.ts";
import { selfCheck } from "./self-check.ts";
import type { UpdateEvent, UpdateResult, UpdateSettings, UpdateTimes } from "./settings.ts";
import {
  awaitsReset,
  isRecovery,
  isUnderTest,
  STAGES,
  type StageName,
  stageOf,
  type UpdateStage,
} from "./stage.ts";
import { Target } from "./target.ts";

/** Of a request that was not heard, on a line that loses some. */
const MAX_ATTEMPTS = 3;

/**
 * Installs an image: upload, compare, test, reset, check, confirm. Which of it is left to do is worked out from the
 * microcontroller's own list each time, so that an update that was broken off anywhere is begun again and goes on. The
 * line is opened by `connect` and closed here.
 *
 * @throws Problem `update-…` (docs/firmware-update.md), `smp-…` and `line-…`
 */
export async function updateFirmware(settings: UpdateSettings): Promise<UpdateResult> {
  const target = await Target.open(settings.connect);
  try {
    return await new Update(target, settings).run();
  } finally {
    await target.close();
  }
}

class Update {
  readonly #target: Target;
  readonly #settings: UpdateSettings;
  readonly #hash: Uint8Array;
  readonly #times: UpdateTimes;
  #stage: StageName | undefined;
  #before: ImageSlot | undefined;
  #upload: UploadResult | undefined;

  constructor(target: Target, settings: UpdateSettings) {
    this.#target = target;
    this.#settings = settings;
    this.#hash = settings.image.digest;
    this.#times = { ...RESTART_TIMES, ...settings.times };
  }

  async run(): Promise<UpdateResult> {
    try {
      return await this.#steps();
    } catch (error) {
      if (isAbort(error)) throw stoppedProblem(this.#where, this.#stage);
      throw lostProblem(error, this.#where, this.#stage);
    }
  }

  async #steps(): Promise<UpdateResult> {
    let slots = await this.#begin();
    for (;;) {
      const stage = this.#stageOf(slots);
      if (this.#stage === undefined) await this.#requireAllowed(stage.name);
      const previous = this.#advance(stage.name, slots);
      if (stage.name === "done") return await this.#done(stage.running, previous);
      if (stage.name === "check") return await this.#check(stage.running);
      slots = await this.#step(stage.name);
    }
  }

  async #begin(): Promise<readonly ImageSlot[]> {
    await learnParameters(this.#connection, this.#asking);
    const slots = await listRunning(this.#connection, this.#asking);
    this.#before = slots.find(({ active }) => active);
    this.#tell({ kind: "found", slots });
    return slots;
  }

  /**
   * A listed hash is the image's word for itself, and stands before the signature: an upload that was cut off behind it
   * looks stored. So what this update did not store itself is uploaded, which firmware that compares ends at once.
   */
  #stageOf(slots: readonly ImageSlot[]): UpdateStage {
    const stage = stageOf(slots, this.#hash, this.#where);
    return stage.name === "test" && this.#upload === undefined ? { ...stage, name: "upload" } : stage;
  }

  /** Before anything is changed. */
  async #requireAllowed(first: StageName): Promise<void> {
    const { recovery = false, noWayBack = false } = this.#settings;
    if (first === "recovery" && !recovery) throw recoveryProblem(this.#where);
    if (first !== "upload") return;
    requireSameHashLength(this.#before?.hash, this.#hash, this.#where);
    if (noWayBack) return;
    requireWayBack(await bootloaderMode(this.#connection, this.#asking), this.#where);
  }

  /** Each stage comes once, and later ones never lead back: or something does not do what it says. */
  #advance(next: StageName, slots: readonly ImageSlot[]): StageName | undefined {
    const previous = this.#stage;
    // What was written in the recovery is in the slot that runs.
    const after = previous === "recovery" ? "restart" : previous;
    if (after !== undefined && STAGES.indexOf(next) <= STAGES.indexOf(after))
      throw previous === "upload"
        ? hashProblem(this.#where, this.#hash, slots)
        : notStartedProblem(this.#where, slots);
    this.#stage = next;
    this.#tell({ kind: "stage", stage: next });
    return previous;
  }

  async #step(stage: Exclude<StageName, "check" | "done">): Promise<readonly ImageSlot[]> {
    switch (stage) {
      case "recovery":
        return await this.#recover();
      case "upload":
        await this.#store({});
        return await listRunning(this.#connection, this.#asking);
      case "test":
        return await this.#until("test", () => testImage(this.#connection, this.#hash, this.#asking));
      case "restart":
        return await this.#restart((slots) => awaitsReset(slots, this.#hash));
    }
  }

  /** Into the slot that runs: the recovery neither resumes nor tests. */
  async #recover(): Promise<readonly ImageSlot[]> {
    await this.#store({ resume: false });
    return await this.#restart(isRecovery);
  }

  async #store(options: UploadOptions): Promise<void> {
    const { image, signal } = this.#settings;
    const { firstPieceMs } = this.#times;
    try {
      this.#upload = await uploadImage(this.#connection, image.bytes, {
        ...options,
        onProgress: (progress) => this.#tell({ kind: "progress", ...progress }),
        ...(signal === undefined ? {} : { signal }),
        ...(firstPieceMs === undefined ? {} : { firstTimeoutMs: firstPieceMs }),
      });
    } catch (error) {
      if (!(error instanceof Problem) || error.code !== "smp-image-too-large") throw error;
      throw noRoomProblem(this.#where, image.bytes.length, error);
    }
  }

  #restart(isBefore: (slots: readonly ImageSlot[]) => boolean): Promise<readonly ImageSlot[]> {
    return restart(this.#target, { times: this.#times, isBefore, signal: this.#settings.signal });
  }

  /** It stays already. Where this update started it, that was not asked for, and it is checked all the same. */
  async #done(running: ImageSlot, previous: StageName | undefined): Promise<UpdateResult> {
    if (previous === undefined) return this.#result("already-confirmed", running);
    try {
      await this.#selfCheck();
    } catch (error) {
      throw isAbort(error) ? error : staysProblem(this.#where, error);
    }
    return this.#result(previous === "recovery" ? "confirmed" : "self-confirmed", running);
  }

  async #check(running: ImageSlot): Promise<UpdateResult> {
    try {
      await this.#selfCheck();
      if (this.#settings.testOnly === true) return this.#result("under-test", running);
      return await this.#confirm();
    } catch (error) {
      if (isAbort(error)) throw error;
      return await this.#goBack(error);
    }
  }

  async #confirm(): Promise<UpdateResult> {
    const confirm = (): Promise<readonly ImageSlot[]> =>
      confirmImage(this.#connection, this.#hash, this.#asking);
    const slots = await this.#until("check", confirm);
    const stage = stageOf(slots, this.#hash, this.#where);
    if (stage.name === "done") return this.#result("confirmed", stage.running);
    throw notStartedProblem(this.#where, slots);
  }

  /**
   * Asks for a state of the images. Each request goes out once; where it fails, the list says whether it was heard all
   * the same, and only where nothing has changed it is made again.
   */
  async #until(
    stage: "test" | "check",
    ask: () => Promise<readonly ImageSlot[]>,
  ): Promise<readonly ImageSlot[]> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await ask();
      } catch (error) {
        if (isAbort(error)) throw error;
        const slots = await this.#target.look(this.#settings.signal);
        if (slots !== undefined && stageOf(slots, this.#hash, this.#where).name !== stage) return slots;
        if (slots === undefined || attempt >= MAX_ATTEMPTS) throw error;
      }
    }
  }

  #selfCheck(): Promise<void> {
    const { check } = this.#settings;
    return selfCheck(this.#connection, this.#hash, { check, asking: this.#asking });
  }

  /** Not to be stopped: a reset is on its way, or is not needed. */
  async #goBack(cause: unknown): Promise<never> {
    this.#tell({ kind: "going-back" });
    const isBefore = (slots: readonly ImageSlot[]): boolean => isUnderTest(slots, this.#hash);
    let slots = await this.#target.look();
    const wentByItself = slots !== undefined && !isBefore(slots);
    try {
      if (slots === undefined || isBefore(slots))
        slots = await restart(this.#target, { times: this.#times, isBefore });
    } catch (failure) {
      throw stuckProblem(this.#where, failure, cause);
    }
    if (stageOf(slots, this.#hash, this.#where).name === "done") throw staysProblem(this.#where, cause);
    if (wentByItself) throw notStartedProblem(this.#where, slots);
    const running = slots.find(({ active }) => active);
    throw checkProblem(this.#where, running, cause);
  }

  #result(outcome: UpdateResult["outcome"], running: ImageSlot): UpdateResult {
    return { outcome, before: this.#before, running, upload: this.#upload };
  }

  #tell(event: UpdateEvent): void {
    this.#settings.onEvent?.(event);
  }

  get #connection(): SmpConnection {
    return this.#target.connection;
  }

  get #asking(): { readonly signal: AbortSignal | undefined } {
    return { signal: this.#settings.signal };
  }

  get #where(): string {
    return this.#target.name;
  }
}

/**
 * Firmware and bootloader are built for one kind of hash, that of the image that runs: another kind would be stored, never
 * listed, and never started.
 */
function requireSameHashLength(running: Uint8Array | undefined, hash: Uint8Array, where: string): void {
  if (running === undefined || running.length === hash.length) return;
  throw hashLengthProblem(where, { running: running.length, image: hash.length });
}

function isAbort(error: unknown): boolean {
  return error instanceof Problem && error.code === "smp-aborted";
}
