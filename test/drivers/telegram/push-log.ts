import type { MeterDriver, PushListener, Snapshot } from "../../../drivers/driver.ts";

/** A listener that writes down what it is told: problems by their codes. */
export class PushLog implements PushListener {
  readonly snapshots: Snapshot[] = [];
  readonly problems: string[] = [];

  onSnapshot(snapshot: Snapshot): void {
    this.snapshots.push(snapshot);
  }

  onProblem(problem: Error): void {
    this.problems.push("code" in problem ? String(problem.code) : problem.message);
  }
}

/** What is heard of a push meter from now on. */
export function listenedTo(driver: MeterDriver): PushLog {
  if (driver.mode !== "push") throw new Error("the driver is polled");
  const log = new PushLog();
  driver.start(log);
  return log;
}
