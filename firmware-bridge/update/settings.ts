import type { VerifiedImage } from "../image/verify-image.ts";
import type { SmpConnection } from "../smp/connection.ts";
import type { ImageSlot } from "../smp/image-group.ts";
import type { UploadProgress, UploadResult } from "../smp/upload.ts";
import type { RestartTimes } from "./restart.ts";
import type { StageName } from "./stage.ts";
import type { Connect } from "./target.ts";

/** What an update reports while it is under way. */
export type UpdateEvent =
  | { readonly kind: "found"; readonly slots: readonly ImageSlot[] }
  /** This is done next. */
  | { readonly kind: "stage"; readonly stage: StageName }
  | ({ readonly kind: "progress" } & UploadProgress)
  /** The new image failed, and the old one is brought back. */
  | { readonly kind: "going-back" };

export interface UpdateTimes extends RestartTimes {
  /** Of the first piece of an upload, before which a slot may be erased as a whole; the upload's own unless told. */
  readonly firstPieceMs?: number;
}

export interface UpdateSettings {
  readonly connect: Connect;
  /** Verified under the pinned key: nothing else can be installed. */
  readonly image: VerifiedImage;
  /** Leaves the new image running unconfirmed: the reset after takes it away. */
  readonly testOnly?: boolean;
  /** Also where the bootloader cannot bring the old image back. */
  readonly noWayBack?: boolean;
  /** Also where MCUboot's recovery answers, which overwrites the image that would run. */
  readonly recovery?: boolean;
  /** The owner's own check of the new image, beside that it answers; whatever it throws brings the old image back. */
  readonly check?: (connection: SmpConnection) => Promise<void>;
  readonly onEvent?: (event: UpdateEvent) => void;
  /** Stops between two messages. What is done stays, and the next update goes on from there. */
  readonly signal?: AbortSignal;
  readonly times?: Partial<UpdateTimes>;
}

export interface UpdateResult {
  /**
   * `already-confirmed`: nothing was sent. `self-confirmed`: the new image stays without having been asked to, because it
   * confirmed itself or the bootloader knows no test. `under-test`: as `testOnly` has it.
   */
  readonly outcome: "confirmed" | "already-confirmed" | "self-confirmed" | "under-test";
  /** What ran when the update began; undefined in the recovery. */
  readonly before: ImageSlot | undefined;
  readonly running: ImageSlot;
  /** Undefined where the image was there already. */
  readonly upload: UploadResult | undefined;
}
