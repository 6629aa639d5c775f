import { describe, expect, test } from "vitest";
import { isConcurrentTransactions, kafkaFailure } from "../../../src/adapters/kafka/failures.ts";
import { RefusedError } from "../../../src/pipeline/errors.ts";

function protocolError(code: number, type = "SOME_TYPE"): Error {
  return Object.assign(new Error("broker said no"), { code, type });
}

describe("what kafkajs throws, as errors of the port (A10)", () => {
  test.each([47, 90])("code %i: another owner has taken over", (code) => {
    expect(kafkaFailure("the commit", protocolError(code))).toMatchObject({
      code: "FENCED",
      retriable: true,
    });
  });

  test("a receipt that the brokers find too large stays so: refused, with the setting", () => {
    const failure = kafkaFailure("the transaction of app-3", protocolError(12, "OFFSET_METADATA_TOO_LARGE"));
    expect(failure).toMatchObject({ code: "RECEIPT_TOO_LARGE", retriable: false });
    expect(failure.message).toMatch(/^the transaction of app-3: .*offset\.metadata\.max\.bytes.* 4096/);
  });

  test("also when kafkajs has wrapped it", () => {
    const wrapped = new Error("retries exceeded", {
      cause: new Error("again", { cause: protocolError(47) }),
    });
    expect(kafkaFailure("the commit", wrapped).code).toBe("FENCED");
  });

  test("everything else may pass, and says what was under way", () => {
    const failure = kafkaFailure("reading offsets", protocolError(16));
    expect(failure).toMatchObject({ code: "KAFKA_TROUBLE", retriable: true });
    expect(failure.message).toBe("reading offsets: broker said no");
    expect(kafkaFailure("x", "no error at all").message).toBe("x: no error at all");
  });

  test("what the port itself has thrown stays what it is", () => {
    const refused = new RefusedError("OFFSET_OUT_OF_RANGE", "gone");
    expect(kafkaFailure("x", refused)).toBe(refused);
  });

  test("a chain of causes that bites its tail has an end", () => {
    const error = new Error("round");
    error.cause = error;
    expect(kafkaFailure("x", error).code).toBe("KAFKA_TROUBLE");
  });

  test("only CONCURRENT_TRANSACTIONS is worth a short wait", () => {
    expect(isConcurrentTransactions(protocolError(51))).toBe(true);
    expect(isConcurrentTransactions(protocolError(-1, "CONCURRENT_TRANSACTIONS"))).toBe(true);
    expect(isConcurrentTransactions(protocolError(47))).toBe(false);
    expect(isConcurrentTransactions(null)).toBe(false);
  });
});
