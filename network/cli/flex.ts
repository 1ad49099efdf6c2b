import { type Command, Option } from "commander";
import { Problem } from "../../attest/problem.ts";
import { askNode, askNodeFile, type NodeDoor } from "./ask-node.ts";
import {
  channelsOf,
  dispatchesOf,
  flexibilityOf,
  type ListedOrder,
  orderOf,
  trackRecordOf,
} from "./flex-answers.ts";
import {
  aboutDevice,
  collected,
  type FlexAnswer,
  type FlexOptions,
  idOf,
  runFlex,
  wattHoursOf,
  wattsOf,
  wholeOf,
  writeAnswer,
} from "./flex-ask.ts";
import { flexibilityWords, type Names, ordersWords, orderWords, trackRecordWords } from "./flex-words.ts";

interface CommitOptions extends FlexOptions {
  readonly channel: string;
  readonly boundary: string;
  readonly direction: string;
  readonly from: string;
  readonly delta: number[];
  readonly method: string;
  readonly zone: string;
  readonly notice: number;
  readonly offer?: number;
  readonly holiday?: readonly string[];
  readonly exclude?: readonly string[];
}

interface DispatchOptions extends FlexOptions {
  readonly channel?: string;
  readonly commitment?: string;
  readonly from?: string;
  readonly to?: string;
  readonly power?: number;
  readonly importLimit?: number;
  readonly exportLimit?: number;
  readonly ramp?: number;
  readonly follow?: boolean;
  readonly supersedes?: string;
}

interface ChallengeOptions extends FlexOptions {
  readonly channel: string;
  readonly site?: string;
  readonly steps?: number;
  readonly stepSeconds?: number;
  readonly mid?: number;
  readonly halfSwing?: number;
}

interface ProofOptions extends FlexOptions {
  readonly out: string;
}

const CHALLENGE_HELP = `
What is left out is of flexibility in the node's configuration. flex orders shows what the device answers, and the verdict.`;
const ORDER_HELP = `
The order is signed and sent as soon as the device is connected; flex orders shows what the device answers.`;

/** `kilowitness flex …` at a running node: what a device offers, orders to it, and what came of them. */
export function flexNodeCommands(): Command[] {
  const questions = [offersCommand(), ordersCommand(), settlementCommand(), trackRecordCommand()];
  return [
    ...questions,
    proofCommand(),
    commitCommand(),
    dispatchCommand(),
    withdrawCommand(),
    challengeCommand(),
  ];
}

function offersCommand(): Command {
  return aboutDevice("offers", "what a device could do now, offers, and is committed to").action(
    (device: string, options: FlexOptions) =>
      runFlex("offers", options, async (door) => {
        const answer = await askNode(door, { method: "GET", path: `/devices/${device}/flexibility` });
        return { answer, lines: flexibilityWords(flexibilityOf(answer), await namesAt(door, device)) };
      }),
  );
}

async function namesAt(door: NodeDoor, device: string): Promise<Names> {
  return channelsOf(await askNode(door, { method: "GET", path: `/devices/${device}` }));
}

function ordersCommand(): Command {
  return aboutDevice(
    "orders",
    "orders that the node has given a device, and its answers, newest first",
  ).action((device: string, options: FlexOptions) =>
    runFlex("orders", options, async (door) => {
      const orders: ListedOrder[] = [];
      const path = `/devices/${device}/flexibility?limit=100`;
      for (let next: string | null = path; next !== null; ) {
        const page = flexibilityOf(await askNode(door, { method: "GET", path: next }));
        orders.push(...page.orders);
        next = page.next;
      }
      return { answer: { orders }, lines: ordersWords(orders, await namesAt(door, device)) };
    }),
  );
}

function settlementCommand(): Command {
  return aboutDevice("settlement", "one commitment: its dispatches, and what was delivered")
    .argument("<commitment>", "its id", idOf)
    .action((device: string, id: string, options: FlexOptions) =>
      runFlex("settlement", options, async (door) => {
        const answer = await askNode(door, { method: "GET", path: `/devices/${device}/commitments/${id}` });
        const order = orderOf(answer);
        const open = order.result === undefined ? ["  not settled yet"] : [];
        return {
          answer,
          lines: [...orderWords(order), ...open, ...dispatchesOf(answer).flatMap((one) => orderWords(one))],
        };
      }),
    );
}

function trackRecordCommand(): Command {
  return aboutDevice("track-record", "how a device's commitments and challenges have ended").action(
    (device: string, options: FlexOptions) =>
      runFlex("track-record", options, async (door) => {
        const answer = await askNode(door, { method: "GET", path: `/devices/${device}/track-record` });
        return { answer, lines: trackRecordWords(trackRecordOf(answer)) };
      }),
  );
}

function proofCommand(): Command {
  return aboutDevice("proof", "write the settlement proof of a commitment, which kilowitness verify takes")
    .argument("<commitment>", "its id", idOf)
    .requiredOption("--out <file>", "file to write")
    .action((device: string, id: string, options: ProofOptions) =>
      runFlex("proof", options, async (door) => {
        const bytes = await askNodeFile(door, `/devices/${device}/commitments/${id}/proof`);
        writeAnswer(options.out, bytes);
        const answer = { file: options.out, bytes: bytes.length };
        return { answer, lines: [`${options.out}: ${bytes.length} bytes`] };
      }),
    );
}

