// The catalog of one Gateway: the built-in tables, or the platform team's laid over them. A ConfigMap that cannot be used takes nothing away:
// what was in force before stays, and the Gateway says what is wrong.
import { objectKey } from '#shared/api/kinds.ts';
import {
  CatalogOverlayError,
  readOverlay,
  tablesWith,
  type CatalogOverlay,
  type CatalogTables,
} from '#shared/catalog/overlay.ts';
import type { ModelCatalog } from '#shared/catalog/spelling.ts';
import type { Subject } from './subject.ts';
import type { CompileInput } from './types.ts';

export interface GatewayCatalog {
  readonly models: ModelCatalog;
  /** Absent where nothing is laid over the built-in tables. */
  readonly overlay?: CatalogOverlay;
}

type Reading = { readonly overlay: CatalogOverlay; readonly tables: CatalogTables } | { readonly fault: string };

/** Data of a ConfigMap is never altered, so it is read once for as long as it is held. */
const known = new WeakMap<ReadonlyMap<string, string>, Reading>();
/** Likewise what was in force. */
const tablesOf = new WeakMap<CatalogOverlay, CatalogTables | undefined>();

/** @param builtin models of Gateways that name no catalog */
export function gatewayCatalog(
  { resource, report }: Subject<'Gateway'>,
  { catalogs, lastCatalogs }: Pick<CompileInput, 'catalogs' | 'lastCatalogs'>,
  builtin: ModelCatalog,
): GatewayCatalog {
  const { metadata, spec } = resource;
  const name = spec.catalog?.configMapRef.name;
  if (name === undefined) return { models: builtin };
  const data = catalogs?.get(`${metadata.namespace}/${name}`);
  const reading = data === undefined ? undefined : read(data);
  if (reading !== undefined && 'overlay' in reading) {
    return { models: reading.tables.models, overlay: reading.overlay };
  }
  const last = inForce(lastCatalogs?.get(objectKey(metadata)));
  const stays = last === undefined ? 'the built-in tables are in force' : 'what was in force before stays';
  const at = 'spec.catalog.configMapRef';
  if (reading === undefined) {
    report.unresolved('RefNotFound', `${at}: ConfigMap ${name} does not exist in this namespace; ${stays}`);
  } else report.unresolved('InvalidCatalog', `${at}: ConfigMap ${name}: ${reading.fault}; ${stays}`);
  return last ?? { models: builtin };
}

function read(data: ReadonlyMap<string, string>): Reading {
  let reading = known.get(data);
  if (reading === undefined) known.set(data, (reading = attempt(data)));
  return reading;
}

function attempt(data: ReadonlyMap<string, string>): Reading {
  try {
    return readOverlay(data);
  } catch (error) {
    if (error instanceof CatalogOverlayError) return { fault: error.message };
    throw error;
  }
}

/** What an earlier release accepted may not fit the tables of this one. */
function inForce(overlay: CatalogOverlay | undefined): GatewayCatalog | undefined {
  if (overlay === undefined) return undefined;
  if (!tablesOf.has(overlay)) {
    let tables: CatalogTables | undefined;
    try {
      tables = tablesWith(overlay);
    } catch (error) {
      if (!(error instanceof CatalogOverlayError)) throw error;
    }
    tablesOf.set(overlay, tables);
  }
  const tables = tablesOf.get(overlay);
  return tables && { models: tables.models, overlay };
}
