/** Prints the CDNOW purchases as an event file (I2): `node scripts/cdnow-events.ts > cdnow.jsonl`. See test/data/cdnow/README.md. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";

const source = join(import.meta.dirname, "../test/data/cdnow/CDNOW_master.txt.gz");
const [, ...rows] = gunzipSync(readFileSync(source)).toString("utf8").trimEnd().split("\n");

const events = rows.map((row, i) => {
  const columns = /^\s*(\d+)\s+(\d{4})(\d{2})(\d{2})\s+(\d+)\s+(\d+\.\d{2})\s*$/.exec(row);
  if (columns === null) throw new Error(`row ${i + 1} is not customer, date, CDs, dollars: ${row}`);
  const [, customerId, year, month, day, units, dollars] = columns;
  return JSON.stringify({
    topic: "orders",
    eventId: `e${i + 1}`,
    customerId,
    occurredAt: `${year}-${month}-${day}T12:00:00Z`,
    orderId: `o${i + 1}`,
    kind: "PLACED",
    amountMinor: Math.round(Number(dollars) * 100),
    currency: "EUR",
    units: Number(units),
  });
});
// The reader of a pipe may have seen enough.
process.stdout.on("error", (error: NodeJS.ErrnoException) => process.exit(error.code === "EPIPE" ? 0 : 1));
process.stdout.write(`${events.join("\n")}\n`);
