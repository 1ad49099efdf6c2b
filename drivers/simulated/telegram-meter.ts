import type { Problem } from "../../attest/problem.ts";
import { type TelegramFault, withTelegramFault } from "./telegram-faults.ts";
import {
  type OpenTelegramPlace,
  openTelegramPlace,
  type TelegramClient,
  type TelegramPlace,
} from "./telegram-place.ts";

/** What makes the telegrams of a meter that speaks by itself: a SimulatedSpeaker, whatever it shows. */
export interface Speaking<Shown> {
  telegrams(shown: Shown): readonly Uint8Array[];
  withWrongChecksum(telegram: Uint8Array): Uint8Array | undefined;
}

/** What makes the answers of a meter that is asked: a SimulatedAnswerer, whatever it shows. */
export interface Answering<Shown> {
  answers(bytes: Uint8Array, shown: Shown): readonly Uint8Array[];
  withWrongChecksum(telegram: Uint8Array): Uint8Array | undefined;
}

interface TelegramMeterOptions<Shown> {
  readonly place: TelegramPlace;
  /** What the meter shows now; asked each time that it speaks. */
  readonly shown: () => Shown;
  /** What goes wrong with what it says next, or undefined. */
  readonly fault?: (() => TelegramFault | undefined) | undefined;
  /** Called each time that somebody was sent something, with its fault. */
  readonly onServed?: ((shown: Shown, fault: TelegramFault | undefined) => void) | undefined;
  /** The place went away by itself; the meter still wants to be closed. */
  readonly onLost?: ((problem: Problem) => void) | undefined;
}

export interface SpeakingMeterOptions<Shown> extends TelegramMeterOptions<Shown> {
  readonly periodMs: number;
  readonly speaker: Speaking<Shown>;
}

export interface AnsweringMeterOptions<Shown> extends TelegramMeterOptions<Shown> {
  /** One for each line: it may remember where in a conversation it is. */
  readonly answerer: () => Answering<Shown>;
}

/** A running simulated meter. */
export interface TelegramMeterHandle {
  /** The port it listens on, also where 0 was asked for; 0 where there is none. */
  readonly port: number;
  /** Clients connected now; a serial line and a multicast group count as one. */
  clients(): number;
  /** Hangs up on every TCP client; they may come back. */
  hangUp(): void;
  close(): Promise<void>;
}

/**
 * Starts a meter that speaks by itself: every `periodMs` its telegrams to everybody who listens.
 *
 * @throws Problem `line-…` or `simulate-place` when the place cannot be opened
 */
export async function startSpeakingMeter<Shown>(
  options: SpeakingMeterOptions<Shown>,
): Promise<TelegramMeterHandle> {
  const place = await openTelegramPlace(options.place, {
    onClient: () => () => undefined,
    onLost: (problem) => options.onLost?.(problem),
  });
  const timer = setInterval(() => speak(options, place.clients), options.periodMs);
  return handleOf(place, () => clearInterval(timer));
}

function speak<Shown>(options: SpeakingMeterOptions<Shown>, clients: ReadonlySet<TelegramClient>): void {
  if (clients.size === 0) return;
  const shown = options.shown();
  const good = options.speaker.telegrams(shown);
  say(options, {
    shown,
    good,
    clients,
    withWrongChecksum: (bytes) => options.speaker.withWrongChecksum(bytes),
  });
}

/**
 * Starts a meter that answers when it is asked, each client in a conversation of its own.
 *
 * @throws Problem `line-…` or `simulate-place` when the place cannot be opened
 */
export async function startAnsweringMeter<Shown>(
  options: AnsweringMeterOptions<Shown>,
): Promise<TelegramMeterHandle> {
  const place = await openTelegramPlace(options.place, {
    onClient: (client) => answering(options, client),
    onLost: (problem) => options.onLost?.(problem),
  });
  return handleOf(place, () => undefined);
}

function answering<Shown>(
  options: AnsweringMeterOptions<Shown>,
  client: TelegramClient,
): (bytes: Uint8Array) => void {
  const answerer = options.answerer();
  const clients = new Set([client]);
  const withWrongChecksum = (bytes: Uint8Array): Uint8Array | undefined => answerer.withWrongChecksum(bytes);
  return (bytes) => {
    const shown = options.shown();
    const good = answerer.answers(bytes, shown);
    if (good.length > 0) say(options, { shown, good, clients, withWrongChecksum });
  };
}

interface Said<Shown> {
  readonly shown: Shown;
  readonly good: readonly Uint8Array[];
  readonly clients: ReadonlySet<TelegramClient>;
  withWrongChecksum(telegram: Uint8Array): Uint8Array | undefined;
}

function say<Shown>(options: TelegramMeterOptions<Shown>, said: Said<Shown>): void {
  const { shown, good, clients } = said;
  const wanted = options.fault?.();
  const spoilt = wanted === undefined ? undefined : withTelegramFault(good, wanted, said.withWrongChecksum);
  const telegrams = spoilt ?? good;
  const took = [...clients].filter((client) => sendAll(client, telegrams));
  if (took.length > 0 && telegrams.length > 0)
    options.onServed?.(shown, spoilt === undefined ? undefined : wanted);
}

function sendAll(client: TelegramClient, telegrams: readonly Uint8Array[]): boolean {
  return telegrams.every((telegram) => client.send(telegram));
}

function handleOf(place: OpenTelegramPlace, stop: () => void): TelegramMeterHandle {
  return {
    port: place.port,
    clients: () => place.clients.size,
    hangUp: () => place.hangUp(),
    close: () => {
      stop();
      return place.close();
    },
  };
}
