import type { Problem } from "../../attest/problem.ts";
import { createLine } from "../line/create.ts";
import { openLineOf } from "../modbus/open-line.ts";
import { knownAskers, knownSenders } from "./ask-known.ts";
import { type KnownProfile, knownProfiles } from "./known.ts";
import { knownSpeakers } from "./listen-known.ts";
import { type ListenStop, noticingMs, planListening } from "./listen-plan.ts";
import { type HostGroup, networkMs, surveyNetwork, tcpPorts } from "./network.ts";
import { Pace } from "./pace.ts";
import { Progress, type ProgressState } from "./progress.ts";
import { listenOnNetwork, type SendersReport } from "./senders.ts";
import { type LinePlan, type LineReport, lineMs, surveyLine } from "./serial-survey.ts";
import { planSweep, type SweepStop } from "./sweep-plan.ts";
import type { DiscoveryTerms, ListenTimes, PlaceReport } from "./terms.ts";

/** Where to look. */
export interface DiscoveryTargets {
  /** Paths of serial ports. */
  readonly lines: readonly string[];
  readonly groups: readonly HostGroup[];
  /** Ports of every host; left out: the usual ones and those of profiles. */
  readonly ports?: readonly number[];
}

/** What is told as it is found; what is told of has been let go of. */
export interface DiscoveryListener {
  onLine(report: LineReport): void;
  onHost(reports: readonly PlaceReport[]): void;
  /** Meters that send into the network by themselves; told once, when all were listened for. */
  onSenders(report: SendersReport): void;
  onProblem(group: HostGroup, problem: Problem): void;
  onProgress(state: ProgressState): void;
}

/** What a discovery is going to do. */
export interface DiscoveryPlan {
  readonly lines: readonly string[];
  readonly stops: readonly SweepStop[];
  /** Where to listen on a line before it is asked. */
  readonly listening: readonly ListenStop[];
  readonly groups: readonly HostGroup[];
  readonly ports: readonly number[];
  /** Of one line, and of the whole network: at most, if nothing answers; what answers takes its own time. */
  readonly lineMs: number;
  /** How much of a line's time it takes to see that nobody speaks there; 0 where nobody listens. */
  readonly noticingMs: number;
  readonly networkMs: number;
}

const GAP_MS = 20;
/** The longest silence that devices are known to want: Growatt's 850, and some more. */
const SLOW_GAP_MS = 1000;
/** Hosts at a time, and connections and requests a second over all of them. */
const WIDTH = 32;
const PER_SECOND = 100;
const CONNECT_MS = 1000;
const REPLY_MS = 3000;
/** Meters answer within 200 ms; USB adapters hold bytes back for up to 16 ms each way. */
const PROBE_MS = 240;
const SERIAL_REPLY_MS = 500;
/** Meters make no such pause within a telegram, and a longer one between two. */
const LISTEN_GAP_MS = 300;
const LISTEN_MARGIN_MS = 800;
/** 900 bytes at 2400 baud. */
const TELEGRAM_MS = 4000;
/** Meters send into the network once a second. */
const SENDERS_MS = 3000;

const LISTEN_TIMES: ListenTimes = {
  gapMs: LISTEN_GAP_MS,
  marginMs: LISTEN_MARGIN_MS,
  telegramMs: TELEGRAM_MS,
  sendersMs: SENDERS_MS,
};

/** Terms for real devices; `signal` ends the discovery early. */
export function usualTerms(
  signal: AbortSignal,
  profiles: readonly KnownProfile[] = knownProfiles(),
): DiscoveryTerms {
  return {
    ...{ profiles, signal, allUnits: false, thorough: false, openLine: openLineOf },
    ...{ gapMs: GAP_MS, slowGapMs: SLOW_GAP_MS },
    network: { connectMs: CONNECT_MS, replyMs: REPLY_MS, width: WIDTH, pace: new Pace(PER_SECOND) },
    serial: { probeMs: PROBE_MS, replyMs: SERIAL_REPLY_MS },
    meters: {
      ...{ speakers: knownSpeakers, askers: knownAskers, senders: knownSenders, createLine },
      times: LISTEN_TIMES,
    },
  };
}

/** What there is to do, and how long that takes. Pure. */
export function planDiscovery(
  { lines, groups, ports: given }: DiscoveryTargets,
  terms: DiscoveryTerms,
): DiscoveryPlan {
  const ports = given ?? tcpPorts(terms.profiles);
  const stops = planSweep(terms.profiles, terms);
  const listening = planListening(terms.meters.speakers, terms.meters.times);
  const hosts = groups.reduce((sum, group) => sum + group.hosts.length, 0);
  return {
    ...{ lines, stops, listening, groups, ports },
    lineMs: lineMs({ listening, sweep: stops }, terms),
    noticingMs: noticingMs(listening, terms.thorough),
    networkMs: networkMs(hosts, ports.length, terms.network),
  };
}

/**
 * Looks for devices on all lines and hosts at once. Resolves when all is done, or soon after the terms' signal was
 * aborted, with every line and connection closed; what cannot be reached is told to the listener and stops nothing else.
 */
export async function discover(
  { lines, stops, listening, groups, ports, lineMs: totalMs, networkMs: hostsMs }: DiscoveryPlan,
  { terms, listener }: { readonly terms: DiscoveryTerms; readonly listener: DiscoveryListener },
): Promise<void> {
  const progress = new Progress((state) => listener.onProgress(state));
  const lineJobs = lines.map((path) => ({ path, spent: progress.job(totalMs) }));
  const spent = progress.job(hostsMs);
  const hosts = groups.reduce((sum, group) => sum + group.hosts.length, 0);
  let done = 0;
  const onHost = (reports: readonly PlaceReport[]): void => {
    done += 1;
    spent((hostsMs * done) / hosts);
    if (reports.length > 0) listener.onHost(reports);
  };
  const onProblem: DiscoveryListener["onProblem"] = (group, problem) => listener.onProblem(group, problem);
  const plan: LinePlan = { listening, sweep: stops };
  await Promise.all([
    ...lineJobs.map(sweepLine),
    surveyNetwork(groups, ports, { terms, listener: { onHost, onProblem } }),
    listenOnNetwork(groups, terms).then((report) => listener.onSenders(report)),
  ]);

  async function sweepLine(job: (typeof lineJobs)[number]): Promise<void> {
    const report = await surveyLine(job.path, plan, { terms, listener: { onProgress: job.spent } });
    job.spent(totalMs);
    listener.onLine(report);
  }
}
