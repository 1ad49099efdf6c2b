/** The 95 % interval of Clopper and Pearson (Biometrika 26, 1934): it holds the true rate at least that often, for any. */
export function confidence(count: number, of: number): { readonly low: number; readonly high: number } {
  return {
    low: count === 0 ? 0 : rateWhere((rate) => atLeast(count, of, rate) >= TAIL),
    high: count === of ? 1 : rateWhere((rate) => 1 - atLeast(count + 1, of, rate) < TAIL),
  };
}

const TAIL = 0.025;
const HALVINGS = 50;

/** The least rate for which `holds`, which it does for all above. */
function rateWhere(holds: (rate: number) => boolean): number {
  let [low, high] = [0, 1];
  for (let i = 0; i < HALVINGS; i++) {
    const middle = (low + high) / 2;
    if (holds(middle)) high = middle;
    else low = middle;
  }
  return high;
}

/** Probability of `count` or more of `of` at a rate. */
function atLeast(count: number, of: number, rate: number): number {
  let logTerm = of * Math.log1p(-rate);
  let below = 0;
  for (let k = 0; k < count; k++) {
    below += Math.exp(logTerm);
    logTerm += Math.log((of - k) / (k + 1)) + Math.log(rate) - Math.log1p(-rate);
  }
  return Math.max(0, 1 - below);
}
