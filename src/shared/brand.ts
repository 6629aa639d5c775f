declare const brand: unique symbol;

/** A value that only its own room may make: `Brand<number, "Instant">` is a number no other number fits. */
export type Brand<T, Name extends string> = T & { readonly [brand]: Name };
