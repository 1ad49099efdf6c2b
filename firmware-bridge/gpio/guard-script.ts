import { endsWithParent, shellCommand } from "../child/guarded.ts";

/** What the guard does when it is told to end, or when nobody is there any more. */
export interface GuardCommands {
  readonly hold: readonly string[];
  readonly atExit: readonly string[];
  readonly atLoss: readonly string[];
}

/** What the guard is told; anything else, and the end of whoever would tell it, is a loss. */
export type GuardWord = "release" | "exit";

/**
 * The program of the guard, for a POSIX shell. It starts gpioset and waits at its standard input, which ends with whoever
 * holds the other end of it, however that one ends.
 *
 * gpioset alone would not do: version 2 never looks at its input, so that it would hold the contact closed for ever, and
 * a line that is let go keeps its level on a Raspberry Pi (`pinctrl_bcm2835.persist_gpio_outputs`). So the defined level is
 * set before the line is let go. Signals that end a whole control group are ignored here and, by inheritance, in gpioset: the
 * order of the end is the holder's. And gpioset ends with its guard: one that outlived it would hold the contact closed, and nobody
 * would ever know its number.
 */
export function guardScript({ hold, atExit, atLoss }: GuardCommands): string {
  return `trap '' HUP INT TERM
${shellCommand(endsWithParent(hold))} </dev/null &
held=$!
exec >/dev/null
read -r word
kill -KILL "$held" 2>/dev/null
wait "$held" 2>/dev/null
case "$word" in
release) ;;
exit) ${shellCommand(atExit)} ;;
*) ${shellCommand(atLoss)} ;;
esac
`;
}
