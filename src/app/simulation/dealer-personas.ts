import type { Buying, Persona } from "./persona.ts";

const WHOLESALE: Buying = {
  rhythm: { everyDays: [24, 40] },
  amountMinor: [150_000, 420_000],
  costShare: [0.68, 0.78],
  cancelled: 0.02,
  partlyReturned: 0.05,
};

/** The dealer's customers (B2B): wholesale on invoice, some of them purchasing groups. */
export const DEALER_PERSONAS: readonly Persona[] = [
  {
    name: "growing-dealer",
    about: "a wholesale customer that outgrows its first orders and ends as a sponsor",
    parts: 4,
    joinsAfterDays: [0, 200],
    attributes: {
      model: ["B2B"],
      governance: ["PURCHASING_GROUP"],
      channel: ["ELECTRONICS", "GROCERY"],
      customerType: ["WHOLESALE"],
    },
    favourites: [5, 7],
    termsDays: 30,
    phases: [
      { days: [120, 160], buying: WHOLESALE, paidAfterDueDays: [-12, 2] },
      {
        days: [420, 480],
        buying: { ...WHOLESALE, rhythm: { everyDays: [16, 26] }, amountMinor: [450_000, 800_000] },
        paidAfterDueDays: [-12, 2],
      },
      {
        buying: { ...WHOLESALE, rhythm: { everyDays: [14, 22] }, amountMinor: [600_000, 950_000] },
        answering: { rhythm: { afterDays: [10, 60], everyDays: [220, 320] }, score: [9, 10] },
        paidAfterDueDays: [-12, 2],
      },
    ],
  },
  {
    name: "steady-dealer",
    about: "orders monthly, pays to the day",
    parts: 5,
    joinsAfterDays: [0, 300],
    attributes: {
      model: ["B2B"],
      governance: ["INDEPENDENT", "CORPORATE"],
      channel: ["GROCERY", "MASS"],
      customerType: ["WHOLESALE", "RETAIL"],
    },
    favourites: [4, 6],
    termsDays: 30,
    phases: [
      {
        buying: WHOLESALE,
        answering: { rhythm: { afterDays: [100, 250], everyDays: [300, 420] }, score: [7, 8] },
        paidAfterDueDays: [-8, 3],
      },
    ],
  },
  {
    name: "late-once",
    about: "a good dealer that leaves one invoice unpaid for more than two months",
    parts: 3,
    joinsAfterDays: [0, 120],
    attributes: {
      model: ["B2B"],
      governance: ["PURCHASING_GROUP"],
      channel: ["GROCERY"],
      customerType: ["WHOLESALE"],
    },
    favourites: [5, 6],
    termsDays: 30,
    phases: [
      {
        days: [500, 560],
        buying: { ...WHOLESALE, rhythm: { everyDays: [18, 28] }, amountMinor: [450_000, 620_000] },
        paidAfterDueDays: [-8, 2],
      },
      {
        days: [30, 30],
        buying: {
          ...WHOLESALE,
          rhythm: { afterDays: [5, 9], everyDays: null },
          amountMinor: [450_000, 620_000],
          cancelled: 0,
          partlyReturned: 0,
        },
        paidAfterDueDays: [68, 82],
      },
      {
        buying: { ...WHOLESALE, rhythm: { everyDays: [18, 28] }, amountMinor: [450_000, 620_000] },
        paidAfterDueDays: [-8, 2],
      },
    ],
  },
  {
    name: "slow-payer",
    about: "buys well and pays weeks after every due date",
    parts: 4,
    joinsAfterDays: [0, 300],
    attributes: {
      model: ["B2B"],
      governance: ["INDEPENDENT"],
      channel: ["ELECTRONICS"],
      customerType: ["RETAIL"],
    },
    favourites: [4, 6],
    termsDays: 30,
    phases: [
      { days: [240, 300], buying: WHOLESALE, paidAfterDueDays: [2, 14] },
      { buying: WHOLESALE, paidAfterDueDays: [22, 52] },
    ],
  },
  {
    name: "ideal-prospect",
    about: "only a line in the register, but just what the dealer looks for; some get a visit",
    parts: 6,
    joinsAfterDays: [30, 900],
    attributes: {
      model: ["B2B"],
      governance: ["INDEPENDENT", "PURCHASING_GROUP"],
      channel: ["GROCERY"],
      customerType: ["WHOLESALE"],
    },
    favourites: [4, 5],
    termsDays: 30,
    phases: [
      { days: [60, 400] },
      {
        asking: {
          rhythm: { afterDays: [0, 60], everyDays: null },
          kinds: ["VISIT", "QUOTE"],
          handlingCostMinor: [4_000, 12_000],
        },
      },
    ],
  },
  {
    name: "cannot-buy",
    about: "is in the register like everybody, but is a supplier",
    parts: 2,
    joinsAfterDays: [0, 600],
    attributes: { model: ["B2B"], channel: ["ELECTRONICS"], customerType: ["PURCHASER"], canBuy: ["false"] },
    favourites: [1, 1],
    phases: [
      {
        asking: {
          rhythm: { afterDays: [20, 200], everyDays: null },
          kinds: ["INFORMATION"],
          handlingCostMinor: [0, 500],
        },
      },
    ],
  },
];
