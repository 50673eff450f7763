// The variables of a container: literal values, fields of the pod, keys of Secrets and ConfigMaps, and $(NAME) in values and arguments.
import type { Pod } from '#shared/kube/types.ts';
import { parseQuantity } from '#shared/quantity.ts';
import type { VolumeSources } from './volume-sources.ts';

export type Container = NonNullable<Pod['spec']>['containers'][number];
type Variable = NonNullable<Container['env']>[number];

/** @throws {Error} when a key that is not optional is missing, or a source is not supported here */
export async function containerEnvironment(
  pod: Pod,
  container: Container,
  address: string,
  sources: VolumeSources,
): Promise<Record<string, string>> {
  const environment: Record<string, string> = {};
  const { namespace } = pod.metadata;
  for (const { secretRef, configMapRef, prefix = '' } of container.envFrom ?? []) {
    const reference = secretRef ?? configMapRef;
    const kind = secretRef === undefined ? 'ConfigMap' : 'Secret';
    const values = await sources.contents(kind, namespace, reference?.name ?? '');
    if (values === undefined && reference?.optional !== true) throw new Error(`${reference?.name} not found`);
    for (const [key, value] of values ?? []) environment[`${prefix}${key}`] = value.toString();
  }
  for (const variable of container.env ?? []) {
    const value = await valueOf(pod, container, variable, address, sources);
    if (value !== undefined) environment[variable.name] = expand(value, environment);
  }
  return environment;
}

/** Replaces $(NAME) by the variable, and leaves alone what is not known; $$ is a dollar sign. */
export function expand(text: string, environment: Readonly<Record<string, string>>): string {
  return text.replace(/\$\$|\$\(([\w.-]+)\)/g, (all, name?: string) =>
    name === undefined ? '$' : (environment[name] ?? all),
  );
}

async function valueOf(
  pod: Pod,
  container: Container,
  { name, value, valueFrom }: Variable,
  address: string,
  sources: VolumeSources,
): Promise<string | undefined> {
  if (valueFrom === undefined) return value ?? '';
  const { fieldRef, resourceFieldRef, secretKeyRef, configMapKeyRef } = valueFrom;
  if (fieldRef !== undefined) return podField(pod, fieldRef.fieldPath, address);
  if (resourceFieldRef !== undefined) return resourceField(container, resourceFieldRef.resource);
  const reference = secretKeyRef ?? configMapKeyRef;
  if (reference === undefined) throw new Error(`variable ${name}: its source is not supported here`);
  const kind = secretKeyRef === undefined ? 'ConfigMap' : 'Secret';
  const found = (await sources.contents(kind, pod.metadata.namespace, reference.name ?? ''))?.get(reference.key);
  if (found === undefined && reference.optional !== true) {
    throw new Error(`variable ${name}: ${reference.name} has no key ${reference.key}`);
  }
  return found?.toString();
}

/** A field of the downward API, such as `metadata.name` or `metadata.labels['app']`. @throws {Error} for one that is not known here */
export function podField({ metadata, spec }: Pod, path: string, address: string): string | undefined {
  const entry = /^metadata\.(labels|annotations)\['(.+)'\]$/.exec(path);
  if (entry !== null) return metadata[entry[1] as 'labels' | 'annotations']?.[entry[2]!] ?? '';
  const fields: Readonly<Record<string, string | undefined>> = {
    'metadata.name': metadata.name,
    'metadata.namespace': metadata.namespace,
    'metadata.uid': metadata.uid,
    'spec.nodeName': spec?.nodeName,
    'spec.serviceAccountName': spec?.serviceAccountName ?? 'default',
    'status.podIP': address,
    'status.podIPs': address,
    'status.hostIP': '127.0.0.1',
  };
  if (!(path in fields)) throw new Error(`field ${path} is not supported here`);
  return fields[path];
}

/** Bytes; what is not limited reads as 0. Only sizes, such as `limits.memory`. */
function resourceField({ resources }: Container, resource: string): string {
  const [from = '', name = ''] = resource.split('.');
  return String(parseQuantity(resources?.[from as 'limits' | 'requests']?.[name] ?? '0'));
}
