import type { Problem } from "../../attest/problem.ts";
import type { OpenLine } from "../modbus/line.ts";
import type { TcpLineSettings } from "../modbus/settings.ts";
import type { RegisterRange, Wanted } from "./facts.ts";
import type { KnownProfile } from "./known.ts";
import { likelyFirst } from "./likely.ts";
import { inParallel } from "./pace.ts";
import { type PlaceOptions, PlaceSurvey } from "./place-survey.ts";
import { sunspecMarker } from "./recognise.ts";
import type { DiscoveryTerms, NetworkTimes, PlaceReport } from "./terms.ts";
import { byFrequency, tcpUnits } from "./units.ts";

/** Hosts that belong together: a network, or those that were named. */
export interface HostGroup {
  /** How messages call it. */
  readonly name: string;
  readonly hosts: readonly string[];
  /** Its hosts were named one by one: one that nobody listens on is worth a word. */
  readonly named: boolean;
}

export interface NetworkListener {
  /** A host is done with and has been let go of; the reports are of the ports that somebody listens on. */
  onHost(reports: readonly PlaceReport[]): void;
  /** Nobody can be reached, or nobody listens on a host that was named; other hosts of the group are left out. */
  onProblem(group: HostGroup, problem: Problem): void;
}

/** Ports of Modbus TCP, and the second one that inverters use. */
const USUAL_PORTS = [502, 1502] as const;
/** Units over TCP; 0 and 248 to 255 are in use, too. */
const TCP_UNITS: readonly [number, number] = [0, 255];

/** Ports that are tried: the usual ones and those of profiles. */
export function tcpPorts(profiles: readonly KnownProfile[]): readonly number[] {
  const own = profiles.flatMap(({ compiled }) => compiled.profile.transport.tcp?.port ?? []);
  return [...new Set([...USUAL_PORTS, ...byFrequency(own)])];
}

/** How long it takes at most to find out who listens, if nobody does, ms. */
export function networkMs(hosts: number, ports: number, { connectMs, width }: NetworkTimes): number {
  return Math.ceil(hosts / width) * ports * connectMs;
}

/** Looks for Modbus devices on the ports of all hosts: so many hosts at a time, and of each host one port at a time. */
export async function surveyNetwork(
  groups: readonly HostGroup[],
  ports: readonly number[],
  { terms, listener }: { readonly terms: DiscoveryTerms; readonly listener: NetworkListener },
): Promise<void> {
  const unreachable = new Set<HostGroup>();
  const items = groups.flatMap((group) => group.hosts.map((host) => ({ group, host })));
  const { signal, network } = terms;
  await inParallel(items, { width: network.width, signal }, async ({ group, host }) => {
    const reports = unreachable.has(group)
      ? []
      : await surveyHost(host, ports, { terms, insist: group.named || terms.allUnits });
    const problem = reports.some(({ connected }) => connected) ? undefined : reports.at(-1)?.report.problem;
    if (problem !== undefined && (group.named || isWholeNetwork(problem)) && !unreachable.has(group)) {
      unreachable.add(group);
      listener.onProblem(group, problem);
    }
    listener.onHost(reports.flatMap(({ connected, report }) => (connected ? [report] : [])));
  });
}

interface PortReport {
  /** Somebody took the connection. */
  readonly connected: boolean;
  readonly report: PlaceReport;
}

async function surveyHost(
  host: string,
  ports: readonly number[],
  { terms, insist }: { readonly terms: DiscoveryTerms; readonly insist: boolean },
): Promise<readonly PortReport[]> {
  const reports: PortReport[] = [];
  for (const port of ports) {
    if (terms.signal.aborted) break;
    const place: TcpLineSettings = { transport: "tcp", host, port };
    const profiles = likelyFirst(terms.profiles, place);
    const survey = new PlaceSurvey({ ...placeOptions(place, terms), insist }, { ...terms, profiles });
    const report = await survey.run();
    const connected = survey.connections > 0;
    reports.push({ connected, report });
    if (!connected && report.problem?.code === UNREACHABLE) break;
  }
  return reports;
}

/** What no other port of the host would change. */
const UNREACHABLE = "modbus-unreachable";

/** This machine has no way to any host of the network. */
function isWholeNetwork({ code, detail: { cause } }: Problem): boolean {
  return code === UNREACHABLE && cause instanceof Error && "code" in cause && cause.code === "ENETUNREACH";
}

function placeOptions(place: TcpLineSettings, terms: DiscoveryTerms): Omit<PlaceOptions, "insist"> {
  const { profiles, network, allUnits, signal } = terms;
  const { connectMs, replyMs, pace } = network;
  const inner = terms.openLine(place, connectMs);
  const openLine: OpenLine = async (until) => {
    await pace.turn(until);
    return await inner(until);
  };
  const delivered = profiles.map(({ compiled }) => compiled.profile.transport);
  const units = tcpUnits(delivered.filter(({ tcp }) => tcp !== undefined).map(({ unit }) => unit));
  const marker: Wanted = { range: sunspecMarker() };
  const usual = mostCommon(profiles, place.port);
  return {
    ...{ place, openLine, replyMs, connectDelayMs: connectDelayMs(profiles, place.port) },
    turn: () => pace.turn(signal),
    units: { likely: units, all: allUnits, range: TCP_UNITS },
    openers: { first: usual === undefined ? [marker] : [marker, { range: usual }], other: [marker] },
    mayMirror: true,
  };
}

/** The longest pause after connecting that a device on that port may need: who asks earlier gets no answer. */
function connectDelayMs(profiles: readonly KnownProfile[], port: number): number {
  const own = profiles.filter(({ compiled }) => compiled.profile.transport.tcp?.port === port);
  return Math.max(0, ...own.map(({ compiled }) => compiled.profile.transport.connectDelayMs));
}

/** Registers that the first of the likely devices on a port has. */
function mostCommon(profiles: readonly KnownProfile[], port: number): RegisterRange | undefined {
  const own = profiles.filter(({ compiled }) => compiled.profile.transport.tcp?.port === port);
  const ranges = own.flatMap(({ rules }) => rules.flatMap(({ ranges }) => ranges).slice(0, 1));
  const key = ({ table, start }: RegisterRange): string => `${table} ${start}`;
  const frequency = (one: RegisterRange): number => ranges.filter((other) => key(one) === key(other)).length;
  return ranges.toSorted((a, b) => frequency(b) - frequency(a))[0];
}
