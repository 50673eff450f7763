// Runs programs of the other processor on this one: qemu in user mode, as installed here or as its Debian package holds it.
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { CHARTS } from './helm.ts';
import { run } from './image-archive.ts';

/** @param machine `aarch64` or `x86_64` @returns path of a static program, undefined where none can be had */
export async function emulatorOf(machine: string): Promise<string | undefined> {
  const name = `qemu-${machine}-static`;
  const installed = (process.env['PATH'] ?? '').split(delimiter).map((folder) => join(folder, name));
  const kept = join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'portcullis', name);
  return [...installed, kept].find(existsSync) ?? (await fetched(name, kept));
}

async function fetched(name: string, kept: string): Promise<string | undefined> {
  const work = mkdtempSync(join(tmpdir(), 'portcullis-emulator-'));
  try {
    const architecture = process.arch === 'x64' ? 'amd64' : process.arch;
    const { HOME, XDG_CACHE_HOME } = process.env;
    const { output } = await run(`${CHARTS}image/debian.sh`, [architecture, work, 'qemu-user-static'], {
      HOME,
      ...(XDG_CACHE_HOME === undefined ? {} : { XDG_CACHE_HOME }),
    });
    const found = join(work, 'usr/bin', name);
    if (!existsSync(found)) {
      console.warn(`no ${name}: ${output}`);
      return undefined;
    }
    mkdirSync(join(kept, '..'), { recursive: true });
    // Another run may look at the same moment: it sees all of it or nothing.
    copyFileSync(found, `${kept}.${process.pid}`);
    renameSync(`${kept}.${process.pid}`, kept);
    return kept;
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}
