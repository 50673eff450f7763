// Networks and addresses: CIDR lists, and who the client is when proxies stand between.
import { BlockList, isIP } from 'node:net';
import type { IncomingMessage } from 'node:http';

const MAPPED = /^::ffff:(?=[0-9]+[.])/i;

/** `::ffff:10.1.2.3`, as dual-stack sockets report IPv4, becomes `10.1.2.3`. */
export function plainAddress(address: string): string {
  return address.replace(MAPPED, '');
}

/** A list of networks in CIDR form. */
export class NetworkList {
  readonly #list: BlockList | undefined;
  readonly isEmpty: boolean;

  constructor(networks: readonly string[]) {
    this.isEmpty = networks.length === 0;
    if (this.isEmpty) return;
    this.#list = new BlockList();
    for (const network of networks) {
      const slash = network.lastIndexOf('/');
      const address = network.slice(0, slash);
      this.#list.addSubnet(address, Number(network.slice(slash + 1)), isIP(address) === 6 ? 'ipv6' : 'ipv4');
    }
  }

  has(address: string): boolean {
    if (this.#list === undefined) return false;
    const family = isIP(address);
    return family !== 0 && this.#list.check(address, family === 6 ? 'ipv6' : 'ipv4');
  }
}

/**
 * The client's address: the TCP peer, or, when the peer is a trusted proxy, the right-most address of X-Forwarded-For that is not one.
 * Everything left of it could have been written by the client.
 */
export function clientAddress(request: IncomingMessage, trusted: NetworkList): string {
  let address = plainAddress(request.socket.remoteAddress ?? '');
  if (trusted.isEmpty || !trusted.has(address)) return address;
  const forwarded = request.headers['x-forwarded-for'];
  if (forwarded === undefined) return address;
  const hops = (Array.isArray(forwarded) ? forwarded.join(',') : forwarded).split(',');
  for (let i = hops.length - 1; i >= 0; i--) {
    const hop = plainAddress(withoutPort(hops[i]?.trim() ?? ''));
    if (isIP(hop) === 0) return address;
    address = hop;
    if (!trusted.has(hop)) return hop;
  }
  return address;
}

/** Some proxies write `1.2.3.4:5678` or `[::1]:5678`. */
function withoutPort(hop: string): string {
  if (hop.startsWith('[')) return hop.slice(1, hop.indexOf(']'));
  const colon = hop.indexOf(':');
  return colon > 0 && colon === hop.lastIndexOf(':') ? hop.slice(0, colon) : hop;
}
