// Figures in a form for people.

export function bytes(n: number): string {
  if (!Number.isFinite(n)) return '–';
  if (n < 1024) return `${n} B`;
  if (n < 1024 ** 2) return `${figure(n / 1024)} KiB`;
  if (n < 1024 ** 3) return `${figure(n / 1024 ** 2)} MiB`;
  return `${figure(n / 1024 ** 3)} GiB`;
}

export function ms(n: number | null | undefined): string {
  if (n === null || n === undefined || !Number.isFinite(n)) return '–';
  if (n < 1000) return `${figure(n)} ms`;
  if (n < 60_000) return `${figure(n / 1000)} s`;
  return `${Math.floor(n / 60_000)} min ${Math.round((n % 60_000) / 1000)} s`;
}

/** Three significant digits, without an exponent. */
export function figure(n: number): string {
  if (!Number.isFinite(n)) return '–';
  if (n === 0) return '0';
  if (Math.abs(n) >= 100) return String(Math.round(n));
  return String(Number(n.toPrecision(3)));
}

/** Microcredits as credits. */
export function credits(micro: number): string {
  return (micro / 1e6).toLocaleString('en', { maximumFractionDigits: 6 });
}

/** The end of a peer id or CID, the part that differs. */
export function short(id: string): string {
  return id.length > 16 ? `…${id.slice(-8)}` : id;
}
