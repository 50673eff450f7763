// What people and pipelines see of a configuration: a table of objects and conditions, every fault with file and line, or all of it as JSON.
import type { Fault } from '#shared/api/documents.ts';
import type { ObjectStatus } from '#shared/compile/types.ts';
import type { CompiledFiles } from './compile-files.ts';

/** A fault of an object or a file, placed. */
export interface Placed {
  readonly file: string;
  readonly line: number;
  readonly column: number;
  readonly object: string | undefined;
  readonly message: string;
}

const CONDITIONS = ['Accepted', 'ResolvedRefs', 'Overridden'] as const;

export function isAccepted({ conditions }: ObjectStatus): boolean {
  return conditions.some(({ type, status }) => type === 'Accepted' && status === 'True');
}

/** True when the manifest itself is wrong, so that nothing of the edit should go into force. */
export function isInvalid({ conditions }: ObjectStatus): boolean {
  return conditions.some(
    ({ type, status, reason }) => type === 'Accepted' && status === 'False' && reason === 'Invalid',
  );
}

/** False when the tables of a catalog do not fit: a cluster would leave them out of force. */
export function isUsable({ conditions }: ObjectStatus): boolean {
  return conditions.every(({ status, reason }) => status !== 'False' || reason !== 'InvalidCatalog');
}

/** True when something is worth a look, although all of it may be served. */
export function isTroubled({ notes, statuses }: CompiledFiles): boolean {
  return (
    notes.length > 0 ||
    statuses.some(
      ({ conditions, warnings }) =>
        warnings.length > 0 || conditions.some(({ type, status }) => type !== 'Overridden' && status !== 'True'),
    )
  );
}

/** Everything that is wrong, with its place. */
export function placedFaults(compiled: CompiledFiles): Placed[] {
  const files: Placed[] = compiled.faults.map((fault) => ({
    ...position(fault),
    object: undefined,
    message: fault.message,
  }));
  const locate = locator(compiled);
  const objects = compiled.statuses.flatMap((status) => {
    const object = nameOf(status);
    return status.issues.map(({ path, message }) => ({ ...locate(object, path), object, message }));
  });
  return [...files, ...objects].sort((a, b) =>
    a.file === b.file ? a.line - b.line || a.column - b.column : a.file < b.file ? -1 : 1,
  );
}

/** Lines for a terminal. */
export function tableText(compiled: CompiledFiles): string {
  const rows = compiled.statuses.map((status) => [
    status.kind,
    `${status.namespace}/${status.name}`,
    ...CONDITIONS.map((type) => status.conditions.find((condition) => condition.type === type)?.status ?? '-'),
    summary(status),
  ]);
  const lines = columns([['KIND', 'NAME', 'ACCEPTED', 'RESOLVEDREFS', 'OVERRIDDEN', 'MESSAGE'], ...rows]);
  const faults = placedFaults(compiled).map(faultText);
  const notes = compiled.notes.map((note) => `${note.file}:${note.line}:${note.column}: note: ${note.message}`);
  const warnings = compiled.statuses.flatMap((status) =>
    status.warnings.map((warning) => `${nameOf(status)}: warning: ${warning}`),
  );
  return [...lines, ...gap(faults), ...gap([...notes, ...warnings])].join('\n');
}

function faultText({ file, line, column, object, message }: Placed): string {
  return `${file}:${line}:${column}: ${object === undefined ? '' : `${object}: `}${message}`;
}

/** Everything for machines. */
export function jsonText(compiled: CompiledFiles): string {
  return JSON.stringify(
    {
      accepted:
        compiled.faults.length === 0 && compiled.statuses.every((status) => isAccepted(status) && isUsable(status)),
      objects: compiled.statuses.map(({ kind, namespace, name, conditions, fields, warnings }) => ({
        kind,
        namespace,
        name,
        conditions,
        ...fields,
        warnings,
      })),
      faults: placedFaults(compiled),
      notes: compiled.notes,
    },
    null,
    2,
  );
}

function locator({
  places,
}: CompiledFiles): (object: string, path: readonly (string | number)[]) => Omit<Placed, 'object' | 'message'> {
  return (name, path) => {
    const document = places.get(name);
    return document === undefined ? { file: '?', line: 0, column: 0 } : position(document.locate(path));
  };
}

function position({ file, line, column }: Omit<Fault, 'message'>): Omit<Placed, 'object' | 'message'> {
  return { file, line, column };
}

function nameOf({ kind, namespace, name }: ObjectStatus): string {
  return `${kind} ${namespace}/${name}`;
}

/** The message of the first condition that is not as it should be. */
function summary({ conditions }: ObjectStatus): string {
  const off = conditions.find(({ type, status }) => (type === 'Overridden' ? status === 'True' : status !== 'True'));
  return off === undefined ? '' : `${off.reason}: ${off.message}`;
}

function columns(rows: readonly (readonly string[])[]): string[] {
  const last = (rows[0]?.length ?? 1) - 1;
  const widths = rows[0]?.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0))) ?? [];
  return rows.map((row) =>
    row
      .map((cell, column) => (column === last ? cell : cell.padEnd(widths[column] ?? 0)))
      .join('  ')
      .trimEnd(),
  );
}

function gap(lines: readonly string[]): readonly string[] {
  return lines.length === 0 ? [] : ['', ...lines];
}
