import fc from "fast-check";

/**
 * Property tests run from one seed, so that a run says the same twice. `CLIENTELA_TEST_SEED=random npm test` looks elsewhere; a
 * failure tells its own seed.
 */
const seed = process.env["CLIENTELA_TEST_SEED"] ?? "20260101";
if (seed !== "random") fc.configureGlobal({ ...fc.readConfigureGlobal(), seed: Number(seed) });