function commitCommand(): Command {
  return aboutDevice("commit", "bind a device to deliver: an order that it may refuse")
    .requiredOption("--channel <name>", "whose energy counts: a channel as flex offers names it")
    .addOption(
      new Option("--boundary <name>", "site: the channel is the meter of the grid connection")
        .choices(["device", "site"])
        .default("device"),
    )
    .addOption(
      new Option("--direction <name>", "reduce: less net import; increase: more")
        .choices(["reduce", "increase"])
        .makeOptionMandatory(),
    )
    .requiredOption("--from <time>", "begin, ISO 8601 with zone, at an interval's begin")
    .requiredOption(
      "--delta <Wh,Wh,…>",
      "change in Wh, one for each interval of the device; - for reduce",
      wattHoursOf,
    )
    .requiredOption("--method <name>", "baseline method, such as h10/1: that of the offer")
    .requiredOption("--zone <name>", "time zone of the site, as the device has it: Europe/Amsterdam")
    .requiredOption("--notice <seconds>", "how long before the begin the device must know", wholeOf)
    .option("--offer <number>", "the offer that it takes, by its number in flex offers", wholeOf)
    .option("--holiday <date>", "a day that counts as a Sunday; may be repeated", collected)
    .option("--exclude <date>", "a day that no baseline uses; may be repeated", collected)
    .addHelpText("after", ORDER_HELP)
    .action((device: string, options: CommitOptions) => {
      const { channel, boundary, direction, from, delta: deltaMwh, method, zone, notice, offer } = options;
      const terms = { baselineMethod: method, timeZone: zone, noticeSeconds: notice };
      return give("commit", options, {
        path: `/devices/${device}/commitments`,
        body: {
          ...{ channel, boundary, direction, from, deltaMwh, ...terms, offer },
          ...{ holidays: options.holiday, excludedDays: options.exclude },
        },
      });
    });
}

function dispatchCommand(): Command {
  return aboutDevice("dispatch", "have a device keep to a value for a time, or call a commitment")
    .option("--channel <name>", "the controlled channel; of a commitment at the device it is known")
    .option(
      "--commitment <id>",
      "the commitment that is called; without --from and --to the whole of it",
      idOf,
    )
    .option("--from <time>", "begin, ISO 8601 with zone")
    .option("--to <time>", "end, ISO 8601 with zone")
    .option("--power <W>", "power setpoint, + into the device", wattsOf)
    .option("--import-limit <W>", "largest import", wattsOf)
    .option("--export-limit <W>", "largest export", wattsOf)
    .option("--follow", "with --commitment: its baseline and what is committed")
    .option("--ramp <W>", "how fast the power may change, W in a second", wattsOf)
    .option("--supersedes <id>", "the dispatch whose place it takes", idOf)
    .addHelpText("after", ORDER_HELP)
    .action((device: string, options: DispatchOptions) => {
      const { commitment, from, to } = options;
      if (commitment !== undefined && from === undefined && to === undefined)
        return callAll(device, commitment, options);
      const { channel, power, importLimit, exportLimit, ramp, supersedes } = options;
      return give("dispatch", options, {
        path: `/devices/${device}/dispatches`,
        body: {
          ...{ channel, commitment, from, to, powerMw: power, importLimitMw: importLimit },
          ...{ exportLimitMw: exportLimit, rampMwPerSecond: ramp, supersedes },
        },
      });
    });
}

function callAll(device: string, commitment: string, options: DispatchOptions): Promise<void> {
  const { channel, power, follow, ramp } = options;
  return runFlex("dispatch", options, async (door) => {
    if (
      options.importLimit !== undefined ||
      options.exportLimit !== undefined ||
      options.supersedes !== undefined
    )
      throw new Problem("config-options", "a whole commitment is called by a power", {
        expected: "--power or --follow, or --from and --to",
      });
    const body = { channel, powerMw: power, follow, rampMwPerSecond: ramp };
    const path = `/devices/${device}/commitments/${commitment}/call`;
    const answer = await askNode(door, { method: "POST", path, body });
    return { answer, lines: dispatchesOf(answer).flatMap((one) => orderWords(one)) };
  });
}

function withdrawCommand(): Command {
  return aboutDevice("withdraw", "end a dispatch")
    .argument("<dispatch>", "its id", idOf)
    .action((device: string, id: string, options: FlexOptions) =>
      give("withdraw", options, { path: `/devices/${device}/dispatches/${id}/withdraw`, body: undefined }),
    );
}

function challengeCommand(): Command {
  return aboutDevice("challenge", "have a device show, unannounced, that it can flex")
    .requiredOption("--channel <name>", "the controlled channel")
    .option("--site <name>", "the grid meter that it should be behind; left out: none is looked at")
    .option("--steps <number>", "steps of the pattern, 14 to 24 and even", wholeOf)
    .option("--step-seconds <number>", "length of a step; the channel must be read four times in it", wholeOf)
    .option(
      "--mid <W>",
      "between the high and the low steps; left out: what the device has room for",
      wattsOf,
    )
    .option("--half-swing <W>", "from there to a step", wattsOf)
    .addHelpText("after", CHALLENGE_HELP)
    .action((device: string, options: ChallengeOptions) => {
      const { channel, site, steps, stepSeconds, mid, halfSwing } = options;
      return give("challenge", options, {
        path: `/devices/${device}/challenges`,
        body: { channel, siteChannel: site, steps, stepSeconds, midMw: mid, halfSwingMw: halfSwing },
      });
    });
}

/** Values that are not given are left out of the JSON. */
function give(
  name: string,
  options: FlexOptions,
  { path, body }: { readonly path: string; readonly body: object | undefined },
): Promise<void> {
  return runFlex(name, options, async (door: NodeDoor): Promise<FlexAnswer> => {
    const answer = await askNode(door, { method: "POST", path, ...(body === undefined ? {} : { body }) });
    return { answer, lines: orderWords(orderOf(answer)) };
  });
}
