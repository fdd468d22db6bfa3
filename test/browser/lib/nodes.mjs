// Native nodes as child processes: started, heard, and ended whatever happens.
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('../../../', import.meta.url));

const KEPT_LINES = 200;
const START_MS = 30_000;
const END_MS = 8_000;
const running = new Set();

/** Starts `build/inos ARGS`, or another `program`; resolves once its first line says that it is ready. */
export async function startNode(name, args, { program = `${root}build/inos`, env = {} } = {}) {
  const child = spawn(program, args, { cwd: root, env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
  const node = { name, args, child, log: [], ready: null, exited: false };
  running.add(node);
  const keep = (line) => {
    node.log.push(line);
    if (node.log.length > KEPT_LINES) node.log.shift();
  };
  createInterface(child.stderr).on('line', keep);
  const lines = createInterface(child.stdout);
  node.gone = new Promise((resolve) => {
    const end = (how) => {
      node.exited = true;
      running.delete(node);
      keep(`(${how})`);
      resolve(how);
    };
    child.on('error', (error) => end(`could not be started: ${error.message}`));
    child.on('exit', (code, signal) => end(signal ? `ended by ${signal}` : `exited with ${code}`));
  });
  node.ready = await new Promise((resolve, reject) => {
    const timer = setTimeout(
      () => reject(new Error(`node ${name} was not ready after ${START_MS / 1000} s`)),
      START_MS,
    );
    lines.on('line', (line) => {
      keep(line);
      let event;
      try {
        event = JSON.parse(line);
      } catch {
        return; // not one of its events: kept in the log
      }
      if (event.event !== 'ready') return;
      clearTimeout(timer);
      resolve(event);
    });
    node.gone.then((how) => {
      clearTimeout(timer);
      reject(new Error(`node ${name} ${how} before it was ready:\n${node.log.join('\n')}`));
    });
  });
  return node;
}

/** Ends a node politely, then not. */
export async function stopNode(node) {
  if (node.exited) return;
  node.child.kill('SIGTERM');
  const timer = setTimeout(() => node.child.kill('SIGKILL'), END_MS);
  await node.gone;
  clearTimeout(timer);
}

export async function stopAll() {
  await Promise.all([...running].map(stopNode));
}

// A driver that ends abruptly must not leave nodes behind.
process.on('exit', () => {
  for (const node of running) node.child.kill('SIGKILL');
});
