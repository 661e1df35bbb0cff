// SPDX-License-Identifier: Apache-2.0
// A small real shop: Express in front of PostgreSQL, instrumented as any user would do it. It sends
// its traces with a real OTLP exporter and keeps a copy of every span that it sent, so that what
// comes back from Takt can be compared with it.
//
//   EXPORTER=grpc|protobuf|json  ENDPOINT=URL  COMPRESSION=none|gzip  PGHOST=…  node app.cjs
//
// Prints "listening PORT". GET /_sent gives the copies as OTLP/JSON after everything was exported.
"use strict";
const { trace, context, SpanStatusCode, SpanKind } = require("@opentelemetry/api");
const { NodeTracerProvider, BatchSpanProcessor } = require("@opentelemetry/sdk-trace-node");
const { resourceFromAttributes } = require("@opentelemetry/resources");
const { registerInstrumentations } = require("@opentelemetry/instrumentation");
const { HttpInstrumentation } = require("@opentelemetry/instrumentation-http");
const { ExpressInstrumentation } = require("@opentelemetry/instrumentation-express");
const { PgInstrumentation } = require("@opentelemetry/instrumentation-pg");
const { JsonTraceSerializer } = require("@opentelemetry/otlp-transformer");

const exporters = {
  grpc: () => require("@opentelemetry/exporter-trace-otlp-grpc"),
  protobuf: () => require("@opentelemetry/exporter-trace-otlp-proto"),
  json: () => require("@opentelemetry/exporter-trace-otlp-http"),
};
const { OTLPTraceExporter } = exporters[process.env.EXPORTER]();
const exporter = new OTLPTraceExporter({
  url: process.env.ENDPOINT,
  compression: process.env.COMPRESSION || "none",
});

// Passes spans on to the real exporter and remembers those that it accepted.
const sent = [];
const failures = [];
const remembering = {
  export(spans, done) {
    exporter.export(spans, (result) => {
      if (result.code === 0) sent.push(...spans);
      else failures.push(String(result.error));
      done(result);
    });
  },
  forceFlush: () => exporter.forceFlush?.() ?? Promise.resolve(),
  shutdown: () => exporter.shutdown(),
};
const provider = new NodeTracerProvider({
  resource: resourceFromAttributes({
    "service.name": "interop-shop",
    "service.version": "1.2.3",
    "deployment.environment.name": "test",
    "process.command_args": ["node", "app.cjs"],
  }),
  spanProcessors: [new BatchSpanProcessor(remembering, { scheduledDelayMillis: 50 })],
});
provider.register();
// The control routes below are not traced.
const ignored = (request) => request.url.startsWith("/_");
registerInstrumentations({
  instrumentations: [
    new HttpInstrumentation({ ignoreIncomingRequestHook: ignored }),
    new ExpressInstrumentation(),
    new PgInstrumentation({ enhancedDatabaseReporting: true }),
  ],
});

const http = require("node:http");
const express = require("express");
const { Pool } = require("pg");
const pool = new Pool({ max: 4 });
const app = express();
const tracer = trace.getTracer("shop", "0.1.0", { schemaUrl: "https://opentelemetry.io/schemas/1.37.0" });
let previous; // span context of the last order, to link to

app.get("/products", async (_request, response) => {
  const { rows } = await pool.query("SELECT id, name, price FROM products ORDER BY id");
  response.json(rows);
});

app.get("/products/:id", async (request, response) => {
  const { rows } = await pool.query("SELECT * FROM products WHERE id = $1", [request.params.id]);
  if (rows.length) response.json(rows[0]);
  else response.status(404).json({ error: "no such product" });
});

// A trace that goes through this process twice, over real HTTP.
app.get("/page", (_request, response) => {
  http.get({ port: server.address().port, path: "/products" }, (inner) => {
    inner.resume().on("end", () => response.send("page"));
  });
});

app.post("/orders", async (_request, response) => {
  const options = {
    kind: SpanKind.INTERNAL,
    links: previous ? [{ context: previous, attributes: { "link.why": "previous order" } }] : [],
    attributes: {
      "order.items": ["tea", "Käse", "寿司", ""],
      "order.total": 12.75,
      "order.count": 3,
      "order.large": 2 ** 52 + 1,
      "order.negative": -7,
      "order.gift": false,
      "order.flags": [true, false],
      "order.weights": [0.5, 1.5],
      "order.note": "",
      "order.text": "line one\nline two\t\"quoted\" \u0001 👩‍🚀",
    },
  };
  await tracer.startActiveSpan("place order", options, async (span) => {
    previous = span.spanContext();
    const client = await pool.connect();
    try {
      await client.query("BEGIN");
      await client.query("INSERT INTO orders (product, amount) VALUES ($1, $2)", [1, 2]);
      await client.query("COMMIT");
      span.addEvent("order.placed", { attempts: 1, tags: ["a", "b"] });
      span.setStatus({ code: SpanStatusCode.OK });
    } finally {
      client.release();
      span.end();
    }
  });
  response.status(201).json({ ok: true });
});

app.get("/broken", async (_request, response) => {
  try {
    await pool.query("SELECT * FROM table_that_is_not_there");
    response.end();
  } catch (error) {
    const span = trace.getActiveSpan() ?? trace.getSpan(context.active());
    span?.recordException(error);
    span?.setStatus({ code: SpanStatusCode.ERROR, message: error.message });
    response.status(500).json({ error: error.message });
  }
});

app.get("/_sent", async (_request, response) => {
  await provider.forceFlush();
  const body = new TextDecoder().decode(JsonTraceSerializer.serializeRequest(sent));
  response.json({ failures, request: JSON.parse(body) });
});

const server = app.listen(0, "127.0.0.1", () => console.log(`listening ${server.address().port}`));
process.on("SIGTERM", () => process.exit(0));
