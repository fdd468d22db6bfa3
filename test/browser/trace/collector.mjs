// An OpenTelemetry collector as small as one can be: OTLP/HTTP in its JSON encoding
// (opentelemetry.io/docs/specs/otlp), checked field by field; what is not OTLP is refused.
import { createServer } from 'node:http';

const hex = (digits) => new RegExp(`^[0-9a-f]{${digits}}$`);
const TRACE = hex(32);
const SPAN = hex(16);
const NANOS = /^[1-9][0-9]{15,19}$/;

function attributes(list, what) {
  const out = {};
  for (const { key, value } of list ?? []) {
    if (typeof key !== 'string' || typeof value?.stringValue !== 'string')
      throw new Error(`${what}: attribute ${JSON.stringify({ key, value })}`);
    out[key] = value.stringValue;
  }
  return out;
}

/** Decodes an ExportTraceServiceRequest into spans, each with its resource's instance as `node`. */
export function decode(body) {
  const spans = [];
  for (const { resource, scopeSpans } of JSON.parse(body).resourceSpans) {
    const of = attributes(resource.attributes, 'resource');
    if (of['service.name'] !== 'inos' || !of['service.instance.id']) throw new Error(`resource ${JSON.stringify(of)}`);
    for (const { scope, spans: list } of scopeSpans) {
      if (!scope.name) throw new Error('a scope without a name');
      for (const s of list) {
        const start = BigInt(s.startTimeUnixNano);
        const end = BigInt(s.endTimeUnixNano);
        if (
          !TRACE.test(s.traceId) ||
          !SPAN.test(s.spanId) ||
          (s.parentSpanId !== undefined && !SPAN.test(s.parentSpanId)) ||
          !NANOS.test(s.startTimeUnixNano) ||
          end < start ||
          !s.name ||
          ![1, 2, 3].includes(s.kind) ||
          ![1, 2].includes(s.status.code)
        ) {
          throw new Error(`span ${JSON.stringify(s)}`);
        }
        spans.push({
          node: of['service.instance.id'],
          trace: s.traceId,
          span: s.spanId,
          parent: s.parentSpanId ?? '',
          name: s.name,
          job: attributes(s.attributes, 'span')['inos.job.id'] ?? '',
          start,
          end,
        });
      }
    }
  }
  return spans;
}

/** Listens on a port of its own; `until(found)` resolves once found(spans) is true of all that has come. */
export async function startCollector() {
  const spans = [];
  const waiting = new Set();
  let bad;
  const look = () => {
    for (const w of waiting) {
      if (bad) w.reject(bad);
      else if (w.found(spans)) w.resolve(spans);
      else continue;
      waiting.delete(w);
    }
  };
  const server = createServer(async (req, res) => {
    let body = '';
    for await (const chunk of req) body += chunk;
    try {
      if (req.method !== 'POST' || req.url !== '/v1/traces' || req.headers['content-type'] !== 'application/json') {
        throw new Error(`${req.method} ${req.url} ${req.headers['content-type']} is no OTLP`);
      }
      spans.push(...decode(body));
      res.writeHead(200, { 'content-type': 'application/json' }).end('{"partialSuccess":{}}');
    } catch (error) {
      bad = new Error(`not OTLP: ${error.message}`);
      res.writeHead(400).end();
    }
    look();
  });
  await new Promise((ready) => server.listen(0, '127.0.0.1', ready));
  return {
    url: `http://127.0.0.1:${server.address().port}`,
    spans,
    until(found, ms) {
      return new Promise((resolve, reject) => {
        waiting.add({ found, resolve, reject });
        setTimeout(
          () =>
            reject(
              new Error(
                `the collector waited ${ms / 1000} s in vain; it has ${JSON.stringify(spans, (_, v) => (typeof v === 'bigint' ? String(v) : v))}`,
              ),
            ),
          ms,
        ).unref();
        look();
      });
    },
    close: () => server.close(),
  };
}
