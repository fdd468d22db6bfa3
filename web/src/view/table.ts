// A table that follows its rows: a row keeps its element, and so its focus, for as long as its key
// exists.
import { h, setText } from './dom';

export interface Column<Row> {
  title: string;
  /** Text, or an element that is made once for the row. */
  cell: (row: Row) => string | HTMLElement;
  /** A class for the cell; it may depend on the row. */
  kind?: string | ((row: Row) => string);
  /** The tooltip. */
  hint?: (row: Row) => string;
}

export class Table<Row> {
  readonly element: HTMLElement;
  readonly #columns: readonly Column<Row>[];
  readonly #key: (row: Row) => string;
  readonly #body = h('tbody');
  readonly #empty: HTMLElement;
  readonly #table: HTMLElement;
  readonly #rows = new Map<string, HTMLTableRowElement>();

  constructor(columns: readonly Column<Row>[], key: (row: Row) => string, empty: string) {
    this.#columns = columns;
    this.#key = key;
    this.#empty = h('p', { class: 'empty' }, empty);
    const titles = columns.map((column) =>
      h('th', { scope: 'col', class: typeof column.kind === 'string' ? column.kind : '' }, column.title),
    );
    this.#table = h('table', { hidden: true }, h('thead', {}, h('tr', {}, ...titles)), this.#body);
    this.element = h('div', {}, this.#empty, this.#table);
  }

  show(rows: readonly Row[]): void {
    this.#empty.hidden = rows.length > 0;
    this.#table.hidden = rows.length === 0;
    const gone = new Set(this.#rows.keys());
    rows.forEach((row, at) => {
      const key = this.#key(row);
      gone.delete(key);
      const element = this.#rows.get(key) ?? this.#add(key, row);
      this.#columns.forEach((column, i) => {
        const cell = element.cells[i];
        if (!cell) return;
        const value = column.cell(row);
        if (typeof value === 'string') setText(cell, value);
        const kind = typeof column.kind === 'function' ? column.kind(row) : (column.kind ?? '');
        if (cell.className !== kind) cell.className = kind;
        const hint = column.hint?.(row) ?? '';
        if (cell.title !== hint) cell.title = hint;
      });
      if (this.#body.rows[at] !== element) this.#body.insertBefore(element, this.#body.rows[at] ?? null);
    });
    for (const key of gone) {
      this.#rows.get(key)?.remove();
      this.#rows.delete(key);
    }
  }

  #add(key: string, row: Row): HTMLTableRowElement {
    const cells = this.#columns.map((column) => {
      const value = column.cell(row);
      return h('td', {}, typeof value === 'string' ? '' : value);
    });
    const element = h('tr', {}, ...cells);
    this.#rows.set(key, element);
    return element;
  }
}
