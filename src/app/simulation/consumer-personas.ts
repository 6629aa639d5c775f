import type { Buying, Persona } from "./persona.ts";

const HEALTHY = [0.5, 0.62] as const;
const CONSUMER = { model: ["B2C"], customerType: ["CONSUMER"] } as const;

const EVERYDAY: Buying = {
  rhythm: { everyDays: [16, 30] },
  amountMinor: [2_400, 6_900],
  costShare: HEALTHY,
  cancelled: 0.01,
  returned: 0.02,
  partlyReturned: 0.03,
};

const STALL: Buying = {
  rhythm: { everyDays: [21, 28] },
  amountMinor: [1_800, 5_200],
  costShare: HEALTHY,
};

/** Customers of the shop (B2C): tea, coffee and small electronics. */
export const CONSUMER_PERSONAS: readonly Persona[] = [
  {
    name: "one-time-tester",
    about: "asks, buys once, is never seen again",
    parts: 14,
    joinsAfterDays: [5, 850],
    attributes: CONSUMER,
    favourites: [1, 2],
    mayBeReferred: true,
    phases: [
      {
        asking: {
          rhythm: { afterDays: [0, 3], everyDays: null },
          kinds: ["INFORMATION"],
          handlingCostMinor: [0, 300],
        },
        buying: {
          rhythm: { afterDays: [4, 20], everyDays: null },
          amountMinor: [1_900, 8_900],
          costShare: HEALTHY,
        },
        answering: { rhythm: { afterDays: [30, 45], everyDays: null }, score: [5, 8] },
      },
    ],
  },
  {
    name: "loyal-regular",
    about: "buys every three weeks, year after year",
    parts: 15,
    joinsAfterDays: [0, 500],
    attributes: CONSUMER,
    favourites: [3, 5],
    mayBeReferred: true,
    phases: [
      {
        buying: EVERYDAY,
        answering: { rhythm: { afterDays: [60, 200], everyDays: [300, 420] }, score: [7, 8] },
      },
    ],
  },
  {
    name: "christmas",
    about: "buys presents in December and nothing else, each year",
    parts: 7,
    joinsAfterDays: [0, 120],
    attributes: CONSUMER,
    favourites: [2, 4],
    phases: [
      {
        buying: {
          rhythm: { everyDays: [5, 11] },
          months: [12],
          amountMinor: [3_900, 14_900],
          costShare: HEALTHY,
        },
      },
    ],
  },
  {
    name: "connoisseur",
    about: "a growing account: small baskets first, then large ones, in the end a recommender",
    parts: 6,
    joinsAfterDays: [0, 260],
    attributes: CONSUMER,
    favourites: [4, 6],
    phases: [
      { days: [90, 140], buying: { ...EVERYDAY, rhythm: { afterDays: [0, 5], everyDays: [14, 24] } } },
      {
        days: [420, 480],
        buying: { ...EVERYDAY, rhythm: { everyDays: [12, 20] }, amountMinor: [11_000, 22_000] },
      },
      {
        buying: { ...EVERYDAY, rhythm: { everyDays: [10, 18] }, amountMinor: [14_000, 26_000] },
        answering: { rhythm: { afterDays: [10, 60], everyDays: [240, 330] }, score: [9, 10] },
      },
    ],
  },
  {
    name: "promoter",
    about: "scores 9 or 10 and sends friends",
    parts: 5,
    joinsAfterDays: [0, 200],
    attributes: CONSUMER,
    favourites: [3, 5],
    refers: true,
    phases: [
      {
        buying: EVERYDAY,
        answering: { rhythm: { afterDays: [40, 120], everyDays: [200, 300] }, score: [9, 10] },
      },
    ],
  },
  {
    name: "promoter-gone-quiet",
    about: "recommends the shop once and answers no further survey",
    parts: 3,
    joinsAfterDays: [0, 200],
    attributes: CONSUMER,
    favourites: [3, 5],
    phases: [
      { buying: EVERYDAY, answering: { rhythm: { afterDays: [200, 300], everyDays: null }, score: [9, 10] } },
    ],
  },
  {
    name: "detractor",
    about: "a patron who is let down, complains, scores low and leaves",
    parts: 5,
    joinsAfterDays: [0, 220],
    attributes: CONSUMER,
    favourites: [3, 5],
    phases: [
      {
        days: [450, 520],
        buying: { ...EVERYDAY, rhythm: { everyDays: [12, 20] }, amountMinor: [10_000, 19_000] },
      },
      {
        days: [80, 140],
        buying: { ...EVERYDAY, rhythm: { everyDays: [40, 60] }, returned: 0.3 },
        asking: {
          rhythm: { afterDays: [1, 10], everyDays: null },
          kinds: ["COMPLAINT"],
          handlingCostMinor: [1_500, 4_000],
        },
        answering: { rhythm: { afterDays: [12, 25], everyDays: null }, score: [1, 4] },
      },
      {},
    ],
  },
  {
    name: "lapsing",
    about: "a regular who stops without a word",
    parts: 9,
    joinsAfterDays: [0, 500],
    attributes: CONSUMER,
    favourites: [2, 4],
    phases: [{ days: [160, 320], buying: EVERYDAY }, {}],
  },
  {
    name: "win-back",
    about: "stops, asks again half a year later, and returns",
    parts: 6,
    joinsAfterDays: [0, 300],
    attributes: CONSUMER,
    favourites: [3, 4],
    phases: [
      { days: [200, 260], buying: EVERYDAY },
      { days: [160, 240] },
      {
        buying: { ...EVERYDAY, rhythm: { afterDays: [6, 15], everyDays: [16, 30] } },
        asking: {
          rhythm: { afterDays: [0, 3], everyDays: null },
          kinds: ["INFORMATION"],
          handlingCostMinor: [0, 400],
        },
      },
    ],
  },
  {
    name: "heavy-returner",
    about: "orders a lot and sends half of it back",
    parts: 5,
    joinsAfterDays: [0, 400],
    attributes: CONSUMER,
    favourites: [2, 4],
    phases: [
      {
        buying: {
          rhythm: { everyDays: [18, 40] },
          amountMinor: [5_000, 16_000],
          costShare: HEALTHY,
          cancelled: 0.12,
          returned: 0.42,
          partlyReturned: 0.15,
        },
      },
    ],
  },
  {
    name: "loss-maker",
    about: "buys below cost, keeps support busy, then only the costs go on",
    parts: 4,
    joinsAfterDays: [0, 300],
    attributes: CONSUMER,
    favourites: [1, 2],
    phases: [
      {
        days: [300, 420],
        buying: {
          rhythm: { everyDays: [35, 60] },
          amountMinor: [1_500, 4_500],
          costShare: [1.02, 1.25],
          returned: 0.05,
        },
        asking: {
          rhythm: { everyDays: [25, 50] },
          kinds: ["SUPPORT", "COMPLAINT"],
          handlingCostMinor: [900, 2_500],
        },
      },
      {
        asking: {
          rhythm: { everyDays: [50, 90] },
          kinds: ["SUPPORT"],
          handlingCostMinor: [900, 2_500],
        },
      },
    ],
  },
  {
    name: "window-shopper",
    about: "asks again and again and never buys",
    parts: 6,
    joinsAfterDays: [0, 700],
    attributes: null,
    favourites: [1, 2],
    phases: [
      {
        asking: {
          rhythm: { afterDays: [0, 2], everyDays: [50, 150] },
          kinds: ["INFORMATION", "QUOTE", "VISIT"],
          handlingCostMinor: [0, 900],
        },
      },
    ],
  },
  {
    name: "market-stall",
    about: "buys at the market stall, whose paper slips reach the office weeks later",
    parts: 4,
    joinsAfterDays: [0, 200],
    attributes: null,
    favourites: [1, 3],
    arrivesLateDays: [9, 20],
    phases: [
      { days: [220, 260], buying: STALL },
      { days: [66, 70], buying: { ...STALL, rhythm: { everyDays: [61, 66] } } },
      { days: [200, 240], buying: STALL },
      { days: [66, 70], buying: { ...STALL, rhythm: { everyDays: [61, 66] } } },
      { buying: STALL },
    ],
  },
  {
    name: "asks-to-be-erased",
    about: "a regular who asks to be forgotten",
    parts: 2,
    joinsAfterDays: [0, 400],
    attributes: CONSUMER,
    favourites: [2, 4],
    phases: [{ days: [150, 400], buying: EVERYDAY, erasedAtEnd: true }],
  },
];
