// An OpenTelemetry collector as small as one can be: OTLP/HTTP in protobuf
// (opentelemetry.io/docs/specs/otlp), checked field by field; what is not OTLP is refused.
import { createServer } from 'node:http';

/** The fields of a protobuf message, by number: bigints, and bytes as Buffers. */
function fields(bytes) {
  const out = new Map();
  let at = 0;
  const varint = () => {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      if (at >= bytes.length || shift > 63n) throw new Error('protobuf: a number that does not end');
      const byte = bytes[at++];
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
  };
  while (at < bytes.length) {
    const tag = Number(varint());
    let value;
    if ((tag & 7) === 0) value = varint();
    else {
      const length = { 1: () => 8, 2: () => Number(varint()), 5: () => 4 }[tag & 7]?.();
      if (length === undefined || at + length > bytes.length) throw new Error(`protobuf: tag ${tag} at ${at}`);
      const content = bytes.subarray(at, at + length);
      at += length;
      value = (tag & 7) === 1 ? content.readBigUInt64LE() : content;
    }
    if (!out.has(tag >> 3)) out.set(tag >> 3, []);
    out.get(tag >> 3).push(value);
  }
  return out;
}

const text = (message, field) => message.get(field)?.[0].toString() ?? '';
const hex = (message, field) => message.get(field)?.[0].toString('hex') ?? '';
const number = (message, field) => message.get(field)?.[0] ?? 0n;
const all = (message, field) => (message.get(field) ?? []).map(fields);

/** KeyValue {key = 1, value = 2: AnyValue {string_value = 1}}, as an object. */
function attributes(list, what) {
  const out = {};
  for (const pair of list) {
    const [value] = all(pair, 2);
    if (!text(pair, 1) || !value?.has(1)) throw new Error(`${what}: an attribute that is no text`);
    out[text(pair, 1)] = text(value, 1);
  }
  return out;
}

/** One span, of opentelemetry/proto/trace/v1/trace.proto. */
function decodeSpan(s, node) {
  const [status = new Map()] = all(s, 15);
  const span = {
    node,
    trace: hex(s, 1),
    span: hex(s, 2),
    parent: hex(s, 4),
    name: text(s, 5),
    job: attributes(all(s, 9), 'span')['inos.job.id'] ?? '',
    start: number(s, 7),
    end: number(s, 8),
  };
  if (
    span.trace.length !== 32 ||
    span.span.length !== 16 ||
    ![0, 16].includes(span.parent.length) ||
    span.start < 10n ** 15n ||
    span.end < span.start ||
    !span.name ||
    ![1n, 2n, 3n].includes(number(s, 6)) || // kind
    ![1n, 2n].includes(number(status, 3)) // code
  ) {
    throw new Error(`span ${JSON.stringify(span, (_, v) => (typeof v === 'bigint' ? String(v) : v))}`);
  }
  return span;
}

/** Decodes an ExportTraceServiceRequest into spans, each with its resource's instance as `node`. */
export function decode(body) {
  const spans = [];
  for (const resourceSpans of all(fields(body), 1)) {
    const of = attributes(
      all(resourceSpans, 1).flatMap((resource) => all(resource, 1)),
      'resource',
    );
    if (of['service.name'] !== 'inos' || !of['service.instance.id']) throw new Error(`resource ${JSON.stringify(of)}`);
    for (const scopeSpans of all(resourceSpans, 2)) {
      const [scope] = all(scopeSpans, 1);
      if (!scope || !text(scope, 1)) throw new Error('a scope without a name');
      for (const span of all(scopeSpans, 2)) spans.push(decodeSpan(span, of['service.instance.id']));
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
    const chunks = [];
    for await (const chunk of req) chunks.push(chunk);
    try {
      if (
        req.method !== 'POST' ||
        req.url !== '/v1/traces' ||
        req.headers['content-type'] !== 'application/x-protobuf'
      ) {
        throw new Error(`${req.method} ${req.url} ${req.headers['content-type']} is no OTLP`);
      }
      spans.push(...decode(Buffer.concat(chunks)));
      res.writeHead(200, { 'content-type': 'application/x-protobuf' }).end();
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
