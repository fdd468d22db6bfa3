// The three tables of the page and the one of a job's candidates.
import type { CapsuleRow, Considered, Inos, JobRow, NodeRow } from '../../kernel';
import { h } from './dom';
import { bytes, figure, ms, short } from './format';
import { Table } from './table';

const ENDED: ReadonlySet<string> = new Set(['stopped', 'failed']);
const list = (items: readonly string[] | undefined) => (items ?? []).join(', ') || '–';

export function nodesTable(): Table<NodeRow> {
  return new Table<NodeRow>(
    [
      {
        title: 'Node',
        cell: (n) => (n.self ? `${n.name} (this one)` : n.name || short(n.peerId)),
        kind: 'strong',
        hint: (n) => n.addr,
      },
      { title: 'Peer', cell: (n) => short(n.peerId), kind: 'mono', hint: (n) => n.peerId },
      { title: 'Kind', cell: (n) => n.kind },
      {
        title: 'Link',
        cell: (n) => (n.self ? '–' : n.connected ? 'connected' : 'known'),
        kind: (n) => (n.connected ? 'good' : 'dim'),
      },
      {
        title: 'Jobs',
        cell: (n) => (n.eligible ? 'eligible' : n.reason),
        kind: (n) => (n.eligible ? 'good' : 'dim reason'),
        hint: (n) => n.reason,
      },
      { title: 'Capabilities', cell: (n) => list(n.capabilities) },
      { title: 'Latency', cell: (n) => (n.self ? '–' : ms(n.latencyMs)), kind: 'num', hint: (n) => n.latencyFrom },
      { title: 'Cost', cell: (n) => `${figure(n.creditCost)} µc/s`, kind: 'num' },
      { title: 'Score', cell: (n) => (n.eligible ? figure(n.score) : '–'), kind: 'num', hint: (n) => n.reason },
      { title: 'Free slots', cell: (n) => String(n.freeSlots), kind: 'num' },
      { title: 'Queue', cell: (n) => String(n.queue), kind: 'num' },
    ],
    (n) => n.peerId,
    'No node is known yet.',
  );
}

/** `run` calls a verb for a button and reports its result. */
export function capsulesTable(
  inos: Inos,
  run: (what: string, call: () => Promise<unknown>) => void,
): Table<CapsuleRow> {
  const button = (label: string, id: string, call: () => Promise<unknown>) =>
    h(
      'button',
      { type: 'button', class: 'small', 'aria-label': `${label} ${id}`, onclick: () => run(`${label} ${id}`, call) },
      label,
    );
  return new Table<CapsuleRow>(
    [
      { title: 'Capsule', cell: (c) => c.name, kind: 'strong', hint: (c) => c.cid },
      { title: 'Id', cell: (c) => short(c.id), kind: 'mono', hint: (c) => c.id },
      {
        title: 'State',
        cell: (c) => (c.congested ? `${c.state}, congested` : c.state),
        kind: (c) => `state ${c.state}`,
        hint: (c) => c.reason,
      },
      {
        title: 'Heartbeat',
        cell: (c) => (ENDED.has(c.state) ? String(c.heartbeats) : `${c.heartbeats} (${ms(c.heartbeatAgeMs)} ago)`),
        kind: (c) => (c.heartbeatAgeMs < 1500 && !ENDED.has(c.state) ? 'beat fresh' : 'beat'),
      },
      { title: 'Memory', cell: (c) => bytes(c.memoryBytes), kind: 'num', hint: (c) => `epoch ${c.memoryEpoch}` },
      { title: 'CPU', cell: (c) => ms(c.cpuMs), kind: 'num' },
      { title: 'Jobs', cell: (c) => String(c.jobsDone), kind: 'num' },
      {
        title: '',
        cell: (c) =>
          h(
            'span',
            { class: 'actions' },
            ...(ENDED.has(c.state)
              ? []
              : [
                  button('pause', c.id, () => inos.pause(c.id)),
                  button('resume', c.id, () => inos.resume(c.id)),
                  button('kill', c.id, () => inos.kill(c.id)),
                ]),
          ),
      },
    ],
    (c) => c.id,
    "No capsule runs here. Try inos.spawn('hash').",
  );
}

export function jobsTable(): Table<JobRow> {
  return new Table<JobRow>(
    [
      { title: 'Job', cell: (j) => short(j.id), kind: 'mono', hint: (j) => j.id },
      { title: 'Capsule', cell: (j) => j.capsule, kind: 'strong' },
      { title: 'Method', cell: (j) => j.method },
      { title: 'State', cell: (j) => j.state, kind: (j) => `state ${j.state}`, hint: (j) => j.reason },
      { title: 'Node', cell: (j) => j.nodeName || short(j.node) || '–', hint: (j) => j.node },
      { title: 'Score', cell: (j) => (j.score ? figure(j.score) : '–'), kind: 'num' },
      { title: 'In', cell: (j) => bytes(j.inputBytes), kind: 'num' },
      { title: 'Out', cell: (j) => bytes(j.outputBytes), kind: 'num' },
      { title: 'Cost', cell: (j) => `${j.cost} µc`, kind: 'num' },
      { title: 'Took', cell: (j) => ms(j.totalMs), kind: 'num' },
    ],
    (j) => j.id,
    'No job has been dispatched.',
  );
}

export function consideredTable(): Table<Considered> {
  return new Table<Considered>(
    [
      {
        title: 'Considered',
        cell: (c) => c.name || short(c.peerId),
        kind: (c) => (c.chosen ? 'strong chosen' : ''),
        hint: (c) => c.peerId,
      },
      { title: 'Latency', cell: (c) => ms(c.latencyMs), kind: 'num' },
      { title: 'Cost', cell: (c) => `${figure(c.creditCost)} µc/s`, kind: 'num' },
      { title: 'Score', cell: (c) => (c.eligible ? figure(c.score) : '–'), kind: 'num' },
      { title: 'Why', cell: (c) => c.reason, kind: (c) => (c.chosen ? 'good' : c.eligible ? '' : 'dim') },
    ],
    (c) => c.peerId,
    'Nobody was considered.',
  );
}
