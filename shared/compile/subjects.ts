// The first step: raw objects become typed ones, each with its report. What cannot be read is refused here and goes no further.
import { API_VERSION, kindInfo, type Kind, type Resource } from '#shared/api/kinds.ts';
import { issue, parseSpec } from '#shared/api/parse.ts';
import { canonicalJson } from '#shared/canonical-json.ts';
import { byText } from './precedence.ts';
import { Report } from './report.ts';
import type { RawObject } from './types.ts';

/** An object whose manifest could be read, and what is known about it so far. */
export interface Subject<K extends Kind = Kind> {
  readonly resource: Resource<K>;
  readonly report: Report;
}

export interface Subjects {
  readonly gateways: readonly Subject<'Gateway'>[];
  readonly upstreams: readonly Subject<'Upstream'>[];
  readonly policies: readonly Subject<'Policy'>[];
  readonly virtualKeys: readonly Subject<'VirtualKey'>[];
  /** Of every object, readable or not, sorted by kind, namespace and name. */
  readonly reports: readonly Report[];
}

/** Reads all objects. Objects of other kinds than the four are none of this step's business and are passed over. */
export function readSubjects(objects: readonly RawObject[]): Subjects {
  const sorted = objects
    .filter((object) => kindInfo(object.kind) !== undefined)
    .sort((a, b) => byIdentity(a, b) || byText(canonicalJson(a), canonicalJson(b)));
  const subjects = { gateways: [], upstreams: [], policies: [], virtualKeys: [], reports: [] } as {
    gateways: Subject<'Gateway'>[];
    upstreams: Subject<'Upstream'>[];
    policies: Subject<'Policy'>[];
    virtualKeys: Subject<'VirtualKey'>[];
    reports: Report[];
  };
  for (const [index, object] of sorted.entries()) {
    const report = new Report(object.kind as Kind, object.metadata);
    subjects.reports.push(report);
    // Which of two manifests was meant cannot be told, and taking either would make the result depend on file order.
    const [before, after] = [sorted[index - 1], sorted[index + 1]];
    if ((before && byIdentity(before, object) === 0) || (after && byIdentity(after, object) === 0)) {
      report.refuse('Duplicate', `There is more than one ${object.kind} of this name; keep one of them.`);
      continue;
    }
    if (object.apiVersion !== undefined && object.apiVersion !== API_VERSION) {
      report.invalid([issue(['apiVersion'], `must be ${API_VERSION}`)]);
      continue;
    }
    if (object.kind === 'Gateway') read('Gateway', object, report, subjects.gateways);
    else if (object.kind === 'Upstream') read('Upstream', object, report, subjects.upstreams);
    else if (object.kind === 'Policy') read('Policy', object, report, subjects.policies);
    else read('VirtualKey', object, report, subjects.virtualKeys);
  }
  return subjects;
}

function read<K extends Kind>(kind: K, object: RawObject, report: Report, into: Subject<K>[]): void {
  const parsed = parseSpec(kind, object.spec);
  if (parsed.ok) into.push({ resource: { kind, metadata: object.metadata, spec: parsed.value }, report });
  else report.invalid(parsed.issues);
}

function byIdentity(a: RawObject, b: RawObject): number {
  return (
    byText(a.kind, b.kind) ||
    byText(a.metadata.namespace, b.metadata.namespace) ||
    byText(a.metadata.name, b.metadata.name)
  );
}
