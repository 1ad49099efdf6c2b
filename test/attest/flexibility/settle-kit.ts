import type { EnergyAt } from "../../../attest/baseline/energies.ts";
import { dayNumber, dayStart, openZone, type Zone } from "../../../attest/baseline/zone.ts";
import type { Call, SettlementEvidence } from "../../../attest/flexibility/settle-types.ts";
import { encodeTerms, type FlexTerms } from "../../../attest/flexibility/terms.ts";
import { CLOSE_SHAPE, DISCONTINUITY, type Discontinuity, type IntervalClose } from "../../../attest/leaf.ts";
import type { Acknowledgement, Commitment } from "../../../attest/leaf-flexibility.ts";

/** Evidence as a device's log would hold it, from a load and the stretches in which nothing was read. */

export const QUARTER = 900_000;
export const HOUR = 3_600_000;
const CHANNEL = 3;
export const COMMITMENT_SEQ = 1_000_000;
const BEHIND_SEQ = 1_000_000_000;
export const COMMITMENT_ID: Uint8Array = new Uint8Array(16).fill(7);

export const BERLIN: Zone = openZone("Europe/Berlin");
/** A Wednesday; the ten weekdays before it begin on 3 June. */
export const EVENT_DAY: number = dayNumber("2026-06-17");
/** 14:00 in Berlin. */
export const START: number = dayStart(BERLIN, EVENT_DAY) + 14 * HOUR;
/** 10:00, four hours before. */
export const NOTICE: number = START - 4 * HOUR;

export interface Stretch {
  readonly fromMs: number;
  readonly toMs: number;
}

export interface Scene {
  readonly terms?: Partial<FlexTerms>;
  readonly fromMs?: number;
  readonly intervalMs?: number;
  readonly deltaMwh?: readonly number[];
  readonly issuedAtMs?: number;
  /** Of the whole time that is shown. */
  readonly load?: EnergyAt;
  /** Of the event and what follows, from its beginning on, in place of the load. */
  readonly actualMwh?: readonly number[];
  /** When nothing was read; apart from each other, each stated as a gap. */
  readonly dark?: readonly Stretch[];
  readonly shownFromMs?: number;
  readonly shownToMs?: number;
  readonly calls?: readonly Call[];
}

/** 1 kWh each quarter of an hour, of which four are to be halved, is called whole, and is what happens. */
export function evidenceOf(scene: Scene = {}): SettlementEvidence {
  const terms: FlexTerms = {
    ...{ direction: 1, baselineMethod: "h10/1", timeZone: "Europe/Berlin", noticeMs: HOUR },
    ...{ settlementRules: 1, ...scene.terms },
  };
  const { fromMs = START, intervalMs = QUARTER, issuedAtMs = NOTICE } = scene;
  const sign = terms.direction === 1 ? -1 : 1;
  const { deltaMwh = Array.from({ length: 4 }, () => sign * 500_000) } = scene;
  const toMs = fromMs + deltaMwh.length * intervalMs;
  const commitment = commitmentOf({ fromMs, intervalMs, deltaMwh });
  const order = {
    ...{ logId: new Uint8Array(32), objectId: COMMITMENT_ID, channel: CHANNEL, issuedAtMs },
    ...{ expiresMs: issuedAtMs + 1, boundary: 2, fromMs, intervalMs, deltaMwh, terms: encodeTerms(terms) },
  };
  const { calls = [callOf({ fromMs, toMs, issuedAtMs })] } = scene;
  return { commitment, order, terms, calls, ...metered(scene, { fromMs, toMs, intervalMs }) };
}

function commitmentOf(what: Pick<Commitment, "fromMs" | "intervalMs" | "deltaMwh">): Commitment {
  return {
    ...{ ...COMMON, kind: "commitment", seq: COMMITMENT_SEQ, boundary: 2, termsDigest: new Uint8Array(32) },
    ...{ counterparty: new Uint8Array(), ...what },
  };
}

const COMMON = { channel: CHANNEL, timeMs: NOTICE, timeQuality: 3, salt: new Uint8Array(16) };

let dispatches = 0;

export interface CallScene extends Stretch {
  readonly issuedAtMs?: number;
  /** Numbers of ACKNOWLEDGEMENT with their reasons; accepted, started and succeeded where absent. */
  readonly answers?: readonly (readonly [state: number, reason?: string])[];
  readonly withdraws?: Call;
  /** Asks for nothing. */
  readonly onlyWithdraws?: boolean;
}

