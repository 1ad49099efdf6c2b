import { Command, CommanderError } from "commander";
import { VERSION } from "../runtime/version.ts";

/** Each command in a module of its own: a gateway that runs the agent loads nothing of the node or the demo. */
const COMMANDS: ReadonlyMap<string, () => Promise<Command>> = new Map([
  ["probe", async () => (await import("../agent/cli/probe.ts")).probeCommand()],
  ["agent", async () => (await import("../agent/cli/agent.ts")).agentCommand()],
  ["status", async () => (await import("../agent/cli/status.ts")).statusCommand()],
  ["support-bundle", async () => (await import("../agent/cli/support-bundle.ts")).supportBundleCommand()],
  ["enrol", async () => (await import("../agent/cli/enrol.ts")).enrolCommand()],
  ["backup", async () => (await import("../agent/cli/backup.ts")).backupCommand()],
  ["restore", async () => (await import("../agent/cli/restore.ts")).restoreCommand()],
  ["replace-gateway", async () => (await import("../agent/cli/replace-gateway.ts")).replaceGatewayCommand()],
  ["config-schema", async () => (await import("../agent/cli/config-schema.ts")).configSchemaCommand()],
  ["drivers", async () => (await import("../agent/cli/drivers.ts")).driversCommand()],
  ["scan", async () => (await import("../agent/cli/scan.ts")).scanCommand()],
  ["simulate", async () => (await import("../agent/cli/simulate.ts")).simulateCommand()],
  ["firmware", async () => (await import("../agent/cli/firmware.ts")).firmwareCommand()],
  ["decode", async () => (await import("../agent/cli/decode.ts")).decodeCommand()],
  ["capture", async () => (await import("../agent/cli/capture.ts")).captureCommand()],
  ["fsck", async () => (await import("./fsck/command.ts")).fsckCommand()],
  ["flex", async () => (await import("./flex.ts")).wholeFlexCommand()],
  ["prove", async () => (await import("../agent/cli/prove.ts")).proveCommand()],
  ["verify", async () => (await import("../network/cli/verify.ts")).verifyCommand()],
  ["inspect", async () => (await import("../network/cli/inspect.ts")).inspectCommand()],
  ["node", async () => (await import("../network/cli/node.ts")).nodeCommand()],
  ["admit", async () => (await import("../network/cli/admit.ts")).admitCommand()],
  ["keygen", async () => (await import("../agent/cli/keygen.ts")).keygenCommand()],
  ["demo", async () => (await import("./demo/command.ts")).demoCommand()],
]);

const HELP = `
On a gateway, in this order:
  kilowitness scan                          find meters on serial ports and in the network, ready to paste
  kilowitness probe --config agent.yaml     read every device once: is the wiring right?
  kilowitness enrol --config agent.yaml     a QR code for the node's operator; takes a one-time code
  kilowitness agent --config agent.yaml     seal, keep and stream readings
  kilowitness status --config agent.yaml    how the running agent stands, and what needs attention
  kilowitness prove --config agent.yaml     list closed intervals, write the proof of one
  kilowitness support-bundle --config agent.yaml --out support.tar.gz
  kilowitness backup --config agent.yaml --out FILE    and restore, replace-gateway: docs/backup.md
  kilowitness fsck FILE                     check a journal or a node's store from end to end

For a meter whose telegrams somebody wrote down (docs/decode.md):
  kilowitness decode sml FILE               what is in telegrams of P1, SML, DLMS, IEC 62056-21, M-Bus, VE.Direct, Speedwire

For a microcontroller beside the gateway (docs/firmware-bridge.md):
  kilowitness firmware upload FILE …        verify an image, store it, test it, confirm it (also: list, verify, confirm)
  kilowitness firmware check --port PORT    does a coprocessor's firmware do all that its protocol asks for?
  kilowitness simulate microcontroller      one to try both with

For a device that is not in the list (docs/add-a-device.md):
  kilowitness drivers [WORD]                the devices that can be read
  kilowitness probe --profile FILE …        what a profile makes of a device, live
  kilowitness capture --profile FILE …      a device's registers for the profile's tests
  kilowitness simulate FILE                 a device of that profile, without hardware

At a node (docs/node.md):
  kilowitness node --config node.yaml       take devices' logs, check every entry, give receipts
  kilowitness admit code --config node.yaml let a device in (also: list, approve, reject, remove, quarantined, release)
  kilowitness flex offers DEVICE --config node.yaml   what a device offers (also: commit, dispatch, withdraw,
                                            challenge, orders, settlement, track-record, proof)

Anywhere else:
  kilowitness verify hour.kwp               check a proof somebody gave you
  kilowitness flex baseline --load load.csv …   what a baseline method says of an event
  kilowitness inspect receipt.cose          see what a leaf, an object or a proof says, as JSON
  kilowitness demo                          see the whole path on simulated devices`;

const HELP_HINT = "(add --help for what it takes)";

/** Runs the command line; sets the exit status: 0 done, 1 it failed, 2 the command line or configuration is wrong. */
export async function main(args: readonly string[]): Promise<void> {
  const program = new Command("kilowitness")
    // Or a command takes options for its own that stand behind the name of one below it.
    .enablePositionalOptions()
    .description("a witness for kilowatt-hours: reads meters, seals every reading, proves any interval")
    .version(VERSION)
    .addHelpText("after", HELP);
  for (const load of wanted(args[0])) program.addCommand(exitTwo(await load()));
  exitTwo(program);
  try {
    await program.parseAsync([...args], { from: "user" });
  } catch (cause) {
    if (!(cause instanceof CommanderError)) throw cause;
    process.exitCode = cause.exitCode === 0 ? 0 : 2;
  }
}

/** The named command alone; all of them for help or for a name that nobody has. */
function wanted(name: string | undefined): (() => Promise<Command>)[] {
  const one = COMMANDS.get(name ?? "");
  return one === undefined ? [...COMMANDS.values()] : [one];
}

/** Commander has printed its sentence already; the process ends by itself. */
function exitTwo(command: Command): Command {
  return command.showHelpAfterError(HELP_HINT).exitOverride();
}
