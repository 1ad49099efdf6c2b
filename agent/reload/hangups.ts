/** SIGHUPs of this process. */
export interface Hangups {
  /** Calls `take` for each one from here on, and at once where one has come already. */
  pass(take: () => void): void;
}

/**
 * From here on a SIGHUP does not end the process. Where it was started in a terminal it does: that has gone, and nobody
 * would see or stop the process any more.
 */
export function listenForHangups(): Hangups {
  let came = false;
  let take = (): void => {
    came = true;
  };
  if (!process.stdin.isTTY) process.on("SIGHUP", () => take());
  return {
    pass: (next) => {
      take = next;
      if (came) next();
      came = false;
    },
  };
}
