/**
 * Public entry `kilowitness/drivers/kit`: what a device maker tests a driver or a profile with, in any test runner and in
 * any repository.
 */

export { compileProfile } from "../profile/compile.ts";
export type { CompiledProfile } from "../profile/compiled.ts";
export { driverOfProfile } from "../profile/definition.ts";
export { type RegisterMap, readImage, registerMap } from "../profile/image.ts";
export { type LoadedProfile, loadProfile, parseProfile } from "../profile/load.ts";
export {
  type SimulatedProfile,
  type SimulatedProfileOptions,
  startSimulatedProfile,
} from "../simulated/profile-device.ts";
export {
  type ControlledSuite,
  type ControlledSuiteOptions,
  startControlledSuite,
} from "../simulated/sunspec-controlled.ts";
export type { CheckResult } from "./checklist.ts";
export { type ConformanceSettings, conformance } from "./conformance.ts";
export { controlConformance } from "./control-conformance.ts";
export { physicsFault } from "./physics.ts";
export { type LineScript, type ScriptedLine, startScriptedLine } from "./scripted-line.ts";
