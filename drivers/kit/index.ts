/** Public entry `kilowitness/drivers/kit`: what a device maker tests a driver with, in any test runner. */

export { type CheckResult, type ConformanceSettings, conformance } from "./conformance.ts";
export { type LineScript, type ScriptedLine, startScriptedLine } from "./scripted-line.ts";
