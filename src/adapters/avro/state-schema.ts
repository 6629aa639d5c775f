import avro from "avsc";

/** First byte of every stored part. Readers know all versions that a release has written; writers write this one. */
export const STATE_VERSION = 3;

/** Further texts of a section are not given a place: they are written out each time. */
export const GREATEST_TEXTS = 32;

/**
 * Instants are milliseconds since the epoch, each stored as the difference from the one before it in the section (the first from
 * 0). A page is a section, and a head has two: what stands before its orders changes seldom, and both are kept as bytes apart. Ids of events share a tail with the id of their fact as often as not, so only what differs is stored. What an
 * ordinary fact does not have costs one byte: it stands in `extras`. Currencies and categories come again and again: the first
 * time as text, then as its place among the first GREATEST_TEXTS texts of the section.
 */
const ID_TYPE = avro.Type.forSchema({
  type: "record",
  name: "EventId",
  fields: [
    { name: "shared", type: "int" },
    { name: "start", type: "string" },
  ],
});

const CLOSING = {
  type: "record",
  name: "Closing",
  fields: [
    { name: "at", type: "long" },
    { name: "eventId", type: "EventId" },
  ],
};

const ORDER = {
  type: "record",
  name: "Order",
  fields: [
    { name: "orderId", type: "string" },
    {
      name: "versions",
      type: {
        type: "array",
        items: {
          type: "record",
          name: "OrderVersion",
          fields: [
            { name: "at", type: "long" },
            { name: "eventId", type: "EventId" },
            { name: "amountMinor", type: "long" },
            { name: "costMinor", type: "long" },
            { name: "units", type: "long" },
            { name: "currency", type: ["null", "string", "int"] },
            {
              name: "extras",
              type: [
                "null",
                {
                  type: "record",
                  name: "OrderExtras",
                  fields: [
                    { name: "revision", type: "long" },
                    { name: "categories", type: { type: "array", items: ["string", "int"] } },
                    { name: "dueAt", type: ["null", "long"] },
                    { name: "referredBy", type: ["null", "string"] },
                  ],
                },
              ],
            },
          ],
        },
      },
    },
    {
      name: "closings",
      type: [
        "null",
        {
          type: "record",
          name: "Closings",
          fields: [
            { name: "paid", type: { type: "array", items: CLOSING } },
            { name: "cancelled", type: { type: "array", items: "Closing" } },
            {
              name: "refunds",
              type: {
                type: "array",
                items: {
                  type: "record",
                  name: "Refund",
                  fields: [
                    { name: "refundId", type: "string" },
                    {
                      name: "versions",
                      type: {
                        type: "array",
                        items: {
                          type: "record",
                          name: "RefundVersion",
                          fields: [
                            { name: "at", type: "long" },
                            { name: "revision", type: "long" },
                            { name: "eventId", type: "EventId" },
                            { name: "amountMinor", type: "long" },
                          ],
                        },
                      },
                    },
                  ],
                },
              },
            },
          ],
        },
      ],
    },
  ],
};

/** Indices into STATUSES, STAGES, VALUES and ATTENTIONS; tags as bits in the order of TAGS. */
const CLASSIFICATION = {
  type: "record",
  name: "Classification",
  fields: ["status", "stage", "value", "attention", "tags"].map((name) => ({ name, type: "int" })),
};

const STANDING = {
  type: "record",
  name: "Standing",
  fields: [
    { name: "classification", type: CLASSIFICATION },
    { name: "since", type: "long" },
    { name: "cause", type: "int" },
    {
      name: "ref",
      type: [
        "null",
        {
          type: "record",
          name: "EventRef",
          fields: [
            { name: "topic", type: "int" },
            { name: "eventId", type: "string" },
          ],
        },
        "int",
      ],
    },
    { name: "accountSince", type: ["null", "long"] },
  ],
};

