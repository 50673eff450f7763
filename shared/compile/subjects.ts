// The first step: raw objects become typed ones, each with its report. What cannot be read is refused here and goes no further.
import { API_VERSION, kindInfo, type Kind, type Resource } from '#shared/api/kinds.ts';
import { issue } from '#shared/api/parse.ts';
import { canonicalJson } from '#shared/canonical-json.ts';
import { keySubject } from './keys.ts';
import type { CompileMemo, KeySubject } from './memo.ts';
import { byText } from './precedence.ts';
import { Report } from './report.ts';
import type { Subject } from './subject.ts';
import type { RawObject } from './types.ts';

export interface Subjects {
  readonly gateways: readonly Subject<'Gateway'>[];
  readonly upstreams: readonly Subject<'Upstream'>[];
  readonly policies: readonly Subject<'Policy'>[];
  readonly virtualKeys: readonly KeySubject[];
  /** Every object, readable or not, sorted by kind, namespace and name, and who holds its report. */
  readonly objects: readonly RawObject[];
  readonly reports: readonly { readonly report: Report }[];
}

/** Reads all objects. Objects of other kinds than the four are none of this step's business and are passed over. */
export function readSubjects(objects: readonly RawObject[], memo: CompileMemo): Subjects {
  const sorted = objects
    .filter((object) => kindInfo(object.kind) !== undefined)
    .sort((a, b) => byIdentity(a, b) || byText(canonicalJson(a), canonicalJson(b)));
  const subjects = { objects: sorted, gateways: [], upstreams: [], policies: [], virtualKeys: [], reports: [] } as {
    objects: RawObject[];
    gateways: Subject<'Gateway'>[];
    upstreams: Subject<'Upstream'>[];
    policies: Subject<'Policy'>[];
    virtualKeys: KeySubject[];
    reports: { report: Report }[];
  };
  let isTwin = false;
  for (let index = 0; index < sorted.length; index++) {
    const object = sorted[index]!;
    const after = sorted[index + 1];
    const wasTwin = isTwin;
    isTwin = after !== undefined && byIdentity(object, after) === 0;
    // Which of two manifests was meant cannot be told, and taking either would make the result depend on file order.
    if (wasTwin || isTwin) {
      const report = new Report(object.kind as Kind, object.metadata);
      subjects.reports.push({ report });
      report.refuse('Duplicate', `There is more than one ${object.kind} of this name; keep one of them.`);
      continue;
    }
    const known = memo.subject(object);
    if (known !== undefined) {
      subjects.reports.push(known);
      subjects.virtualKeys.push(known);
      continue;
    }
    const report = new Report(object.kind as Kind, object.metadata);
    if (object.apiVersion !== undefined && object.apiVersion !== API_VERSION) {
      report.invalid([issue(['apiVersion'], `must be ${API_VERSION}`)]);
      subjects.reports.push({ report });
      continue;
    }
    if (object.kind === 'VirtualKey') {
      const resource = read('VirtualKey', object, report, memo);
      const subject = resource && keySubject(resource, report, memo);
      subjects.reports.push(subject ?? { report });
      if (subject === undefined) continue;
      memo.remember(object, subject);
      subjects.virtualKeys.push(subject);
      continue;
    }
    subjects.reports.push({ report });
    if (object.kind === 'Gateway') add('Gateway', object, report, memo, subjects.gateways);
    else if (object.kind === 'Upstream') add('Upstream', object, report, memo, subjects.upstreams);
    else add('Policy', object, report, memo, subjects.policies);
  }
  return subjects;
}

function add<K extends Kind>(kind: K, object: RawObject, report: Report, memo: CompileMemo, into: Subject<K>[]): void {
  const resource = read(kind, object, report, memo);
  if (resource !== undefined) into.push({ resource, report });
}

function read<K extends Kind>(kind: K, object: RawObject, report: Report, memo: CompileMemo): Resource<K> | undefined {
  const parsed = memo.parse(kind, object);
  if (parsed.ok) return { kind, metadata: object.metadata, spec: parsed.value };
  report.invalid(parsed.issues);
  return undefined;
}

function byIdentity(a: RawObject, b: RawObject): number {
  return (
    byText(a.kind, b.kind) ||
    byText(a.metadata.namespace, b.metadata.namespace) ||
    byText(a.metadata.name, b.metadata.name)
  );
}
