// The three nodes of the demo. Their figures are such that neither the nearest nor
// the cheapest of those that fit scores best, and stay so with 20 ms added to
// every latency: score = (1000 / ms) * (1 / cost).
import { startNode } from './nodes.mjs';

export const MESH = [
  { name: 'amber', capabilities: 'threads,storage,realtime', cost: 60, latencyMs: 5 }, // nearest: 3.3
  { name: 'basalt', capabilities: 'threads,storage,simd', cost: 3, latencyMs: 30 }, // best: 11.1
  { name: 'cedar', capabilities: 'threads,storage', cost: 1, latencyMs: 200 }, // cheapest: 5.0
];

const LISTEN = '/ip4/127.0.0.1/udp/0/quic-v1/webtransport';

/** Starts the mesh; the first node also serves the shell. Each further node joins the first. */
export async function startMesh({ http = '127.0.0.1:0' } = {}) {
  const flags = ({ name, capabilities, cost, latencyMs }) => [
    '--name',
    name,
    '--capabilities',
    capabilities,
    '--cost',
    String(cost),
    '--latency',
    `${latencyMs}ms`,
    '--listen',
    LISTEN,
  ];
  const [first, ...others] = MESH;
  const server = await startNode(first.name, ['serve', '--dist', 'dist', '--http', http, ...flags(first)]);
  const bootstrap = server.ready.addrs.flatMap((addr) => ['--bootstrap', addr]);
  const rest = await Promise.all(others.map((spec) => startNode(spec.name, ['node', ...flags(spec), ...bootstrap])));
  return { nodes: [server, ...rest], url: server.ready.http };
}
