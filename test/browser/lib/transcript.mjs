// The transcript of a demo: steps that a person can follow, and the first failure with its logs.
import { performance } from 'node:perf_hooks';

const COLOUR = process.stdout.isTTY && !process.env.NO_COLOR;
const paint = (code) => (text) => (COLOUR ? `\x1b[${code}m${text}\x1b[0m` : String(text));
export const bold = paint(1);
export const dim = paint(2);
export const green = paint(32);
export const red = paint(31);

let count = 0;

/** Runs one step; what it throws carries the step's title. */
export async function step(title, body) {
  count++;
  console.log(`\n${bold(`${count}. ${title}`)}`);
  const began = performance.now();
  try {
    const value = await body();
    console.log(`   ${green('ok')} ${dim(`in ${duration(performance.now() - began)}`)}`);
    return value;
  } catch (error) {
    console.log(`   ${red('FAILED')} ${dim(`after ${duration(performance.now() - began)}`)}`);
    error.step = `${count}. ${title}`;
    throw error;
  }
}

export function say(text) {
  console.log(`   ${text}`);
}

/** Prints rows of an array of arrays in columns; numbers to the right. */
export function table(titles, rows) {
  const cells = [titles, ...rows.map((row) => row.map(String))];
  const widths = titles.map((_, i) => Math.max(...cells.map((row) => row[i].length)));
  const right = titles.map(
    (_, i) => rows.length > 0 && rows.every((row) => /^[-–]$|^[\d.,]+( \S+)?$/.test(String(row[i]))),
  );
  cells.forEach((row, at) => {
    const line = row
      .map((cell, i) => (right[i] ? cell.padStart(widths[i]) : cell.padEnd(widths[i])))
      .join('  ')
      .trimEnd();
    console.log(`   ${at === 0 ? dim(line) : line}`);
  });
}

/** An assertion that says what it saw. */
export function check(condition, claim) {
  if (!condition) throw new Error(`not so: ${claim}`);
  say(`${green('✓')} ${claim}`);
}

export function duration(ms) {
  return ms < 1000 ? `${Math.round(ms * 10) / 10} ms` : `${(ms / 1000).toFixed(2)} s`;
}

export function figure(n) {
  return Math.abs(n) >= 100 ? String(Math.round(n)) : String(Number(n.toPrecision(3)));
}

export function short(id) {
  return id.length > 16 ? `…${id.slice(-8)}` : id;
}
