// What every step of compiling works on.
import type { Kind, Resource } from '#shared/api/kinds.ts';
import type { Report } from './report.ts';

/** An object whose manifest could be read, and what is known about it so far. */
export interface Subject<K extends Kind = Kind> {
  readonly resource: Resource<K>;
  readonly report: Report;
}
