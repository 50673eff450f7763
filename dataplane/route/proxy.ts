// Which forward proxy leads to an upstream, if any. The rules of HTTP_PROXY, HTTPS_PROXY and NO_PROXY as curl and Go know them; clusters
// write networks into NO_PROXY, so those count too.
import { BlockList, isIP } from 'node:net';

/** Proxy URLs by the scheme of the upstream, and who is reached directly: names, suffixes, addresses and networks. */
export interface ProxySettings {
  readonly httpProxy?: string;
  readonly httpsProxy?: string;
  /** Separated by commas or blanks. */
  readonly noProxy: string;
}

/** @returns the URL of the proxy for an origin, or undefined when it is reached directly */
export function proxyFor(origin: string, { httpProxy, httpsProxy, noProxy }: ProxySettings): string | undefined {
  const { protocol, hostname, port } = new URL(origin);
  const proxy = protocol === 'https:' ? httpsProxy : httpProxy;
  if (proxy === undefined || proxy === '') return undefined;
  const host = hostname.toLowerCase().replace(/^\[|\]$/g, '');
  const plain = host.endsWith('.') ? host.slice(0, -1) : host;
  const at = port === '' ? (protocol === 'https:' ? '443' : '80') : port;
  const direct = noProxy.split(/[\s,]+/).some((entry) => entry !== '' && covers(entry.toLowerCase(), plain, at));
  return direct ? undefined : proxy;
}

function covers(entry: string, host: string, port: string): boolean {
  if (entry === '*') return true;
  if (entry.includes('/')) return inNetwork(host, entry);
  const { name, port: onlyPort } = splitPort(entry);
  if (onlyPort !== undefined && onlyPort !== port) return false;
  if (isIP(name) !== 0) return name === host;
  // A bare name stands for itself and what is below it; `*.` and `.` mean the same to most programs, and to us.
  const suffix = name.replace(/^\*?\./, '').replace(/\.$/, '');
  return host === suffix || host.endsWith(`.${suffix}`);
}

/** An IPv6 address with a port stands in brackets; more than one colon without them is an address. */
function splitPort(entry: string): { name: string; port: string | undefined } {
  const [, bracketed, plain, port] = /^(?:\[(.+)\]|([^:]+))(?::(\d+))?$/.exec(entry) ?? [];
  return { name: bracketed ?? plain ?? entry, port };
}

function inNetwork(host: string, network: string): boolean {
  const family = isIP(host);
  const slash = network.lastIndexOf('/');
  const address = network.slice(0, slash);
  const length = network.slice(slash + 1);
  const bits = /^\d{1,3}$/.test(length) ? Number(length) : Number.POSITIVE_INFINITY;
  if (family === 0 || isIP(address) !== family || bits > (family === 6 ? 128 : 32)) return false;
  const list = new BlockList();
  const kind = family === 6 ? 'ipv6' : 'ipv4';
  list.addSubnet(address, bits, kind);
  return list.check(host, kind);
}
