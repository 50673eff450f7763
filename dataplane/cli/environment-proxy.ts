// The forward proxy that the environment of the process names, as other programs read it.
import type { ProxySettings } from '../route/proxy.ts';
import { UnusableConfigurationError } from './unusable.ts';

/** This machine is never reached through a proxy named for everything else; Go and Python see it alike. */
const LOOPBACK = 'localhost,127.0.0.0/8,::1';

/**
 * @returns undefined when the environment names no proxy
 * @throws {UnusableConfigurationError} when it names one that is no URL
 */
export function environmentProxy(env: NodeJS.ProcessEnv): ProxySettings | undefined {
  const httpProxy = proxyUrl(env, 'HTTP_PROXY');
  const httpsProxy = proxyUrl(env, 'HTTPS_PROXY');
  if (httpProxy === undefined && httpsProxy === undefined) return undefined;
  return {
    ...(httpProxy === undefined ? {} : { httpProxy }),
    ...(httpsProxy === undefined ? {} : { httpsProxy }),
    noProxy: [read(env, 'NO_PROXY'), LOOPBACK].filter((text) => text !== undefined).join(','),
  };
}

/** A host and port without scheme means http, as it does to curl. */
function proxyUrl(env: NodeJS.ProcessEnv, name: string): string | undefined {
  const text = read(env, name);
  if (text === undefined) return undefined;
  const url = URL.parse(text.includes('://') ? text : `http://${text}`);
  if (url === null || !/^https?:$/.test(url.protocol)) {
    // Not the value: proxies are given with their passwords.
    throw new UnusableConfigurationError(`${name} must be an http or https URL, such as http://proxy.corp:3128`);
  }
  return url.href;
}

/** Either case is in use; an empty variable is one that was switched off. */
function read(env: NodeJS.ProcessEnv, name: string): string | undefined {
  return env[name.toLowerCase()]?.trim() || env[name]?.trim() || undefined;
}
