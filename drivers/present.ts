/** T with `undefined` allowed in place of each optional property. */
type Loose<T> = { [K in keyof T]: object extends Pick<T, K> ? T[K] | undefined : T[K] };

/** The same object without the properties that are undefined: absent is absent. */
export function present<T extends object>(values: Loose<T>): T {
  // What is left has every required property, and optional ones only with a value.
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as T;
}
