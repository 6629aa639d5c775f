import js from "@eslint/js";
import tseslint from "typescript-eslint";

/** Rooms of the architecture, top to bottom: a room may import only those below it, and adapters never each other. */
const ADAPTERS = ["kafka", "avro", "redis", "embedded", "http", "telemetry"];
const forbidden = (dir, groups, message) => ({
  files: [`src/${dir}/**/*.ts`],
  rules: {
    "no-restricted-imports": ["error", { patterns: [{ group: groups, message }] }],
  },
});

export default tseslint.config(
  { ignores: ["dist/", "node_modules/", ".stack/", "coverage/"] },
  js.configs.recommended,
  ...tseslint.configs.strictTypeChecked,
  {
    languageOptions: { parserOptions: { projectService: { allowDefaultProject: ["bin/*.js"] } } },
    rules: {
      "@typescript-eslint/restrict-template-expressions": [
        "error",
        { allowNumber: true, allowBoolean: true },
      ],
      "@typescript-eslint/no-unused-vars": ["error", { ignoreRestSiblings: true }],
      "@typescript-eslint/no-confusing-void-expression": ["error", { ignoreArrowShorthand: true }],
    },
  },
  { files: ["**/*.js"], ...tseslint.configs.disableTypeChecked },
  forbidden(
    "shared",
    ["**/domain/**", "**/pipeline/**", "**/adapters/**", "**/app/**", "**/cli/**"],
    "shared stands at the bottom",
  ),
  {
    files: ["src/domain/**/*.ts"],
    rules: {
      "no-restricted-imports": [
        "error",
        {
          patterns: [
            {
              group: ["**/pipeline/**", "**/adapters/**", "**/app/**", "**/cli/**", "node:*"],
              message: "domain is pure and knows only shared",
            },
          ],
        },
      ],
      "no-restricted-globals": ["error", "process", "setTimeout", "setInterval", "fetch", "performance"],
      "no-restricted-syntax": [
        "error",
        { selector: "AwaitExpression", message: "domain has no async" },
        { selector: ":function[async=true]", message: "domain has no async" },
        {
          selector: "CallExpression[callee.object.name='Date'][callee.property.name='now']",
          message: "domain has no clock",
        },
        { selector: "NewExpression[callee.name='Date'][arguments.length=0]", message: "domain has no clock" },
        {
          selector: "MemberExpression[object.name='Math'][property.name='random']",
          message: "domain is deterministic",
        },
      ],
    },
  },
  {
    files: ["src/**/*.ts"],
    rules: {
      "@typescript-eslint/no-restricted-imports": [
        "error",
        {
          paths: [
            {
              name: "kafkajs",
              allowTypeImports: true,
              message:
                "its slow paths are replaced before it is loaded: adapters/kafka/kafkajs.ts is the one that loads it",
            },
          ],
        },
      ],
    },
  },
  forbidden("pipeline", ["**/adapters/**", "**/app/**", "**/cli/**"], "pipeline knows ports only"),
  ...ADAPTERS.map((name) =>
    forbidden(
      `adapters/${name}`,
      [
        "**/app/**",
        "**/cli/**",
        ...ADAPTERS.filter((other) => other !== name).map((other) => `**/${other}/**`),
      ],
      "adapters know the pipeline's ports and the domain, never each other",
    ),
  ),
  forbidden("app", ["**/cli/**"], "app stands below cli"),
  { files: ["test/**/*.ts"], rules: { "@typescript-eslint/no-non-null-assertion": "off" } },
);
