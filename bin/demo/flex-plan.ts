/** Local times in Amsterdam in June: 2 hours before UTC. */
const local = (day: number, hour: number, minute = 0): number => Date.UTC(2026, 5, day, hour - 2, minute);

export interface FlexPlan {
  readonly network: string;
  readonly timeZone: string;
  readonly intervalMs: number;
  readonly startMs: number;
  readonly offerMs: number;
  readonly commitMs: number;
  /** From here on time passes in small steps. */
  readonly fineFromMs: number;
  readonly dispatchMs: number;
  /** The event. */
  readonly fromMs: number;
  readonly toMs: number;
  /** By then the device has sealed its own account. */
  readonly settledMs: number;
  readonly challengeMs: number;
  readonly noticeSeconds: number;
  readonly offeredKw: number;
  /** Committed in each quarter of an hour; - is less import. */
  readonly deltaMwh: number;
  /** What the battery is told: - is discharging. */
  readonly dispatchMw: number;
  /** Minutes of the day between which the battery is kept for whoever calls. */
  readonly keptBack: { readonly fromMinute: number; readonly toMinute: number };
  readonly baselineMethod: string;
  readonly challenge: { readonly steps: number; readonly stepSeconds: number; readonly halfSwingMw: number };
}

/** Three weeks of an ordinary life, and then an evening on which the battery is called. */
export const PLAN: FlexPlan = {
  network: "demo",
  timeZone: "Europe/Amsterdam",
  intervalMs: 900_000,
  // Monday 1 June 2026, 00:00.
  startMs: local(1, 0),
  // Monday 22 June.
  offerMs: local(22, 12),
  commitMs: local(22, 16),
  fineFromMs: local(22, 20, 15),
  dispatchMs: local(22, 20, 25),
  fromMs: local(22, 20, 30),
  toMs: local(22, 21, 30),
  // The event, as long again for what comes back, and two intervals for the last close.
  settledMs: local(22, 23, 5),
  challengeMs: local(22, 23, 17),
  noticeSeconds: 3600,
  offeredKw: 3,
  deltaMwh: -625_000,
  dispatchMw: -2_800_000,
  keptBack: { fromMinute: 1200, toMinute: 1320 },
  baselineMethod: "h10/1",
  challenge: { steps: 14, stepSeconds: 60, halfSwingMw: 1_500_000 },
};

/** How time passes: how often everything happens, ms. */
export interface Pace {
  /** One look of everybody at what is due. */
  readonly tickMs: number;
  /** Between two readings of both devices. */
  readonly readMs: number;
  /** Between two signatures, each sent to the node at once. */
  readonly shipMs: number;
}

/** Far from the event: everything seldom, the home in steps of 5 s. */
export const COARSE: Pace = { tickMs: 900_000, readMs: 900_000, shipMs: 86_400_000 };
/** Around the event, as an agent does it; the home in steps of 100 ms. */
export const FINE: Pace = { tickMs: 5000, readMs: 10_000, shipMs: 60_000 };

/** Near the event, where nothing is told to the battery. */
export const CALM: Pace = { tickMs: 30_000, readMs: 30_000, shipMs: 300_000 };

export const STEP_MS = { coarse: 5000, fine: 100 } as const;
