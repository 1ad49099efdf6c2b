/** Public entry `kilowitness/drivers`: the contract of a driver, its vocabulary, and the catalogue. */

export { Problem, type ProblemDetail } from "../attest/problem.ts";
export {
  CHANNEL_ROLES,
  type ChannelRole,
  type FlexibilityReading,
  type MeterReading,
  READING_STATUS,
} from "../attest/reading.ts";
export { catalogueOf, type DriverCatalogue, driverCatalogue } from "./catalogue.ts";
export {
  CONTROL_KINDS,
  CONTROL_MODES,
  type ControlCapability,
  type ControlCommand,
  type ControlKind,
  type Controllable,
  type ControlMode,
  type ControlRatings,
  type ControlResult,
  type ControlState,
  type ControlValue,
  type RevertResult,
} from "./control.ts";
export type {
  ChannelDescription,
  Doubt,
  DriverDefinition,
  MeterDriver,
  MeterIdentity,
  PolledMeter,
  PushListener,
  PushMeter,
  RawFrame,
  Snapshot,
  UsedPort,
} from "./driver.ts";
export type { LineAddress, SerialAddress, SerialFormat, TcpAddress } from "./line/address.ts";
