// `make crds`: writes crds/*.yaml and the templates of charts/portcullis-crds from the schemas of this folder, and removes definitions of
// kinds that are gone.
import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { chartTemplates, crdFiles, type CrdFile } from './crd-yaml.ts';

write('../../crds/', crdFiles());
write('../../charts/portcullis-crds/templates/', chartTemplates());

function write(place: string, files: readonly CrdFile[]): void {
  const folder = new URL(place, import.meta.url);
  mkdirSync(folder, { recursive: true });
  for (const name of readdirSync(folder))
    if (name.endsWith('.yaml') && !files.some((file) => file.name === name)) rmSync(new URL(name, folder));
  for (const file of files) writeFileSync(new URL(file.name, folder), file.text);
}