const OTHERS = {
  type: "record",
  name: "OtherFacts",
  fields: [
    {
      name: "inquiries",
      type: {
        type: "array",
        items: {
          type: "record",
          name: "InquiryFact",
          fields: [
            { name: "inquiryId", type: "string" },
            {
              name: "versions",
              type: {
                type: "array",
                items: {
                  type: "record",
                  name: "InquiryVersion",
                  fields: [
                    { name: "at", type: "long" },
                    { name: "revision", type: "long" },
                    { name: "eventId", type: "EventId" },
                    { name: "kind", type: "int" },
                    { name: "handlingCostMinor", type: "long" },
                    { name: "currency", type: ["null", "string", "int"] },
                  ],
                },
              },
            },
          ],
        },
      },
    },
    {
      name: "surveys",
      type: {
        type: "array",
        items: {
          type: "record",
          name: "SurveyFact",
          fields: [
            { name: "surveyId", type: "string" },
            {
              name: "versions",
              type: {
                type: "array",
                items: {
                  type: "record",
                  name: "SurveyVersion",
                  fields: [
                    { name: "at", type: "long" },
                    { name: "revision", type: "long" },
                    { name: "eventId", type: "EventId" },
                    { name: "score", type: "int" },
                  ],
                },
              },
            },
          ],
        },
      },
    },
    {
      name: "register",
      type: {
        type: "array",
        items: {
          type: "record",
          name: "RegisterRecord",
          fields: [
            { name: "at", type: "long" },
            { name: "eventId", type: "string" },
            { name: "source", type: "string" },
            {
              name: "attributes",
              type: {
                type: "array",
                items: {
                  type: "record",
                  name: "Attribute",
                  fields: [
                    { name: "name", type: "string" },
                    { name: "value", type: ["null", "string"] },
                  ],
                },
              },
            },
          ],
        },
      },
    },
    {
      name: "referrals",
      type: {
        type: "array",
        items: {
          type: "record",
          name: "ReferralFact",
          fields: [
            { name: "referredId", type: "string" },
            { name: "orderId", type: "string" },
            { name: "version", type: "long" },
            {
              name: "spans",
              type: {
                type: "array",
                items: {
                  type: "record",
                  name: "ReferralSpan",
                  fields: [
                    { name: "at", type: "long" },
                    { name: "from", type: "long" },
                    { name: "until", type: ["null", "long"] },
                  ],
                },
              },
            },
          ],
        },
      },
    },
  ],
};

/** The head of a customer: what every event reads and writes, with the orders of the tail page. */
export const HEAD_TYPE = partType({
  type: "record",
  name: "Head",
  fields: [
    { name: "firstPage", type: "int" },
    { name: "tailPage", type: "int" },
    { name: "others", type: ["null", OTHERS] },
    { name: "standing", type: ["null", STANDING] },
    {
      name: "published",
      type: [
        "null",
        {
          type: "record",
          name: "Published",
          fields: [
            { name: "changeId", type: { type: "fixed", name: "Uuid", size: 16 } },
            { name: "classification", type: ["null", "Classification"], doc: "null: that of standing" },
          ],
        },
      ],
    },
    {
      name: "base",
      type: [
        "null",
        {
          type: "record",
          name: "Base",
          fields: [
            { name: "at", type: "long" },
            { name: "standing", type: ["null", "Standing"] },
            { name: "occasionsDropped", type: "int" },
            { name: "firstOccasionAt", type: ["null", "long"] },
          ],
        },
      ],
    },
    { name: "erasedAt", type: ["null", "long"] },
    { name: "orders", type: { type: "array", items: ORDER } },
    { name: "evaluatedAt", type: ["null", "long"] },
    { name: "newestAt", type: ["null", "long"] },
  ],
} as avro.Schema);

/** A closed page of orders. */
export const PAGE_TYPE = partType({
  type: "record",
  name: "Page",
  fields: [{ name: "orders", type: { type: "array", items: ORDER } }],
} as avro.Schema);

function partType(schema: avro.Schema): avro.Type {
  return avro.Type.forSchema(schema, { registry: { EventId: ID_TYPE } });
}
