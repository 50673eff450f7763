// `make crds`: writes crds/*.yaml from the schemas of this folder, and removes definitions of kinds that are gone.
import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { crdFiles } from './crd-yaml.ts';

const folder = new URL('../../crds/', import.meta.url);
const files = crdFiles();
mkdirSync(folder, { recursive: true });
for (const name of readdirSync(folder))
  if (name.endsWith('.yaml') && !files.some((file) => file.name === name)) rmSync(new URL(name, folder));
for (const file of files) writeFileSync(new URL(file.name, folder), file.text);