/** A dispatch under the commitment of {@link evidenceOf}. */
export function callOf(scene: CallScene): Call {
  dispatches += 1;
  const seq = COMMITMENT_SEQ + 100 * dispatches;
  const { fromMs, toMs, issuedAtMs = NOTICE, answers = [[1], [3], [4]], withdraws } = scene;
  const objectId = new Uint8Array(16);
  new DataView(objectId.buffer).setUint32(0, dispatches);
  return {
    leaf: { ...COMMON, kind: "dispatch", seq, commitmentSeq: COMMITMENT_SEQ, order: new Uint8Array() },
    order: {
      ...{ logId: new Uint8Array(32), objectId, channel: CHANNEL, issuedAtMs, expiresMs: toMs },
      ...{ commitmentId: COMMITMENT_ID, fromMs, toMs },
      ...(scene.onlyWithdraws === true ? {} : { command: 1, value: -2_000_000 }),
      ...(withdraws === undefined ? {} : { withdraws: withdraws.order.objectId }),
    },
    acknowledgements: answers.map(([state, reason], at): Acknowledgement => {
      const answer = { ...COMMON, kind: "acknowledgement", seq: seq + 1 + at, orderSeq: seq, state } as const;
      return reason === undefined ? answer : { ...answer, reason };
    }),
  };
}

interface Metered {
  readonly closes: readonly IntervalClose[];
  readonly discontinuities: readonly Discontinuity[];
}

function metered(scene: Scene, event: Stretch & { readonly intervalMs: number }): Metered {
  const { dark = [], load = (): number => 1_000_000, actualMwh = [] } = scene;
  const { shownFromMs = dayStart(BERLIN, EVENT_DAY - 14), shownToMs = 2 * event.toMs - event.fromMs } = scene;
  const { intervalMs } = event;
  const energyAt: EnergyAt = (startMs) => actualMwh[(startMs - event.fromMs) / intervalMs] ?? load(startMs);
  const log = new MeterLog();
  for (let ms = shownFromMs; ms < shownToMs; ms += intervalMs)
    log.interval({ fromMs: ms, toMs: ms + intervalMs }, energyAt(ms) ?? 0, dark);
  return log;
}

/** One channel's closes and gaps, as an agent writes them. */
class MeterLog implements Metered {
  readonly closes: IntervalClose[] = [];
  readonly discontinuities: Discontinuity[] = [];
  #seq = 10;
  #importMwh = 5_000_000;
  #exportMwh = 0;

  /** The energy flows in its last instant, so that the parts of a broken interval state something else. */
  interval(span: Stretch, energyMwh: number, dark: readonly Stretch[]): void {
    let atMs: number | undefined = span.fromMs;
    for (const gap of dark.filter(({ fromMs, toMs }) => fromMs < span.toMs && span.fromMs < toMs)) {
      if (atMs !== undefined && gap.fromMs > atMs)
        this.#close({ fromMs: atMs, toMs: gap.fromMs }, CLOSE_SHAPE.endsChain);
      atMs = gap.toMs < span.toMs ? gap.toMs : undefined;
      if (gap.toMs <= span.toMs) this.#gap(gap);
    }
    const before = { importMwh: this.#importMwh, exportMwh: this.#exportMwh };
    this.#importMwh += Math.max(energyMwh, 0);
    this.#exportMwh += Math.max(-energyMwh, 0);
    if (atMs !== undefined)
      this.#close({ fromMs: atMs, toMs: span.toMs }, atMs > span.fromMs ? CLOSE_SHAPE.opensChain : 0, before);
  }

  #close(
    span: Stretch,
    shape: number,
    opening = { importMwh: this.#importMwh, exportMwh: this.#exportMwh },
  ): void {
    const previous = this.closes.at(-1);
    const broken = this.discontinuities.at(-1);
    const seq = this.#nextSeq(span.toMs);
    this.closes.push({
      ...{ ...COMMON, kind: "intervalClose", seq, timeMs: span.toMs, t0Ms: span.fromMs, t1Ms: span.toMs },
      ...{ openingImportMwh: opening.importMwh, closingImportMwh: this.#importMwh },
      ...{ openingExportMwh: opening.exportMwh, closingExportMwh: this.#exportMwh },
      ...{ openingSeq: seq - 9, closingSeq: seq - 1, count: 8, manifestSeq: 1 },
      ...{ manifestHash: new Uint8Array(32), ...(shape === 0 ? {} : { shape }) },
      ...(previous === undefined ? {} : { previousCloseSeq: previous.seq }),
      ...(broken === undefined ? {} : { lastDiscontinuitySeq: broken.seq }),
    });
  }

  /** What comes after the notice stands behind the dispatches and what answers them at once. */
  #nextSeq(atMs: number): number {
    this.#seq = Math.max(this.#seq, atMs > NOTICE ? BEHIND_SEQ : 0) + 10;
    return this.#seq;
  }

  #gap({ fromMs, toMs }: Stretch): void {
    const previous = this.discontinuities.at(-1);
    const seq = this.#nextSeq(toMs);
    this.discontinuities.push({
      ...{ ...COMMON, kind: "discontinuity", seq, timeMs: toMs, gapFromMs: fromMs, gapToMs: toMs },
      classification: DISCONTINUITY.gap,
      ...(previous === undefined ? {} : { previousDiscontinuitySeq: previous.seq }),
    });
  }
}
