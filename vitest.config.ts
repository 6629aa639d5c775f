import { defineConfig } from "vitest/config";

/** Rooms of the test tree: `unit` and `laws` need nothing; `contract`, `integration`, `e2e` and `chaos` run on real servers. */
export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: "unit",
          setupFiles: ["test/property-seed.ts"],
          include: [
            "test/{domain,pipeline,adapters,app,cli,shared,deploy,schemas,lint,fuzz,bench}/**/*.test.ts",
          ],
        },
      },
      {
        test: {
          name: "laws",
          setupFiles: ["test/property-seed.ts"],
          include: ["test/{laws,simulation}/**/*.test.ts", "test/chaos/{plan,verify}.test.ts"],
          testTimeout: 120_000,
        },
      },
      {
        test: {
          name: "servers",
          include: ["test/{contract,integration,e2e}/**/*.test.ts", "test/chaos/chaos.test.ts"],
          globalSetup: ["test/servers.ts"],
          testTimeout: 120_000,
          hookTimeout: 120_000,
          fileParallelism: false,
        },
      },
    ],
  },
});
