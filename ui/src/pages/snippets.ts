// SPDX-License-Identifier: Apache-2.0
// How to send the first spans, in the words of each language. `host` is where Takt is seen from
// the sender.

export interface Endpoint {
  http: string; // http://localhost:4318
  grpc: string; // localhost:4317
}

export interface Snippet {
  name: string;
  note: string;
  code: (e: Endpoint) => string;
}

const env = (e: Endpoint): string => `export OTEL_SERVICE_NAME=my-service
export OTEL_EXPORTER_OTLP_ENDPOINT=${e.http}
export OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf
export OTEL_METRICS_EXPORTER=none OTEL_LOGS_EXPORTER=none`;

export const snippets: readonly Snippet[] = [
  {
    name: 'curl',
    note: 'One span as OTLP/JSON; nothing to install.',
    code: (e) => `now=$(date +%s)
id() { od -An -N$1 -tx1 /dev/urandom | tr -d ' \\n'; }
curl -sS ${e.http}/v1/traces -H 'Content-Type: application/json' -d '{
  "resourceSpans": [{
    "resource": {"attributes": [
      {"key": "service.name", "value": {"stringValue": "my-service"}}]},
    "scopeSpans": [{"spans": [{
      "traceId": "'$(id 16)'", "spanId": "'$(id 8)'",
      "name": "hello from curl", "kind": 1,
      "startTimeUnixNano": "'$now'000000000",
      "endTimeUnixNano": "'$now'250000000"}]}]
  }]
}'`,
  },
  {
    name: 'Node',
    note: 'Instruments express, fastify, http, pg and many more without a change to the code.',
    code: (e) => `npm install @opentelemetry/api @opentelemetry/auto-instrumentations-node

${env(e)}
node --require @opentelemetry/auto-instrumentations-node/register app.js`,
  },
  {
    name: 'Python',
    note: 'Instruments Django, Flask, FastAPI, requests, psycopg and more.',
    code: (e) => `pip install opentelemetry-distro opentelemetry-exporter-otlp
opentelemetry-bootstrap --action install

${env(e)}
opentelemetry-instrument python app.py`,
  },
  {
    name: 'Java',
    note: 'The agent instruments Spring, JDBC, Kafka and a hundred others.',
    code: (e) => `curl -LO https://github.com/open-telemetry/opentelemetry-java-instrumentation/releases/latest/download/opentelemetry-javaagent.jar

${env(e)}
java -javaagent:opentelemetry-javaagent.jar -jar app.jar`,
  },
  {
    name: 'Go',
    note: 'Reads the same variables from the environment.',
    code: (e) => `// go get go.opentelemetry.io/otel/sdk go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp
// OTEL_SERVICE_NAME=my-service OTEL_EXPORTER_OTLP_ENDPOINT=${e.http} go run .

exporter, err := otlptracehttp.New(ctx)
if err != nil {
    log.Fatal(err)
}
provider := sdktrace.NewTracerProvider(sdktrace.WithBatcher(exporter))
defer provider.Shutdown(ctx)
otel.SetTracerProvider(provider)

ctx, span := otel.Tracer("example").Start(ctx, "hello from Go")
defer span.End()`,
  },
  {
    name: '.NET',
    note: 'For ASP.NET Core.',
    code: (e) => `// dotnet add package OpenTelemetry.Extensions.Hosting
// dotnet add package OpenTelemetry.Exporter.OpenTelemetryProtocol
// dotnet add package OpenTelemetry.Instrumentation.AspNetCore

builder.Services.AddOpenTelemetry()
    .ConfigureResource(r => r.AddService("my-service"))
    .WithTracing(t => t
        .AddAspNetCoreInstrumentation()
        .AddOtlpExporter(o => o.Endpoint = new Uri("http://${e.grpc}")));`,
  },
  {
    name: 'Collector',
    note: 'If a collector runs already: one more exporter.',
    code: (e) => `exporters:
  otlp/takt:
    endpoint: ${e.grpc}
    tls:
      insecure: true

service:
  pipelines:
    traces:
      exporters: [otlp/takt]   # beside those that are there`,
  },
];
