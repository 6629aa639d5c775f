import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";

const MASTER = new URL("../data/cdnow/CDNOW_master.txt.gz", import.meta.url);

/** Every purchase of CDNOW's 23 570 customers of early 1997 as an event line (I2), in the order of the file: by customer. */
export function cdnowLines(): string[] {
  const [, ...rows] = gunzipSync(readFileSync(MASTER)).toString("latin1").split("\r\n");
  return rows
    .map((row) => row.trim().split(/\s+/))
    .filter((fields) => fields.length === 4)
    .map(([customerId = "", day = "", units = "", dollars = ""], i) =>
      JSON.stringify({
        topic: "orders",
        eventId: `e${i + 1}`,
        customerId,
        occurredAt: `${day.slice(0, 4)}-${day.slice(4, 6)}-${day.slice(6, 8)}T12:00:00Z`,
        orderId: `o${i + 1}`,
        kind: "PLACED",
        amountMinor: Math.round(Number(dollars) * 100),
        currency: "EUR",
        units: Number(units),
      }),
    );
}
