// The table that a soak prints while it goes: minutes, then cells of one width.
const MINUTES_WIDTH = 6;

/** @param width of every cell but the minutes */
export function printHeadings(cells: readonly string[], width: number): void {
  print('minute', cells, width);
}

/** @param minute since the soak began @param width as of the headings */
export function printRow(minute: number, cells: readonly (string | number)[], width: number): void {
  print(minute.toFixed(2), cells.map(String), width);
}

function print(first: string, cells: readonly string[], width: number): void {
  process.stdout.write(`${[first.padStart(MINUTES_WIDTH), ...cells.map((cell) => cell.padStart(width))].join(' ')}\n`);
}
