// Runs inside a fresh network namespace: brings loopback up, passes one of its ports on to a Unix socket outside and runs a command.
// Arguments: PORT SOCKET COMMAND…
import { execFileSync, spawn } from 'node:child_process';
import { connect, createServer } from 'node:net';

const [port = '', socketPath = '', program = '', ...args] = process.argv.slice(2);

execFileSync('ip', ['link', 'set', 'lo', 'up']);
const server = createServer({ allowHalfOpen: true, noDelay: true }, (client) => {
  const outside = connect({ path: socketPath, allowHalfOpen: true });
  client.pipe(outside).pipe(client);
  client.on('error', () => outside.destroy()).once('close', () => outside.destroy());
  outside.on('error', () => client.destroy());
});
server.listen(Number(port), '127.0.0.1', () => {
  const child = spawn(program, args, { stdio: 'inherit' });
  process.once('SIGTERM', () => child.kill('SIGTERM'));
  child.once('error', (error) => {
    process.stderr.write(`${error.message}\n`);
    process.exit(127);
  });
  child.once('exit', (code, signal) => process.exit(signal === null ? (code ?? 1) : 128));
});
