// Plain http and demo upstreams are for one machine only; this is the one definition of "one machine".

/** True for the names and addresses of this machine, with or without the brackets of IPv6. */
export function isLoopbackHost(host: string): boolean {
  const bare = host.startsWith('[') ? host.slice(1, -1) : host;
  return bare === 'localhost' || bare === '::1' || /^127(\.[0-9]{1,3}){3}$/.test(bare);
}
