// The matrix on one screen: a line for each dialect and family, a sign for each column, and the reasons of the refusals below.

/** What became of a cell; a refusal has its reason. */
export type Cell = 'pass' | 'fail' | { readonly refused: string };

/** @param rows cells by column, by name of the row */
export function printed(columns: readonly string[], rows: ReadonlyMap<string, ReadonlyMap<string, Cell>>): string {
  const reasons: string[] = [];
  const sign = (cell: Cell | undefined): string => {
    if (cell === undefined) return '·';
    if (cell === 'pass') return 'ok';
    if (cell === 'fail') return 'FAIL';
    if (!reasons.includes(cell.refused)) reasons.push(cell.refused);
    return `no${reasons.indexOf(cell.refused) + 1}`;
  };
  const width = Math.max(...[...rows.keys()].map(({ length }) => length));
  const line = (name: string, cells: readonly string[]): string =>
    [name.padEnd(width), ...cells.map((cell) => cell.padEnd(8))].join('  ').trimEnd();
  const lines = [
    line('', columns),
    ...[...rows].map(([name, cells]) =>
      line(
        name,
        columns.map((column) => sign(cells.get(column))),
      ),
    ),
  ];
  return [...lines, ...reasons.map((reason, index) => `no${index + 1}: ${reason}`)].join('\n');
}
