import { z } from "zod";
import { describeProblem } from "../../attest/problem.ts";
import { controlLimitsSchema } from "../control/options.ts";
import type { DriverDefinition, UsedPort } from "../driver.ts";
import { checkPlace, modbusShape } from "../modbus/options.ts";
import { busPort } from "../modbus/registry.ts";
import { compileProfile } from "./compile.ts";
import type { CompiledProfile } from "./compiled.ts";
import { lineOf } from "./delivery.ts";
import { ProfileDevice, type ProfileOptions } from "./device.ts";
import { loadProfile } from "./load.ts";
import type { ProfileTransport } from "./profile.ts";

const positive = z
  .record(z.string(), z.enum(["import", "export"]))
  .default({})
  .describe("Direction of positive power by channel, where it is not what the profile says");

/** The driver that a profile is; its transport gives the defaults of the options. */
export function driverOfProfile(compiled: CompiledProfile): DriverDefinition {
  const { profile, name } = compiled;
  const shape = { ...modbusShape, ...defaultsOf(profile.transport), positive };
  // A device that is only read has no limits to keep to.
  const whole: z.ZodObject<typeof shape, z.core.$strict> =
    profile.control === undefined
      ? z.strictObject(shape)
      : z.strictObject({ ...shape, controlLimits: controlLimitsSchema });
  const schema = whole.superRefine(checkPlace).superRefine((options, context) => {
    for (const channel of Object.keys(options.positive))
      if (profile.channels[channel]?.power === undefined)
        context.addIssue({ code: "custom", path: ["positive", channel], message: noPower(compiled) });
  });
  return {
    name,
    summary: profile.title,
    schema,
    ports: (options: z.output<typeof schema>): readonly UsedPort[] => [
      busPort(lineOf(compiled, options), options),
    ],
    open(options: z.output<typeof schema> & Pick<ProfileOptions, "controlLimits">): ProfileDevice {
      return new ProfileDevice(compiled, options);
    },
  };
}

/** Options as the schema of the driver "profile" leaves them: what is left out is the profile's. */
type OwnOptions = Pick<ProfileOptions, "host" | "line" | "timeoutMs" | "positive" | "controlLimits"> & {
  readonly profile: string;
} & { readonly [key in keyof Defaults]?: number | undefined };

type Defaults = Pick<typeof modbusShape, "port" | "unit" | "connectDelayMs" | "minGapMs">;

const { port, unit, connectDelayMs, minGapMs } = modbusShape;

const ownSchema = z
  .strictObject({
    ...modbusShape,
    port: port.unwrap().optional(),
    unit: unit.unwrap().optional(),
    connectDelayMs: connectDelayMs.unwrap().optional(),
    minGapMs: minGapMs.unwrap().optional(),
    positive,
    controlLimits: controlLimitsSchema,
    profile: z.string().min(1).describe("Path of the profile"),
  })
  .superRefine((options, context) => {
    try {
      const compiled = compileProfile("profile", loadProfile(options.profile));
      checkPlace(completed(compiled, options), context);
    } catch (error) {
      context.addIssue({ code: "custom", path: ["profile"], message: describeProblem(error).message });
    }
  });

/** Any device that a profile's file describes, also one that does not come with the project. */
export const profileDriver: DriverDefinition = {
  name: "profile",
  summary: "A Modbus device by a profile of your own",
  schema: ownSchema,
  files: ["profile"],
  ports(options: z.output<typeof ownSchema>): readonly UsedPort[] {
    const compiled = compileProfile("profile", loadProfile(options.profile));
    const device = completed(compiled, options);
    return [busPort(lineOf(compiled, device), device)];
  },
  open(options: z.output<typeof ownSchema>): ProfileDevice {
    const compiled = compileProfile("profile", loadProfile(options.profile));
    return new ProfileDevice(compiled, completed(compiled, options));
  },
};

/** Options with the profile's own values where the configuration does not say. */
function completed({ profile: { transport } }: CompiledProfile, options: OwnOptions): ProfileOptions {
  return {
    ...options,
    port: options.port ?? transport.tcp?.port ?? 502,
    unit: options.unit ?? transport.unit,
    connectDelayMs: options.connectDelayMs ?? transport.connectDelayMs,
    minGapMs: options.minGapMs ?? transport.minGapMs,
  };
}

function defaultsOf(transport: ProfileTransport): Defaults {
  return {
    port: port.unwrap().default(transport.tcp?.port ?? 502),
    unit: unit.unwrap().default(transport.unit),
    connectDelayMs: connectDelayMs.unwrap().default(transport.connectDelayMs),
    minGapMs: minGapMs.unwrap().default(transport.minGapMs),
  };
}

function noPower({ profile }: CompiledProfile): string {
  const known = Object.entries(profile.channels).flatMap(([name, channel]) =>
    channel.power === undefined ? [] : name,
  );
  return `expected one of the channels with power: ${known.join(", ")}`;
}
